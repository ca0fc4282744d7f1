import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.corpus.tokenizers import CharTokenizer, JamoTokenizer, train_tokenizer
from charnn.corpus.tokenizers.blocks import MIN_COUNT
from charnn.errors import OptionError, TextError, TokenizerError
from charnn.text.hangul import decompose

ALWAYS = 1 + 128 + 19 + 21 + 27 + 113


def spelled_slowly(text, kept):
    """What `token_text` says of the tokens of a text, one character after the other."""
    leads = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
    vowels = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
    tails = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
    names = []
    for character in text:
        if character in kept or character < "\x80":
            names.append(character)
        elif "가" <= character <= "힣":
            lead, vowel, tail = decompose(ord(character))
            names += [f"{leads[lead]}-", f"-{vowels[vowel]}"]
            names += [f"-{tails[tail - 1]}"] if tail else []
        else:
            names += [f"<{byte:02X}>" for byte in character.encode()]
    return names


@given(data=st.data())
@pytest.mark.parametrize("kind", [CharTokenizer, JamoTokenizer])
def test_encoding_is_what_the_slow_twin_spells(kind, texts, data):
    text = data.draw(texts)
    kept = "\u1100\u1161\u11a8ㄱㅏ善" + "가각글" * kind.keeps_syllables
    tokenizer = kind("".join(sorted(kept)))
    names = [
        tokenizer.token_string(token) or tokenizer.token_text(token)
        for token in tokenizer.encode(text).tolist()
    ]
    assert names == spelled_slowly(text, kept)


def test_the_order_of_the_tokens():
    tokenizer = CharTokenizer("é가")
    names = [tokenizer.token_text(token) for token in range(tokenizer.vocab_size)]
    assert tokenizer.vocab_size == len(names) == ALWAYS + 2
    assert names[0] == "<boundary>"
    assert tokenizer.encode("\0a\x7fé가").tolist() == [1, 98, 128, 129, 130]
    assert names[131:133] == ["ㄱ-", "ㄲ-"]
    assert names[149:152] == ["ㅎ-", "-ㅏ", "-ㅐ"]
    assert names[170:173] == ["-ㅣ", "-ㄱ", "-ㄲ"]
    assert names[197:200] == ["-ㅎ", "<80>", "<81>"]
    bytes_ = [f"<{byte:02X}>" for byte in range(0x80, 0xF5)]
    assert names[198:] == [name for name in bytes_ if name not in ("<C0>", "<C1>", "<EB>", "<EC>")]


def test_characters_seen_often_enough_have_tokens():
    text = (
        "가" * MIN_COUNT + "나" * (MIN_COUNT - 1) + "ㄱ" * MIN_COUNT + "\u1100" * MIN_COUNT + "aé"
    )
    assert train_tokenizer("char", lambda: [text]).characters == "\u1100ㄱ가"
    assert train_tokenizer("jamo", lambda: [text]).characters == "\u1100ㄱ"
    assert CharTokenizer.train(lambda: [text], min_count=1).characters == "é\u1100ㄱ가나"


def test_the_most_frequent_characters_stay_when_there_is_no_room_for_all():
    text = "가" * 30 + "나" * 20 + "다" * 20 + "라" * 40
    for room, kept in enumerate(["", "라", "가라", "가나라", "가나다라", "가나다라"]):
        tokenizer = train_tokenizer("char", lambda: [text], vocab_size=ALWAYS + room)
        assert tokenizer.characters == kept
        assert tokenizer.vocab_size == ALWAYS + len(kept)


@given(data=st.data())
def test_the_vocabulary_depends_on_the_text_alone(texts, data):
    pieces = data.draw(st.lists(texts, max_size=4))
    whole = train_tokenizer("char", lambda: ["".join(pieces)])
    assert train_tokenizer("char", lambda: pieces).fingerprint == whole.fingerprint


@pytest.mark.parametrize("kind", ["char", "jamo"])
@pytest.mark.parametrize("vocab_size", [-1, 0, ALWAYS - 1, 0x110001])
def test_a_vocabulary_that_cannot_be_is_refused(kind, vocab_size):
    with pytest.raises(OptionError) as caught:
        train_tokenizer(kind, lambda: ["가"], vocab_size=vocab_size)
    assert str(caught.value) == (
        f"vocab-size must be in [309, 1114112] for the {kind} tokenizer (ASCII, parts of "
        f"syllables, bytes and the boundary are always there), got {vocab_size}"
    )


def test_training_on_surrogates_is_refused():
    with pytest.raises(TextError, match=r"^the text holds the surrogate U\+D800 at character 1,"):
        train_tokenizer("char", lambda: ["가\ud800"])


@pytest.mark.parametrize(
    ("kind", "characters", "message"),
    [
        (
            CharTokenizer,
            "나가",
            "characters must be in ascending order, each of them once, got U+AC00 behind U+B098 "
            "at 1",
        ),
        (
            CharTokenizer,
            "가나나",
            "characters must be in ascending order, each of them once, got U+B098 behind U+B098 "
            "at 2",
        ),
        (CharTokenizer, "a가", "characters of a char tokenizer cannot hold U+0061, which is at 0"),
        (
            CharTokenizer,
            "가\ud800",
            "characters of a char tokenizer cannot hold U+D800, which is at 1",
        ),
        (JamoTokenizer, "ㄱ가", "characters of a jamo tokenizer cannot hold U+AC00, which is at 1"),
    ],
)
def test_characters_that_cannot_be_are_refused(kind, characters, message):
    with pytest.raises(TokenizerError) as caught:
        kind(characters)
    assert str(caught.value) == message


def test_more_than_65536_tokens_are_32_bits_wide():
    characters = "".join(map(chr, range(0x20000, 0x30000)))
    tokenizer = CharTokenizer(characters)
    assert tokenizer.vocab_size == ALWAYS + 65536
    text = "가\U0002ffff善\U00030000"
    tokens = tokenizer.encode(text)
    assert tokens.dtype == tokenizer.dtype == np.uint32
    assert tokenizer.decode(tokens) == text
    assert CharTokenizer(characters[: 65536 - ALWAYS]).dtype == np.uint16
