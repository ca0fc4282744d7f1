"""Writing texts: against a slow twin, one against many, and what never may be written."""

import itertools
import math

import numpy as np
import pytest

from charnn.errors import OptionError, RunDamagedError
from charnn.generation import row, sampler
from charnn.generation.filters import (
    apply_temperature,
    min_p_filter,
    repeat_penalty,
    top_k_filter,
    top_p_filter,
)
from charnn.generation.sampler import SamplingOptions, sample_text, sample_texts


def text_of(pieces):
    return "".join(piece.text for piece in pieces)


def write(expert, tokenizer, prompt="", seed=1, index=0, **options):
    """The text of sample_text."""
    return text_of(
        sample_text(expert, tokenizer, prompt, SamplingOptions(**options), seed, index=index)
    )


def write_slowly(expert, tokenizer, prompt, options, seed, count):
    """The first tokens of a text, from the definitions: plain steps, plain running sums."""
    random = np.random.default_rng([seed, 0])
    written = tokenizer.encode(prompt).tolist()
    state = expert.initial_state(1)
    for token in [tokenizer.boundary, *written]:
        log_probs, state = expert.step(np.array([token]), state)
    decoder, tokens, bits = tokenizer.decoder(), [], []
    for _ in range(count):
        allowed = tokenizer.allowed(decoder.state) & (np.arange(expert.vocab_size) != 0)
        logits = np.where(allowed, log_probs, -math.inf)
        recent = np.array([(written + tokens)[-64:]], int)
        logits = repeat_penalty(logits, recent, options.repeat_penalty)
        logits = min_p_filter(
            top_p_filter(top_k_filter(logits, options.top_k), options.top_p), options.min_p
        )
        weights = np.exp(apply_temperature(logits, options.temperature)[0])
        total = weights.cumsum()
        token = int(np.searchsorted(total, random.random() * total[-1], side="right"))
        tokens.append(token)
        bits.append(-log_probs[0, token] / math.log(2))
        decoder.push(token)
        log_probs, state = expert.step(np.array([token]), state)
    return tokens, bits


OPTIONS = [
    {},
    {"temperature": 0.0},
    {"temperature": 1.5, "top_k": 20},
    {"top_p": 0.9, "min_p": 0.02},
    {"temperature": 1.0, "repeat_penalty": 1.3},
    {"top_k": 30, "top_p": 0.95, "min_p": 0.01, "repeat_penalty": 0.9},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_same_text_as_the_slow_twin(tokenizer, experts, options):
    network = experts.network(tokenizer.vocab_size)
    options = SamplingOptions(length=40, **options)
    pieces = list(sample_text(network, tokenizer, "형식은", options, seed=7))
    tokens, bits = write_slowly(network, tokenizer, "형식은", options, 7, 200)
    decoder = tokenizer.decoder()
    assert "".join(map(decoder.push, tokens)).startswith(text_of(pieces))
    assert len(text_of(pieces)) == 40
    owed = list(itertools.accumulate(bits))  # of every beginning of the tokens
    if tokenizer.kind != "subword":  # where the last piece may be cut
        paid = sum(piece.bits for piece in pieces)
        assert min(abs(total - paid) for total in owed) < 1e-9


def test_bits_of_a_piece_are_those_of_its_tokens(tokenizers, experts):
    jamo = tokenizers["jamo"]
    ids = {jamo.token_text(token): token for token in range(jamo.vocab_size)}
    script = [*jamo.encode("가각나").tolist(), ids["a"]]
    expert = experts.script(jamo.vocab_size, script)
    cost = {token: 1.0 + position for position, token in enumerate(script)}

    def predict(positions):
        log_probs = np.full((1, jamo.vocab_size), -900.0)
        token = script[min(int(positions[0]), len(script) - 1)]
        log_probs[0, token] = -math.log(2) * cost[token]
        return log_probs

    expert._predict = predict
    pieces = list(sample_text(expert, jamo, "", SamplingOptions(length=4), 0))
    spelled = [jamo.encode(text).tolist() for text in "가각나"] + [[ids["a"]]]
    expected = [sum(cost[token] for token in tokens) for tokens in spelled]
    # The second syllable's lead closes the first; an open syllable comes with what follows it.
    assert [piece.text for piece in pieces] == ["가", "각", "나a"]
    assert [piece.bits for piece in pieces] == pytest.approx(
        [expected[0], expected[1], expected[2] + expected[3]]
    )


@pytest.mark.parametrize("options", [{}, {"repeat_penalty": 1.2, "stop": ("가", "ab")}])
def test_a_sample_of_many_is_the_text_it_would_be_alone(tokenizer, experts, options, monkeypatch):
    monkeypatch.setattr(sampler, "_ROWS", 3)
    network = experts.network(tokenizer.vocab_size, spread=0.7)
    options = SamplingOptions(length=30, temperature=1.0, **options)
    many = list(sample_texts(network, tokenizer, "말도", options, seed=5, num_samples=8))
    alone = [
        tuple(sample_text(network, tokenizer, "말도", options, seed=5, index=index))
        for index in range(8)
    ]
    assert [text_of(pieces) for pieces in many] == [text_of(pieces) for pieces in alone]
    assert len(set(map(text_of, many))) > 1
    costs = [[piece.bits for piece in pieces] for pieces in many]
    assert costs == [pytest.approx([piece.bits for piece in pieces]) for pieces in alone]


def test_the_repeat_penalty_looks_back_on_64_tokens(tokenizers, experts, monkeypatch):
    byte, seen = tokenizers["byte"], []

    def spy(logits, recent, penalty):
        seen.append(recent.tolist())
        return repeat_penalty(logits, recent, penalty)

    monkeypatch.setattr(row, "repeat_penalty", spy)
    expert = experts.script(byte.vocab_size, byte.encode("xyz" * 30).tolist())
    prompt = "".join(map(chr, range(33, 103)))
    text = write(expert, byte, prompt, length=80, repeat_penalty=1.01)
    told = byte.encode(prompt + text).tolist()
    assert seen[:80] == [[told[max(0, end - 64) : end]] for end in range(70, 150)]
    seen.clear()
    write(expert, byte, "", length=2, repeat_penalty=1.01)
    assert seen[:2] == [[[]], [told[70:71]]]


def test_a_prompt_is_read_once_for_many(tokenizers, experts):
    char = tokenizers["char"]
    expert = experts.fixed(np.full(char.vocab_size, -math.log(char.vocab_size)))
    texts = list(sample_texts(expert, char, "형식은", SamplingOptions(length=3), 0, 70))
    assert len(texts) == 70
    assert expert.reads == [[char.boundary, *char.encode("형식은").tolist()]]


def test_an_empty_prompt_begins_at_the_boundary(tokenizers, experts):
    char = tokenizers["char"]
    expert = experts.fixed(np.full(char.vocab_size, -math.log(char.vocab_size)))
    write(expert, char, "", length=1)
    assert expert.reads == [[char.boundary]]


def test_a_prompt_of_characters_never_seen_is_read(tokenizer, experts):
    network = experts.network(tokenizer.vocab_size)
    assert len(write(network, tokenizer, "뷁 𠀀 é", length=5)) == 5


def test_the_same_seed_writes_the_same_text(tokenizer, experts):
    network = experts.network(tokenizer.vocab_size, dtype=np.float32)
    first, again, other = (write(network, tokenizer, seed=s, length=50) for s in (3, 3, 4))
    assert first == again != other


def test_a_shorter_text_is_a_beginning_of_the_longer_one(tokenizer, experts):
    network = experts.network(tokenizer.vocab_size)
    long = write(network, tokenizer, length=60)
    for length in (1, 2, 7, 59):
        assert write(network, tokenizer, length=length) == long[:length]


def test_what_is_written_is_always_valid(tokenizer, experts):
    uniform = experts.fixed(np.full(tokenizer.vocab_size, -math.log(tokenizer.vocab_size)))
    text = write(uniform, tokenizer, length=2000, temperature=1.0)
    assert len(text) >= 2000
    assert "\N{REPLACEMENT CHARACTER}" not in text
    assert text.encode("utf-8").decode("utf-8") == text
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_boundary_is_never_written(tokenizer, experts):
    log_probs = np.full(tokenizer.vocab_size, -12.0)
    log_probs[tokenizer.boundary] = -1e-3
    expert = experts.fixed(log_probs)
    write(expert, tokenizer, length=50)
    assert [tokenizer.boundary] not in expert.steps


def test_no_tail_joins_the_last_syllable_of_a_prompt(tokenizers, experts):
    jamo = tokenizers["jamo"]
    ga, gak = jamo.encode("가").tolist(), jamo.encode("각").tolist()
    assert gak[:2] == ga
    log_probs = np.full(jamo.vocab_size, -20.0)
    log_probs[gak[2]] = 0.0  # it would love to write a tail
    log_probs[jamo.encode("나")[0]] = -5.0
    expert = experts.fixed(log_probs)
    text = write(expert, jamo, "가", length=3)
    assert [gak[2]] not in expert.steps[:2]
    assert text.startswith(tuple(chr(code) for code in range(0xB098, 0xB2E4)))  # ㄴ


def test_length_counts_code_points_and_finishes_a_cluster(tokenizers, experts):
    byte = tokenizers["byte"]
    old = "ab\u1112\u119e\u11ab\u302ecd"
    expert = experts.script(byte.vocab_size, byte.encode(old + "x").tolist())
    texts = [write(expert, byte, length=length) for length in range(1, 9)]
    assert texts == [old[:end] for end in (1, 2, 6, 6, 6, 6, 7, 8)]


def test_a_stop_text_is_not_written(tokenizer, experts):
    script = tokenizer.encode("가나 다라\n마바" + "." * 10).tolist()
    expert = experts.script(tokenizer.vocab_size, script)
    assert write(expert, tokenizer, length=50, stop=("라\n", "바")) == "가나 다"
    assert write(expert, tokenizer, length=50, stop=("라나",), temperature=0).startswith(
        "가나 다라\n"
    )
    assert write(expert, tokenizer, length=50, stop=("가",)) == ""


def test_frequencies_are_those_of_the_filtered_distribution(tokenizers, experts):
    byte = tokenizers["byte"]
    log_probs = np.full(byte.vocab_size, -30.0)
    letters = byte.encode("abcdefgh")
    log_probs[letters] = np.log([0.3, 0.2, 0.15, 0.1, 0.1, 0.07, 0.05, 0.03])
    options = {"temperature": 0.7, "top_k": 6, "top_p": 0.85, "min_p": 0.1}
    text = write(experts.fixed(log_probs), byte, length=6000, **options)
    # top-k leaves a..f, of which a..e have 85 %; temperature comes last.
    weights = np.array([0.3, 0.2, 0.15, 0.1, 0.1]) ** (1 / 0.7)
    expected = 6000 * weights / weights.sum()
    seen = np.array([text.count(letter) for letter in "abcde"])
    assert seen.sum() == 6000
    assert ((seen - expected) ** 2 / expected).sum() < 4 + 4 * math.sqrt(8)


def test_pieces_come_before_the_text_is_finished(tokenizers, experts):
    char = tokenizers["char"]
    expert = experts.fixed(np.full(char.vocab_size, -math.log(char.vocab_size)))
    pieces = sample_text(expert, char, "", SamplingOptions(length=10**9), 0)
    assert len(text_of(itertools.islice(pieces, 20))) >= 20
    assert len(expert.steps) < 100


def test_probabilities_that_are_not_numbers_are_refused(tokenizers, experts):
    char = tokenizers["char"]
    expert = experts.fixed(np.full(char.vocab_size, math.nan))
    for temperature in (0, 1):
        with pytest.raises(RunDamagedError, match="not numbers"):
            write(expert, char, temperature=temperature)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -1.0}, "temperature must be >= 0, got -1.0"),
        ({"temperature": math.nan}, "temperature must be >= 0, got nan"),
        ({"top_k": -2}, "top_k must be >= 0, got -2"),
        ({"top_p": 1.1}, "top_p must be in [0, 1], got 1.1"),
        ({"min_p": -0.5}, "min_p must be in [0, 1], got -0.5"),
        ({"repeat_penalty": 0.0}, "repeat_penalty must be > 0, got 0.0"),
        ({"length": 0}, "length must be >= 1, got 0"),
        ({"stop": "END"}, "stop must be a tuple of texts, got 'END'; write ('END',)"),
        ({"stop": ("a", "")}, "stop must not be an empty text; leave it out to stop at the length"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(OptionError) as error:
        SamplingOptions(**options)
    assert str(error.value) == message


def test_what_is_wrong_is_said_before_the_first_piece(tokenizers, experts):
    char = tokenizers["char"]
    network, options = experts.network(char.vocab_size), SamplingOptions()
    with pytest.raises(OptionError) as error:
        sample_text(network, char, "", options, -1)
    assert str(error.value) == "seed must be >= 0, got -1"
    with pytest.raises(OptionError) as error:
        sample_text(network, char, "", options, 0, index=-1)
    assert str(error.value) == "index must be >= 0, got -1"
    with pytest.raises(OptionError) as error:
        sample_texts(network, char, "", options, 0, 0)
    assert str(error.value) == "num_samples must be >= 1, got 0"
    with pytest.raises(OptionError) as error:
        sample_text(network, char, "가\ud800", options, 0)
    assert str(error.value) == (
        "prompt must be valid Unicode, got a lone surrogate U+D800 at character 1; leave it out"
    )
    with pytest.raises(RunDamagedError) as error:
        sample_text(experts.network(3), char, "", options, 0)
    assert str(error.value) == (
        f"the model must predict the tokenizer's {char.vocab_size} tokens, got 3; "
        "take both from the same run"
    )
