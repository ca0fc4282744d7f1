"""A text as a code by what an expert predicts, and back."""

import numpy as np
import pytest

from charnn.corpus.arithmetic import Encoder
from charnn.corpus.tokenizers import train_tokenizer
from charnn.errors import StreamError
from charnn.generation.coding import ExpertPredictor, decode_tokens, encode_on, encode_tokens

TEXT = "형식은 아모 말도 업시 先生을 보았다. “그래?” 龜 a b c 1 2 3\n가나다라 마바사\n" * 8


@pytest.mark.parametrize("kind", ["char", "jamo", "byte", "subword"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_text_comes_back_at_the_bits_it_is_scored_with(experts, kind, dtype) -> None:
    tokenizer = train_tokenizer(kind, lambda: [TEXT])
    expert = experts.network(tokenizer.vocab_size, spread=0.7, dtype=dtype)
    tokens = tokenizer.encode(TEXT)
    code = encode_tokens(expert, tokens)
    assert tokenizer.decode(decode_tokens(expert, code, len(tokens))) == TEXT
    scored = encode_on(Encoder(), ExpertPredictor(expert), tokens).sum()
    assert 8 * len(code) == pytest.approx(scored, rel=1e-3, abs=16)
    assert scored == pytest.approx(plain_bits(expert, tokens.tolist()), rel=1e-5)


def plain_bits(expert, tokens: list[int]) -> float:
    """The slow twin: log-probabilities added up from a boundary on."""
    state, before, nats = expert.initial_state(1), 0, 0.0
    for token in tokens:
        log_probs, state = expert.step(np.array([before]), state)
        nats -= float(log_probs[0, token])
        before = token
    return nats / np.log(2)


def test_what_an_expert_holds_for_impossible_can_be_coded(experts) -> None:
    expert = experts.fixed([0.0, -np.inf, -2000.0])
    code = encode_tokens(expert, [0, 1, 2, 0])
    assert decode_tokens(expert, code, 4).tolist() == [0, 1, 2, 0]
    assert 8 * len(code) == pytest.approx(2 * 996.58, abs=16)


def test_an_empty_text_is_an_empty_code(experts) -> None:
    expert = experts.fixed([-1.0, -1.0])
    assert encode_tokens(expert, []) == b""
    assert decode_tokens(expert, b"", 0).tolist() == []
    assert encode_on(Encoder(), ExpertPredictor(expert), []).tolist() == []


def test_another_expert_reads_something_else_or_refuses(experts) -> None:
    tokens = np.random.default_rng(0).integers(0, 30, 50)
    code = encode_tokens(experts.network(30, seed=1), tokens)
    try:
        assert decode_tokens(experts.network(30, seed=2), code, 50).tolist() != tokens.tolist()
    except StreamError as error:
        assert "decode with the model that wrote it" in str(error)
