from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.errors import RunDamagedError
from charnn.model.ngram import Level, Ngram, count_ngrams
from charnn.model.ngram_expert import NgramExpert
from charnn.model.ngram_scores import NEW_COUNT, score_adaptive, score_frozen

V = 6
texts = st.lists(st.integers(0, V - 1), min_size=1, max_size=80).map(np.array)
orders = st.integers(1, 5)
NOTHING = np.empty(0, np.int64)


def slow_counts(text, order):
    """Of every n-gram: how often it is there, or for a shorter one after how many tokens."""
    grams = [tuple(text[i : i + order]) for i in range(len(text) - order + 1)]
    counts = {order: {}}
    for gram in grams:
        counts[order][gram] = counts[order].get(gram, 0) + 1
    for length in range(1, order):
        before = {}
        for start in range(len(text) - length + 1):
            gram = tuple(text[start : start + length])
            before.setdefault(gram, set()).add(text[start - 1] if start else "nothing")
        counts[length] = {gram: len(tokens) for gram, tokens in before.items()}
    return counts


def slow_prob(counts, discounts, context, token, length):
    """Interpolated Kneser-Ney by its formula, for an n-gram of this length."""
    if length == 0:
        return 1 / V
    history = tuple(context[len(context) - length + 1 :]) if length > 1 else ()
    followers = {g[-1]: c for g, c in counts[length].items() if g[:-1] == history}
    shorter = slow_prob(counts, discounts, context, token, length - 1)
    if not followers:
        return shorter
    taken = {t: discounts[length][min(c, 3)] for t, c in followers.items()}
    total = sum(followers.values())
    own = followers.get(token, 0) - taken.get(token, 0.0)
    return own / total + sum(taken.values()) / total * shorter


def discounts_of(ngram):
    return {length: level.discounts for length, level in enumerate(ngram.levels, 1)}


def slow_log_prob(counts, ngram, context, token):
    length = min(ngram.order, len(context) + 1)
    return np.log(slow_prob(counts, discounts_of(ngram), list(context), token, length))


@given(texts, texts, orders)
def test_frozen_scores_are_those_of_the_formula(text, read, order):
    ngram = count_ngrams(text, V, order)
    counts = slow_counts(text.tolist(), order)
    scores = score_frozen(ngram, NOTHING, read)
    expected = [
        slow_log_prob(counts, ngram, read[:i].tolist(), int(token)) for i, token in enumerate(read)
    ]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


@given(texts, texts, orders)
def test_adaptive_scores_count_each_token_once_it_was_predicted(text, read, order):
    ngram = count_ngrams(text, V, order)
    scores = score_adaptive(ngram, text, read)
    whole = np.concatenate([text, read]).tolist()
    known = slow_counts(text.tolist(), order)
    for i, score in enumerate(scores):
        seen = whole[: len(text) + i]
        counts = slow_counts(seen, order)
        for length, grams in counts.items():
            for gram in grams:
                before = known[length].get(gram, 0)
                grams[gram] = before + NEW_COUNT * (grams[gram] - before)
        expected = slow_log_prob(counts, ngram, seen, whole[len(seen)])
        assert score == pytest.approx(expected, rel=1e-6)


@given(texts, texts, orders)
def test_adaptive_scores_never_look_ahead(text, read, order):
    ngram = count_ngrams(text, V, order)
    half = len(read) // 2
    np.testing.assert_allclose(
        score_adaptive(ngram, text, read)[:half], score_adaptive(ngram, text, read[:half])
    )


@given(texts, texts, orders)
def test_the_expert_predicts_what_the_scores_say(text, read, order):
    expert = NgramExpert(count_ngrams(text, V, order))
    scores = score_frozen(count_ngrams(text, V, order), read[:1], read[1:])
    state, stepped = expert.initial_state(1), []
    for before, token in pairwise(read):
        log_probs, state = expert.step(np.array([before]), state)
        assert np.exp(log_probs).sum() == pytest.approx(1, abs=1e-5)
        stepped.append(log_probs[0, token])
    np.testing.assert_allclose(stepped, scores, rtol=1e-4, atol=1e-5)


@given(texts, texts, orders)
def test_reading_at_once_is_reading_step_by_step(text, read, order):
    expert = NgramExpert(count_ngrams(text, V, order))
    state = expert.initial_state(1)
    for token in read:
        log_probs, state = expert.step(np.array([token]), state)
    at_once, end = expert.read(read, expert.initial_state(1))
    assert end == state
    np.testing.assert_array_equal(at_once, log_probs)


@given(texts, orders)
def test_rows_of_a_batch_do_not_see_each_other(text, order):
    expert = NgramExpert(count_ngrams(text, V, order))
    both, _ = expert.step(np.array([text[0], text[-1]]), expert.initial_state(2))
    for row, token in enumerate((text[0], text[-1])):
        alone, _ = expert.step(np.array([token]), expert.initial_state(1))
        np.testing.assert_array_equal(both[row], alone[0])


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_table_too_small_gives_the_same(rows, monkeypatch):
    text = np.random.default_rng(1).integers(0, V, 200)
    ngram = count_ngrams(text, V, 4)
    with_table, _ = NgramExpert(ngram).read(text[:9], [()])
    monkeypatch.setattr("charnn.model.ngram_expert.TABLE_BYTES", rows * V * 4)
    without, _ = NgramExpert(ngram).read(text[:9], [()])
    np.testing.assert_array_equal(with_table, without)


@given(texts, orders)
def test_what_is_kept_is_what_is_read(text, order):
    ngram = count_ngrams(text, V, order)
    again = Ngram.from_arrays(ngram.arrays(), V, "ngram")
    np.testing.assert_array_equal(
        score_frozen(ngram, NOTHING, text), score_frozen(again, NOTHING, text)
    )


@given(texts, st.data())
def test_altered_arrays_are_refused_or_harmless(text, data):
    arrays = {k: v.copy() for k, v in count_ngrams(text, V, 3).arrays().items()}
    name = data.draw(st.sampled_from([n for n, a in arrays.items() if a.size]))
    place = data.draw(st.integers(0, arrays[name].size - 1))
    arrays[name][place] = data.draw(st.integers(0, int(np.iinfo(arrays[name].dtype).max)))
    try:
        ngram = Ngram.from_arrays(arrays, V, "ngram")
    except RunDamagedError:
        return
    expert = NgramExpert(ngram)
    state = expert.initial_state(1)
    for token in range(V):
        log_probs, state = expert.step(np.array([token]), state)
        assert log_probs.shape == (1, V)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"2.starts": None}, "x lacks '2.starts': it is no n-gram model"),
        ({"4.tokens": np.zeros(1, np.uint8)}, "x does not fit a vocabulary of 6 tokens"),
        ({"2.tokens": np.zeros(30, np.uint8)}, "x is damaged: level 2 is no sorted trie"),
        ({"1.starts": np.array([0, V], np.uint64)}, "x is damaged: level 1 is no sorted trie"),
        ({"1.counts": np.zeros(V, np.int64)}, "x is damaged: level 1 is no sorted trie"),
    ],
)
def test_a_file_that_is_none_is_refused(change, message):
    arrays = count_ngrams(np.arange(30) % V, V, 3).arrays() | change
    arrays = {name: array for name, array in arrays.items() if array is not None}
    with pytest.raises(RunDamagedError) as error:
        Ngram.from_arrays(arrays, V, "x")
    assert str(error.value) == message


def test_another_vocabulary_is_refused():
    arrays = count_ngrams(np.arange(30) % V, V, 2).arrays()
    with pytest.raises(RunDamagedError, match="x does not fit a vocabulary of 7 tokens"):
        Ngram.from_arrays(arrays, V + 1, "x")


def test_only_the_end_of_a_long_text_is_counted(monkeypatch):
    monkeypatch.setattr("charnn.model.ngram.MOST_TOKENS", 10)
    text = np.concatenate([np.zeros(50, int), np.arange(10) % V])
    ngram = count_ngrams(text, V, 1)
    assert ngram.levels[0].counts.sum() == 10


def test_counts_that_allow_no_estimate_get_plain_discounts():
    level = Level(np.arange(3), np.array([0, 3]), np.array([5, 5, 5]))
    assert level.discounts.tolist() == [0.0, 0.5, 0.75, 0.9]
