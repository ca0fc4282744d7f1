"""Tokens as text: the mask against trying every way to go on."""

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charnn.corpus.tokenizers.automaton import State
from charnn.generation.constraints import Constraints
from charnn.generation.copies import CopyIndex, index_tokens
from charnn.generation.lexicon import Lexicon
from charnn.generation.sampler import SamplingOptions

FUZZ = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def walk(tokenizer, constraint, rng, steps):
    """Tokens that a constraint lets come, drawn at random."""
    decoder, tokens = tokenizer.decoder(), []
    for _ in range(steps):
        base = np.where(tokenizer.allowed(decoder.state), 0.0, -np.inf)
        base[tokenizer.boundary] = -np.inf
        log_probs = constraint.apply(base)
        token = int(rng.choice(np.flatnonzero(log_probs > -np.inf)))
        tokens.append(token)
        text = decoder.push(token)
        if constraint.push(token, text).length < len(text):
            break
    return tokens


@FUZZ
@given(st.sampled_from(["char", "jamo", "byte", "subword"]), st.integers(0, 999))
def test_every_way_that_is_left_open_can_be_gone(tokenizers, kind, seed):
    tokenizer = tokenizers[kind]
    options = SamplingOptions(acrostic="삼뷁", include=("각 a",), length=14)
    constraint = Constraints(options, tokenizer, "", None).begin()
    tokens = walk(tokenizer, constraint, np.random.default_rng(seed), 80)
    text = tokenizer.decode(tokens)[:14]
    assert text.startswith("삼")
    assert "\n뷁" in text
    assert "각 a" in text


@FUZZ
@given(st.sampled_from(["char", "jamo", "byte"]), st.text("가각사뷁a先", min_size=1, max_size=3))
def test_no_way_is_closed_that_leads_to_the_end(tokenizers, kind, word):
    tokenizer = tokenizers[kind]
    options = SamplingOptions(include=(word,), length=len(word))
    constraint = Constraints(options, tokenizer, "", None).begin()
    decoder = tokenizer.decoder()
    for token in [*tokenizer.encode(word).tolist(), *tokenizer.encode("b").tolist()]:
        base = np.where(tokenizer.allowed(decoder.state), 0.0, -np.inf)
        assert constraint.apply(base)[token] == 0.0
        constraint.push(token, decoder.push(token))


def test_what_is_half_written_is_what_it_can_become(tokenizer):
    lexicon = Lexicon(tokenizer)
    for text in ("가각사뷁", "é先𠀀\u0800\ud7ff\U0010ffff"):
        held, decoder = None, tokenizer.decoder()
        written = ""
        for token in tokenizer.encode(text).tolist():
            written += decoder.push(token)
            held = lexicon.hold(held, token)
            assert (held is None) == (decoder.state == State.START)
            if held is not None:
                assert held.first <= ord(text[len(written)]) <= held.last


@pytest.mark.parametrize("kind", ["char", "jamo", "byte"])
def test_a_range_is_what_the_tokenizer_can_spell(tokenizers, kind):
    """Every character that two parts can begin lies in the range, and the ends are reached."""
    tokenizer = tokenizers[kind]
    lexicon = Lexicon(tokenizer)
    rng = np.random.default_rng(0)
    for _ in range(300):
        decoder, held, tokens = tokenizer.decoder(), None, []
        while True:
            allowed = tokenizer.allowed(decoder.state).copy()
            if not tokens:
                allowed[lexicon._whole] = allowed[tokenizer.boundary] = False
            token = int(rng.choice(np.flatnonzero(allowed)))
            text, before = decoder.push(token), held
            held = lexicon.hold(held, token)
            tokens.append(token)
            if text and before is not None:
                assert before.first <= ord(text[0]) <= before.last
            if text or held is None:
                break


def test_a_character_with_a_token_is_not_spelled_out(tokenizers):
    char = tokenizers["char"]
    constraint = Constraints(SamplingOptions(acrostic="형뷁"), char, "", None).begin()
    base = np.where(char.allowed(char.initial_state), 0.0, -np.inf)
    (token,) = np.flatnonzero(constraint.apply(base) == 0.0)
    assert char.token_text(int(token)) == "형"
    constraint.push(int(token), "형")
    newline = int(char.encode("\n")[0])
    constraint.push(newline, "\n")
    (token,) = np.flatnonzero(constraint.apply(base) == 0.0)
    assert char.token_text(int(token)) == "ㅂ-"


def test_copies_are_looked_for_in_every_half_character(tokenizer):
    training = "가나다라마바사아자차카타파하 abcdefghijklmnop" * 2
    index = CopyIndex([index_tokens(tokenizer.encode(training), tokenizer, len(training))])
    options = SamplingOptions(max_copy=10, length=40)
    for seed in range(5):
        constraint = Constraints(options, tokenizer, training[:10], index).begin()
        tokens = walk(tokenizer, constraint, np.random.default_rng(seed), 30)
        text = tokenizer.decode(tokens)
        assert text[0] != training[10]
        windows = (text[at : at + 11] for at in range(len(text) - 10))
        assert not any(window in training for window in windows)


def test_masks_of_whole_tokens_are_what_each_text_does(tokenizers):
    subword = tokenizers["subword"]
    options = SamplingOptions(initials="ㄱㄴ", include=("가",), length=6)
    asked = Constraints(options, subword, "", None)
    log_probs = asked.begin().apply(np.zeros(subword.vocab_size))
    automaton = asked.automaton
    for token in range(1, subword.vocab_size):
        text = subword.token_string(token)
        if text is None:
            continue
        state = automaton.start
        states = itertools.accumulate(text, automaton.follow, initial=state)
        fine = all(
            automaton.needs[state] <= max(6 - position, 0) for position, state in enumerate(states)
        )
        assert (log_probs[token] > -np.inf) == fine


def test_what_is_kept_of_half_characters_is_bounded(tokenizers):
    """In bytes there are 65,000 ways to be within a character."""
    byte = tokenizers["byte"]
    lexicon = Lexicon(byte)
    characters = [chr(code_point) for code_point in range(0x10000, 0x20000, 64)]
    for character in characters:
        held = None
        for token in byte.encode(character).tolist()[:-1]:
            held = lexicon.hold(held, token)
        lexicon._ways(held, spelled_only=True)
    kept = lexicon._ways.cache_info()
    assert len(characters) > kept.currsize == kept.maxsize == 512
