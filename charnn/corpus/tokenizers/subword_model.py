"""The file subword.model: subword pieces as a sentencepiece BPE model, written and read strictly.

The file is a protocol buffer that any sentencepiece can open. It is written here, in exactly one
form for a list of pieces, and read by taking the pieces out and comparing what would be written
for them with the file, byte by byte. So no file reaches sentencepiece's own parser but one that
could have been written here; and the parser sees no normalisation table and no other option.

Source: sentencepiece_model.proto of sentencepiece 0.2.
"""

import struct
from collections.abc import Sequence
from typing import Final

from charnn.corpus.varint import to_varint
from charnn.errors import TokenizerError

FIRST_PIECE: Final = 257  # what comes before: token 0, the boundary, and 256 bytes
MOST_PIECES: Final = (1 << 16) - FIRST_PIECE
LONGEST_PIECE: Final = 16  # characters
MOST_BYTES: Final = 1 << 23

_UNKNOWN, _NORMAL, _BYTE = 2, 1, 6  # types of pieces
_VARINT, _TEXT, _FLOAT = 0, 2, 5  # types of fields
_RESERVED: Final = ("<unk>", *(f"<0x{byte:02X}>" for byte in range(256)))


def write_model(pieces: Sequence[str]) -> bytes:
    """The model whose tokens are the boundary, 256 bytes and these pieces, the first merged first.

    Raises:
        TokenizerError: the pieces cannot be a vocabulary.
    """
    _check(pieces)
    entries = [_piece(_RESERVED[0], 0.0, _UNKNOWN)]
    entries += [_piece(name, 0.0, _BYTE) for name in _RESERVED[1:]]
    entries += [_piece(piece, float(-rank), _NORMAL) for rank, piece in enumerate(pieces)]
    trainer = (
        _number(3, 2)  # model_type: BPE
        + _number(4, FIRST_PIECE + len(pieces))  # vocab_size
        + _number(35, 1)  # byte_fallback
        + _number(40, 0)  # unk_id; there are no bos, eos and pad:
        + b"".join(_number(field, -1) for field in (41, 42, 43))
    )
    # Add no space in front, keep every space, write a space as it is and not as "▁".
    normalizer = _bytes(1, b"identity") + b"".join(_number(field, 0) for field in (3, 4, 5))
    return b"".join(entries) + _bytes(2, trainer) + _bytes(3, normalizer)


def read_model(data: bytes) -> tuple[str, ...]:
    """The pieces of a model that `write_model` wrote.

    Raises:
        TokenizerError: it was not written so, or has been altered.
    """
    if len(data) > MOST_BYTES:
        raise TokenizerError(f"the model must have at most {MOST_BYTES} bytes, got {len(data)}")
    try:
        pieces = _pieces(data)[FIRST_PIECE:]
        if write_model(pieces) == data:
            return pieces
    except (IndexError, UnicodeDecodeError, TokenizerError):
        pass
    raise TokenizerError("the model is damaged, or was written by another program")


def _check(pieces: Sequence[str]) -> None:
    if len(pieces) > MOST_PIECES:
        raise TokenizerError(f"there must be at most {MOST_PIECES} pieces, got {len(pieces)}")
    seen = set(_RESERVED)
    for piece in pieces:
        if not 0 < len(piece) <= LONGEST_PIECE:
            raise TokenizerError(
                f"a piece must have 1 to {LONGEST_PIECE} characters, got {piece[:20]!r}"
            )
        if piece in seen or " " in piece[1:] or "\n" in piece or "\0" in piece:
            raise TokenizerError(
                "pieces must differ, have a space at most in front and no line end or NUL, "
                f"got {piece!r}"
            )
        seen.add(piece)


def _pieces(data: bytes) -> tuple[str, ...]:
    """The texts of the pieces, as far as they can be made out; nothing else is looked at.

    Raises:
        IndexError: the file ends in the middle of a number.
        UnicodeDecodeError: a piece is not UTF-8.
    """
    found = []
    position = 0
    while data[position : position + 1] == b"\x0a":
        length, inside = _varint(data, position + 1)
        position = inside + length
        text_length, start = _varint(data, inside + 1)
        found.append(data[start : min(start + text_length, position)].decode())
    return tuple(found)


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A number of at most four bytes and the position behind it."""
    number = 0
    for shift in (0, 7, 14, 21):
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    return number, position


def _piece(text: str, score: float, kind: int) -> bytes:
    entry = _bytes(1, text.encode()) + bytes((2 << 3 | _FLOAT,)) + struct.pack("<f", score)
    if kind != _NORMAL:
        entry += _number(3, kind)
    return _bytes(1, entry)


def _number(field: int, value: int) -> bytes:
    return to_varint(field << 3 | _VARINT) + to_varint(value % (1 << 64))


def _bytes(field: int, value: bytes) -> bytes:
    return to_varint(field << 3 | _TEXT) + to_varint(len(value)) + value
