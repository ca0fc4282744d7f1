"""Tokens back to characters, chunk by chunk: what decoding says, with documents apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.corpus.tokenizers import train_tokenizer
from charnn.generation.characters import BETWEEN, code_points_of

KNOWN = "가나다 라마바사. 뷁 the 𠀀é\n" * 3
TEXT = st.text(st.sampled_from("가각힣나ㄱ\u1100\u1161\u11a8 \n善\U00020000abé"), max_size=30)
TOKENIZERS = {
    kind: train_tokenizer(kind, lambda: [KNOWN], vocab_size=300 if kind == "subword" else None)
    for kind in ("char", "jamo", "byte", "subword")
}


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(documents=st.lists(TEXT, min_size=1, max_size=4), chunk=st.integers(1, 40))
def test_they_are_those_of_the_text(kind, documents, chunk):
    tokenizer = TOKENIZERS[kind]
    rows = [np.array([tokenizer.boundary], dtype=tokenizer.dtype)] * (2 * len(documents) - 1)
    rows[::2] = [tokenizer.encode(document) for document in documents]
    tokens = np.concatenate(rows)
    found, ends = [], []
    for points, end in code_points_of(tokens, tokenizer, chunk):
        found += points.tolist()
        ends.append(end)
    expected = [point for document in documents for point in (*map(ord, document), BETWEEN)][:-1]
    assert found == expected
    assert ends == sorted(set(ends))
    assert ends[-1:] == ([len(tokens)] if len(tokens) else [])
