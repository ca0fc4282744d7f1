"""The arithmetic coder: every text comes back, and its code is as long as the probabilities say."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.corpus.arithmetic import Decoder, Encoder
from charnn.errors import OptionError, StreamError


def encode(distributions, tokens) -> bytes:
    encoder = Encoder()
    for probabilities, token in zip(distributions, tokens, strict=True):
        encoder.encode(probabilities, token)
    return encoder.finish()


def decode(distributions, code: bytes) -> list[int]:
    decoder = Decoder(code)
    return [decoder.decode(probabilities) for probabilities in distributions]


def bits(distributions, tokens) -> float:
    return sum(
        -float(np.log2(p[token] / p.sum())) for p, token in zip(distributions, tokens, strict=True)
    )


def check(distributions, tokens) -> None:
    code = encode(distributions, tokens)
    assert decode(distributions, code) == list(tokens)
    ideal = bits(distributions, tokens)
    assert abs(8 * len(code) - ideal) <= ideal / 1000 + 64


probabilities = st.floats(1e-300, 1) | st.floats(-300, 0).map(lambda power: 10.0**power)


@st.composite
def texts(draw):
    """A few distributions over 1 to 20 tokens, extreme ones among them, and a token of each."""
    sizes = draw(st.lists(st.integers(1, 20), max_size=12))
    distributions = [
        np.array(draw(st.lists(probabilities, min_size=size, max_size=size))) for size in sizes
    ]
    return distributions, [draw(st.integers(0, size - 1)) for size in sizes]


@settings(max_examples=300)
@given(texts())
def test_any_text_comes_back_at_its_cost(text) -> None:
    check(*text)


@settings(max_examples=40)
@given(st.integers(2, 70_000), st.integers(0, 2**32), st.floats(0, 60))
def test_any_vocabulary(vocab_size: int, seed: int, spread: float) -> None:
    """Tokens are drawn from all alike, so that most of them are very improbable."""
    rng = np.random.default_rng(seed)
    distributions = [np.exp(rng.normal(0, spread, vocab_size).clip(-600, 0)) for _ in range(4)]
    check(distributions, rng.integers(0, vocab_size, 4).tolist())


def test_long_texts_at_their_true_frequencies() -> None:
    rng = np.random.default_rng(0)
    distributions = rng.dirichlet(np.full(50, 0.05), 5000) + 1e-12
    tokens = [int(rng.choice(50, p=p / p.sum())) for p in distributions]
    ideal = bits(distributions, tokens)
    code = encode(distributions, tokens)
    assert decode(distributions, code) == tokens
    assert ideal <= 8 * len(code) <= ideal + 16


def test_what_is_all_but_certain_costs_next_to_nothing() -> None:
    certain = np.array([1 - 1e-9, 1e-9])
    assert len(encode([certain] * 20_000, [0] * 20_000)) <= 1
    assert decode([certain] * 20_000, encode([certain] * 20_000, [0] * 20_000)) == [0] * 20_000


def test_what_is_all_but_impossible_costs_what_it_should() -> None:
    impossible = np.array([1.0, 1e-300])
    check([impossible] * 30, [1] * 30)
    assert 8 * len(encode([impossible] * 30, [1] * 30)) == pytest.approx(30 * 996.58, abs=16)


def test_carries_run_through_the_code() -> None:
    """The last of equal shares at every step writes nothing but ones, then one more is added."""
    shares = np.array([1 - 2.0**-40, 2.0**-41, 2.0**-41])
    check([shares] * 40 + [np.ones(2)] * 3, [2] * 40 + [1, 1, 1])
    for last in range(3):
        check([np.ones(3)] * 300, [2] * 299 + [last])


def test_nothing_is_no_bytes() -> None:
    assert Encoder().finish() == b""
    assert decode([], b"") == []


def test_finishing_changes_nothing() -> None:
    encoder, once = Encoder(), Encoder()
    for token in (0, 1, 2):
        encoder.encode(np.array([3.0, 2.0, 1.0]), token)
        once.encode(np.array([3.0, 2.0, 1.0]), token)
        encoder.finish()
    assert encoder.finish() == once.finish()


def test_the_code_is_the_same_everywhere() -> None:
    """A golden code: distributions proportional to 1, 2, ..., 9, tokens 8, 0, 4, 7, 2."""
    distributions = [np.arange(1.0, 10.0)] * 5
    assert encode(distributions, [8, 0, 4, 7, 2]).hex() == "cd220d"


def test_a_code_that_does_not_fit_is_refused() -> None:
    message = "the code does not fit the probabilities: decode with the model that wrote it"
    with pytest.raises(StreamError, match=f"^{re.escape(message)}$"):
        decode([np.ones(3)], b"\xff" * 16)


@settings(max_examples=100)
@given(st.binary(max_size=40), texts())
def test_any_bytes_are_read_or_refused(code: bytes, text) -> None:
    distributions, _ = text
    try:
        tokens = decode(distributions, code)
    except StreamError:
        return
    assert all(0 <= token < len(p) for token, p in zip(tokens, distributions, strict=True))


@pytest.mark.parametrize(
    ("given_probabilities", "message"),
    [
        ([0.5, -0.1], "finite, >= 0 and not all 0, got -0.1 to 0.5"),
        ([0.0, 0.0], "finite, >= 0 and not all 0, got 0.0 to 0.0"),
        ([1.0, float("nan")], "finite, >= 0 and not all 0, got nan to nan"),
        ([1.0, float("inf")], "finite, >= 0 and not all 0, got 1.0 to inf"),
        ([], "a row of 1 to 1048576, got shape (0,)"),
        ([[1.0]], "a row of 1 to 1048576, got shape (1, 1)"),
    ],
)
def test_what_is_no_distribution_is_refused(given_probabilities, message: str) -> None:
    with pytest.raises(OptionError, match=f"^{re.escape('probabilities must be ' + message)}$"):
        Encoder().encode(np.array(given_probabilities), 0)
    with pytest.raises(OptionError, match=f"^{re.escape('probabilities must be ' + message)}$"):
        Decoder(b"").decode(np.array(given_probabilities))


@pytest.mark.parametrize("token", [-1, 1, 3])
def test_a_token_that_cannot_come_is_refused(token: int) -> None:
    message = (
        f"token must be one of 3 with a probability above 0, got {token}: nothing else can be coded"
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        Encoder().encode(np.array([0.5, 0.0, 0.5]), token)
