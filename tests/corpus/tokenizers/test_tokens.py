import subprocess
import sys

import pytest

from charnn.corpus.tokenizers import ByteTokenizer, CharTokenizer, SubwordTokenizer


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a", ["a"]),
        (" \n\t", ["␣", "⏎", "⇥"]),
        ("\0\x1b\x7f", ["<U+0000>", "<U+001B>", "<U+007F>"]),
        ("가\u200b\u3000", ["가", "<U+200B>", "<U+3000>"]),
        ("善", ["<E5>", "<96>", "<84>"]),
        ("닭", ["ㄷ-", "-ㅏ", "-ㄺ"]),
        ("\U00020000", ["<F0>", "<A0>", "<80>", "<80>"]),
    ],
)
def test_names_of_tokens(text, names):
    tokenizer = CharTokenizer("\u200b\u3000가")
    assert [tokenizer.token_text(token) for token in tokenizer.encode(text).tolist()] == names


def test_names_of_pieces():
    tokenizer = SubwordTokenizer([" 는", "▁"])
    assert [tokenizer.token_text(token) for token in (0, 66, 0xE4, 257, 258)] == [
        "<boundary>",
        "A",
        "<E3>",
        "␣는",
        "▁",
    ]


def test_what_a_token_stands_for_by_itself(tokenizer):
    assert tokenizer.token_string(tokenizer.boundary) == ""
    for token in range(tokenizer.vocab_size):
        text = tokenizer.token_string(token)
        assert tokenizer.token_text(token)
        if text is not None:
            assert tokenizer.decode([token]) == text
            assert tokenizer.token_characters[token] == len(text)
            assert tokenizer.token_bytes[token] == len(text.encode())
        else:
            assert tokenizer.decode([token]) == "\ufffd"


def test_counts_cannot_be_changed(tokenizer):
    for counts in (tokenizer.token_characters, tokenizer.token_bytes):
        assert counts.shape == (tokenizer.vocab_size,)
        with pytest.raises(ValueError, match="read-only"):
            counts[0] = 1


def test_a_tokenizer_says_what_it_is():
    assert repr(ByteTokenizer()) == "<byte tokenizer, 257 tokens>"


def test_neither_torch_nor_sentencepiece_is_imported_before_it_is_needed():
    code = (
        "import sys; from charnn.corpus.tokenizers import CharTokenizer, SubwordTokenizer;"
        "CharTokenizer('가').encode('가나'); SubwordTokenizer(['가']).decode([257]);"
        "assert not {'torch', 'sentencepiece'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
