"""What holds for every tokenizer and every text."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.corpus.tokenizers import TOKENIZERS, train_tokenizer
from charnn.errors import TextError


def check(tokenizer, text):
    tokens = tokenizer.encode(text)
    assert tokens.dtype == tokenizer.dtype
    assert tokens.ndim == 1
    assert tokenizer.decode(tokens) == text
    assert tokenizer.token_characters[tokens].sum() == len(text)
    assert tokenizer.token_bytes[tokens].sum() == len(text.encode())
    assert tokenizer.boundary not in tokens


def streamed(tokenizer, tokens):
    decoder = tokenizer.decoder()
    return "".join([*map(decoder.push, tokens.tolist()), decoder.finish()])


@settings(max_examples=150)
@given(data=st.data())
def test_every_text_comes_back(tokenizer, texts, data):
    text = data.draw(texts)
    check(tokenizer, text)
    assert streamed(tokenizer, tokenizer.encode(text)) == text


def test_nasty_text_comes_back(tokenizer, nasty):
    check(tokenizer, nasty)
    check(tokenizer, f"형식은{nasty}은 형식")
    assert streamed(tokenizer, tokenizer.encode(nasty)) == nasty


def test_every_character_comes_back(tokenizer):
    code_points = (*range(0xD800), *range(0xE000, sys.maxunicode + 1))
    check(tokenizer, "".join(map(chr, code_points)))


@pytest.mark.texts
@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize(
    "name", ["mujeong", "tinyshakespeare", "bible_mixed_script", "honggildong_1860"]
)
def test_real_texts_come_back(texts_dir, kind, name):
    text = (texts_dir / f"{name}.txt").read_text("utf-8")
    check(train_tokenizer(kind, lambda: [text[: len(text) // 10]]), text)


@settings(max_examples=50)
@given(data=st.data())
def test_pieces_give_the_tokens_of_the_whole(tokenizer, story, texts, data):
    text = story[:200] + data.draw(texts) + story[-200:]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[i:j] for i, j in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    together = np.concatenate([*tokenizer.encode_pieces(iter(pieces))])
    assert np.array_equal(together, tokenizer.encode(text))


@pytest.mark.parametrize("unit", ["가나다 ", "가나다\n", "가善", "a", " ", "▁x "])
def test_pieces_give_the_tokens_of_the_whole_across_blocks(tokenizer, unit):
    text = unit * (200_000 // len(unit))
    pieces = [text[start : start + 65_537] for start in range(0, len(text), 65_537)]
    parts = list(tokenizer.encode_pieces(pieces))
    assert np.array_equal(np.concatenate(parts), tokenizer.encode(text))
    assert len(parts) > 2
    assert tokenizer.decode(np.concatenate(parts)) == text


def test_memory_is_bounded_by_a_block_however_long_the_text(tokenizer):
    def endless():
        for _ in range(30):
            yield "가나다라마 뷁a" * 10_000

    assert max(len(tokens) for tokens in tokenizer.encode_pieces(endless())) < 2**19


@settings(max_examples=100)
@given(data=st.data())
def test_encoding_what_was_decoded_gives_the_same_tokens(tokenizer, texts, data):
    tokens = tokenizer.encode(data.draw(texts))
    assert np.array_equal(tokenizer.encode(tokenizer.decode(tokens)), tokens)


@settings(max_examples=100)
@given(data=st.data())
def test_masks_allow_what_encoding_writes(tokenizer, texts, data):
    text = data.draw(texts)
    decoder = tokenizer.decoder()
    assert decoder.state == tokenizer.initial_state
    for token in tokenizer.encode(text).tolist():
        assert tokenizer.allowed(decoder.state)[token]
        decoder.push(token)
    assert tokenizer.allowed(decoder.state)[tokenizer.boundary]


@settings(max_examples=30)
@given(data=st.data())
def test_a_boundary_stands_between_documents_and_shows_nowhere(tokenizer, texts, data):
    documents = data.draw(st.lists(texts, max_size=4))
    boundary = np.array([tokenizer.boundary], dtype=tokenizer.dtype)
    parts = [part for text in documents for part in (tokenizer.encode(text), boundary)]
    tokens = np.concatenate([boundary, *parts])
    assert tokenizer.decode(tokens) == streamed(tokenizer, tokens) == "".join(documents)


@pytest.mark.parametrize("text", ["ab\ud800", "가\udfff나", "\ud83d\ude00"])
def test_surrogates_are_refused(tokenizer, text):
    at = next(i for i, character in enumerate(text) if "\ud800" <= character <= "\udfff")
    with pytest.raises(TextError) as caught:
        tokenizer.encode(text)
    assert str(caught.value) == (
        f"the text holds the surrogate U+{ord(text[at]):04X} at character {at}, which is half of "
        "a UTF-16 pair and no character: read the file with its true encoding"
    )


def test_surrogates_far_into_a_text_are_told_by_their_place(tokenizer):
    with pytest.raises(TextError, match=r"U\+DC80 at character 300001,"):
        list(tokenizer.encode_pieces(["가나 " * 100_000, "a\udc80"]))
