"""Tokenizers of every kind, trained on a few lines of Korean, and text that is hard to keep."""

import pytest
from hypothesis import strategies as st

from charnn.corpus.tokenizers import CharTokenizer, JamoTokenizer, train_tokenizer

STORY = (
    """달빛이 마당에 가득하였다. 할머니는 마루 끝에 앉아 먼 산을 바라보았다.
“달빛이 참 밝구나.” 하고 할머니가 말하였다. 아이는 할머니의 얼굴을 바라보았다.
마당에는 감나무(柿木)가 있었고, 감나무 아래에는 우물(井)이 있었다.
“우물에 달빛이 가득해요.” 하고 아이가 말하였다. the moon, the well, the tree.
"""
    * 3
)

NASTY = {
    "empty": "",
    "line end": "\n\n",
    "NFD": "\u1112\u1167\u11bc\u1109\u1175\u11a8",
    "syllable and tail": "가\u11a8각\u1161",
    "stray jamo": "\u11a8\u1161\u1100\u1100\u1161\u11a8\u11a8",
    "old jamo": "\u1112\u119e\u11ab\ua97c\ud7cb\u302e\u3164\u115f\u1160",
    "compatibility jamo": "ㅋㅋㅋㅏㅏㄳ",
    "half-width jamo": "\uffa1\uffc2",
    "open syllables": "가나다라 하여야 하느니라",
    "rare syllables": "뷁쀍힣가",
    "Hanja": "善馨 \u34b5\uf900\U00020000\U0002f800\U00030000\U000323af",
    "emoji": "👨\u200d👩\u200d👧 🇰🇷 1️⃣",
    "controls": "\0\x00a\x1b[31m\x7f\x85\x0b\x0c\x1c\u2028\u2029\r\n\t",
    "spaces": "  a  b \u3000\u00a0 ",
    "sentencepiece signs": "▁a▁▁ ▁ ▅\u2585<0x41><s></s><unk> ⁇ ",
    "byte-order mark inside": "a\ufeffb",
    "noncharacters": "\ufffe\uffff\ufdd0\U0010ffff\U0001fffe",
    "replacement character": "\ufffd\ufffda",
    "private use": "\ue000\uf8ff\U000f0000",
    "bidi": "\u202e\u2066abc\u2069",
    "edges of UTF-8": "\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff",
    "long line": "가나 다라마바사 " * 1500,
    "long word": "마바사善" * 2500,
}

_TOKENIZERS = {
    "char": lambda: train_tokenizer("char", lambda: [STORY]),
    "jamo": lambda: train_tokenizer("jamo", lambda: [STORY]),
    "byte": lambda: train_tokenizer("byte", lambda: [STORY]),
    "subword": lambda: train_tokenizer("subword", lambda: [STORY], vocab_size=400),
    "char that knows nothing": lambda: CharTokenizer(""),
    "jamo with old jamo": lambda: JamoTokenizer("\u1100\u1161\u11a8ㄱㅏ"),
    "subword that knows nothing": lambda: train_tokenizer("subword", list),
}


@pytest.fixture(scope="session", params=list(_TOKENIZERS))
def tokenizer(request):
    """A tokenizer of each kind, and some that know next to nothing."""
    return _TOKENIZERS[request.param]()


@pytest.fixture(scope="session", params=list(NASTY))
def nasty(request):
    """Text that something or other has been known to change."""
    return NASTY[request.param]


@pytest.fixture(scope="session")
def story():
    """The text that the tokenizers were trained on."""
    return STORY


@pytest.fixture(scope="session")
def texts():
    """A strategy for texts, of characters from where mistakes would show and from everywhere."""
    anything = st.characters(exclude_categories=["Cs"])
    pitfalls = st.sampled_from("가각나\u1100\u1161\u11a8ㄱㅏ▁ \n善\U00020000<a\0\ufeff뷁한글he")
    return st.text(st.one_of(anything, pitfalls), max_size=60)
