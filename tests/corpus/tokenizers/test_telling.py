"""A tokenizer told in a few bytes, and heard again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.corpus.tokenizers import CharTokenizer, train_tokenizer
from charnn.corpus.tokenizers.telling import hear_tokenizer, tell_tokenizer
from charnn.errors import StreamError

beyond_ascii = st.characters(min_codepoint=0x80, exclude_categories=["Cs"])
syllables = st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)


@settings(max_examples=6)  # each looks at every character there is
@given(st.sets(st.one_of(beyond_ascii, syllables), max_size=40))
def test_what_is_told_is_heard(characters: set[str]) -> None:
    tokenizer = CharTokenizer("".join(sorted(characters)))
    assert hear_tokenizer(tell_tokenizer(tokenizer)).characters == tokenizer.characters


def test_the_largest_vocabulary() -> None:
    every = "".join(map(chr, [*range(0x80, 0xD800), *range(0xE000, 0xE100), 0x10FFFF]))
    assert hear_tokenizer(tell_tokenizer(CharTokenizer(every))).characters == every


def test_a_novel_takes_less_than_half_of_what_xz_takes(novella) -> None:
    import lzma

    tokenizer = train_tokenizer("char", lambda: [novella.read_text("utf-8")])
    assert isinstance(tokenizer, CharTokenizer)
    packed = lzma.compress(tokenizer.characters.encode(), check=lzma.CHECK_NONE)
    assert len(tell_tokenizer(tokenizer)) < 0.5 * len(packed)


def test_what_nobody_told_is_refused() -> None:
    with pytest.raises(StreamError) as error:
        for byte in range(256):
            hear_tokenizer(bytes([byte, 0xFF, 0xEE, byte] * 50))
    assert str(error.value) == (
        "the code holds characters that there are not: it tells no tokenizer"
    )
