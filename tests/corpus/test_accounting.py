import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.corpus.accounting import Score, score_tokens
from charnn.corpus.tokenizers import ByteTokenizer, CharTokenizer, JamoTokenizer, SubwordTokenizer

TOKENIZERS = [
    CharTokenizer("가나"),
    JamoTokenizer("ㄱ"),
    ByteTokenizer(),
    SubwordTokenizer(["가", "나", "가나", " 가나"]),
]
SCORES = st.builds(
    Score,
    st.floats(0, 1e6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
)


def test_units():
    score = Score(nats=12 * math.log(2), tokens=4, characters=3, bytes=6)
    assert score.loss == pytest.approx(3 * math.log(2))
    assert score.perplexity == pytest.approx(8)
    assert score.bits_per_char == pytest.approx(4)
    assert score.bits_per_byte == pytest.approx(2)
    assert score.nats_per_char == pytest.approx(4 * math.log(2))


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda tokenizer: tokenizer.kind)
@given(text=st.text(st.characters(exclude_categories=["Cs"])), nats=st.floats(0, 1e6))
def test_a_text_has_its_own_length_whatever_the_tokenizer(tokenizer, text, nats):
    tokens = tokenizer.encode(text)
    score = score_tokens(nats, tokens, tokenizer)
    assert score == Score(nats, len(tokens), len(text), len(text.encode()))


@given(text=st.text("가나뷁善 a"), cut=st.integers(0, 200))
def test_parts_add_up_to_the_whole_wherever_it_is_cut(text, cut):
    for tokenizer in TOKENIZERS:
        tokens = tokenizer.encode(text)
        parts = [score_tokens(1.5, part, tokenizer) for part in (tokens[:cut], tokens[cut:])]
        assert parts[0] + parts[1] == score_tokens(3.0, tokens, tokenizer)
        assert sum(parts, Score()) == parts[0] + parts[1]


@given(first=SCORES, second=SCORES)
def test_adding_is_adding_each(first, second):
    both = first + second
    assert both.nats == first.nats + second.nats
    assert both.tokens == first.tokens + second.tokens
    assert both.characters == first.characters + second.characters
    assert both.bytes == first.bytes + second.bytes
    assert first + Score() == first


def test_a_boundary_is_paid_for_but_is_no_character():
    tokenizer = ByteTokenizer()
    score = score_tokens(2.0, np.array([tokenizer.boundary, 98]), tokenizer)
    assert score == Score(2.0, tokens=2, characters=1, bytes=1)


def test_tokens_may_have_any_shape():
    tokens = np.array([[98, 99], [0, 100]])
    assert score_tokens(1.0, tokens, ByteTokenizer()) == Score(1.0, 4, 3, 3)


def test_a_rate_over_nothing_is_not_a_number():
    empty = Score()
    for rate in (empty.loss, empty.nats_per_char, empty.bits_per_char, empty.bits_per_byte):
        assert math.isnan(rate)
    assert math.isnan(empty.perplexity)


def test_numbers_that_explode_stay_numbers():
    assert Score(nats=1e6, tokens=1, characters=1, bytes=1).perplexity == math.inf
    assert Score(nats=math.inf, tokens=1, characters=1, bytes=1).perplexity == math.inf
    assert math.isnan(Score(nats=math.nan, tokens=1, characters=1, bytes=1).bits_per_char)
