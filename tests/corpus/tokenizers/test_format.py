"""A reader written from docs/formats-tokenizer.md alone, held against charnn's own."""

import hashlib
import json
import re
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.corpus.tokenizers import save_tokenizer

TEXT, BYTE, LEAD, VOWEL, TAIL, BOUNDARY = "text", "byte", "lead", "vowel", "tail", "boundary"
MORE = [*range(0x80, 0xC0)]
STATES = {
    1: dict.fromkeys(MORE, 0),
    2: dict.fromkeys(MORE, 1),
    3: dict.fromkeys(MORE, 2),
    4: dict.fromkeys(range(0xA0, 0xC0), 1),
    5: dict.fromkeys(range(0x80, 0xA0), 1),
    6: dict.fromkeys(range(0x90, 0xC0), 2),
    7: dict.fromkeys(range(0x80, 0x90), 2),
    8: {VOWEL: 9},
}
STATES[0] = {BOUNDARY: 0, TEXT: 0, LEAD: 8, 0xE0: 4, 0xED: 5, 0xF0: 6, 0xF4: 7}
STATES[0] |= dict.fromkeys(range(0xC2, 0xE0), 1)
STATES[0] |= dict.fromkeys((*range(0xE1, 0xED), 0xEE, 0xEF), 2)
STATES[0] |= dict.fromkeys(range(0xF1, 0xF4), 3)
STATES[9] = {**STATES[0], TAIL: 0}


class Reader:
    """Tokens as (sort, what): text, byte, position of a lead, vowel or tail, or the boundary."""

    def __init__(self, folder):
        data = json.loads((folder / "tokenizer.json").read_text("utf-8"))
        assert (data["format"], data["version"]) == ("charnn tokenizer", 1)
        listed = ("format", "version", "kind", "vocab_size", "characters", "model")
        canonical = json.dumps(
            {key: data[key] for key in listed if key in data}, sort_keys=True, separators=(",", ":")
        )
        self.fingerprint = hashlib.sha256(canonical.encode()).hexdigest()
        self.kind = data["kind"]
        self.tokens = [(BOUNDARY, 0)]
        if self.kind in ("char", "jamo"):
            self.tokens += [(TEXT, chr(code)) for code in range(128)]
            self.tokens += [(TEXT, character) for character in data["characters"]]
            self.tokens += [(LEAD, i) for i in range(19)]
            self.tokens += [(VOWEL, i) for i in range(21)]
            self.tokens += [(TAIL, i) for i in range(1, 28)]
            bytes_ = (*MORE, *range(0xC2, 0xEB), *range(0xED, 0xF5))
            self.tokens += [(BYTE, byte) for byte in bytes_]
        else:
            self.tokens += [(TEXT, chr(b)) if b < 0x80 else (BYTE, b) for b in range(256)]
        if self.kind == "subword":
            model = (folder / data["model"]["file"]).read_bytes()
            assert len(model) == data["model"]["bytes"]
            assert hashlib.sha256(model).hexdigest() == data["model"]["sha256"]
            self.tokens += [(TEXT, piece) for piece in read_pieces(model)]
        assert len(self.tokens) == data["vocab_size"]
        self.number = {what: token for token, what in enumerate(self.tokens)}

    def encode(self, text):
        if self.kind == "subword":
            words = re.findall(" ?[^ \n]+|[ \n]", text)
            return [token for word in words for token in self.split(word)]
        return [token for character in text for token in self.spell(character)]

    def split(self, word):
        first = {self.tokens[token][1]: token for token in range(257, len(self.tokens))}
        parts = list(word)
        while pairs := [
            (first[parts[i] + parts[i + 1]], i)
            for i in range(len(parts) - 1)
            if parts[i] + parts[i + 1] in first
        ]:
            _, i = min(pairs)
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        tokens = []
        for part in parts:
            tokens += [first[part]] if part in first else [1 + byte for byte in part.encode()]
        return tokens

    def spell(self, character):
        if (TEXT, character) in self.number:
            return [self.number[TEXT, character]]
        s = ord(character) - 0xAC00
        if 0 <= s < 11172 and self.kind != "byte":
            parts = [(LEAD, s // 588), (VOWEL, s % 588 // 28), (TAIL, s % 28)]
            return [self.number[part] for part in parts if part != (TAIL, 0)]
        return [self.number[BYTE, byte] for byte in character.encode()]

    def decode(self, tokens):
        text, state, held = "", 0, []

        def end():
            if state == 9:
                return chr(0xAC00 + (held[0] * 21 + held[1]) * 28)
            return "\ufffd" if state else ""

        for token in tokens:
            sort, what = self.tokens[token]
            key = what if sort == BYTE else sort
            if (key not in STATES[state]) or (state == 9 and sort != TAIL):
                text, state, held = text + end(), 0, []
            if key not in STATES[state]:
                text += "\ufffd"
                continue
            state = STATES[state][key]
            held.append(what)
            if state == 0:
                if sort == TEXT:
                    text += what
                elif sort == TAIL:
                    text += chr(0xAC00 + (held[0] * 21 + held[1]) * 28 + held[2])
                elif sort == BYTE:
                    text += bytes(held).decode()
                held = []
        return text + end()


def read_pieces(model):
    """The pieces; the model that the page describes for them is this one."""
    pieces, place = [], 0
    while model[place] == 0x0A:
        length, entry = model[place + 1], place + 2
        pieces.append(model[entry + 2 : entry + 2 + model[entry + 1]].decode())
        place = entry + length
    pieces = pieces[257:]

    def entry(name, score, kind):
        body = b"\x0a" + bytes([len(name.encode())]) + name.encode() + b"\x15"
        body += struct.pack("<f", score) + (b"" if kind == 1 else bytes([0x18, kind]))
        return b"\x0a" + bytes([len(body)]) + body

    size = 257 + len(pieces)
    minus_one = b"\xff" * 9 + b"\x01"
    trainer = b"\x18\x02\x20" + bytes([size & 127 | 128, size >> 7]) + b"\x98\x02\x01\xc0\x02\x00"
    trainer += b"".join(key + minus_one for key in (b"\xc8\x02", b"\xd0\x02", b"\xd8\x02"))
    normaliser = b"\x0a\x08identity\x18\x00\x20\x00\x28\x00"
    expected = entry("<unk>", 0, 2)
    expected += b"".join(entry(f"<0x{byte:02X}>", 0, 6) for byte in range(256))
    expected += b"".join(entry(piece, 0.0 - i, 1) for i, piece in enumerate(pieces))
    expected += b"\x12" + bytes([len(trainer)]) + trainer
    expected += b"\x1a" + bytes([len(normaliser)]) + normaliser
    assert model == expected
    return pieces


@pytest.fixture(scope="module")
def reader(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(tokenizer, folder)
    return Reader(folder)


def test_the_page_tells_the_fingerprint(reader, tokenizer):
    assert reader.fingerprint == tokenizer.fingerprint


@settings(max_examples=100)
@given(data=st.data())
def test_the_page_tells_how_to_encode(reader, tokenizer, texts, story, data):
    text = data.draw(texts)
    for whole in (text, story[:50] + text + story[60:90]):
        assert reader.encode(whole) == tokenizer.encode(whole).tolist()


@settings(max_examples=150)
@given(numbers=st.lists(st.integers(0, 2**20), max_size=40), data=st.data())
def test_the_page_tells_how_to_decode(reader, tokenizer, texts, numbers, data):
    text = data.draw(texts)
    tokens = [number % len(reader.tokens) for number in numbers]
    for mixed in (tokens, reader.encode(text), tokens[:3] + reader.encode(text) + tokens[3:]):
        assert reader.decode(mixed) == tokenizer.decode(mixed)


def test_the_page_tells_what_may_follow(reader, tokenizer):
    for state, following in STATES.items():
        keys = [what if sort == BYTE else sort for sort, what in reader.tokens]
        allowed = [key in following for key in keys]
        assert np.array_equal(tokenizer.allowed(state), allowed)


def test_the_page_tells_the_sizes(reader, tokenizer):
    for token, (sort, what) in enumerate(reader.tokens):
        sizes = {
            TEXT: lambda what: (len(what), len(what.encode())),
            BYTE: lambda what: (int(0xC2 <= what <= 0xF4), 1),
            LEAD: lambda _: (1, 3),
        }.get(sort, lambda _: (0, 0))(what)
        if (sort, what) not in [(BYTE, byte) for byte in (0xC0, 0xC1, *range(0xF5, 0x100))]:
            assert (tokenizer.token_characters[token], tokenizer.token_bytes[token]) == sizes
