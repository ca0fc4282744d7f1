"""Bytes to characters, whatever they are: a byte that cannot be decoded becomes a mark.

A mark is the lone surrogate U+DC00 plus the byte, which no strict decoding makes, so that what was
lost can be counted and told from everything else. Reading a text to train on is left to
reading.py, which is strict.
"""

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

MARKS: Final = 0xDC00
_ANY_MARK: Final = re.compile("[\udc00-\udcff]")
_HANDLER: Final = "charnn-marks"


def marked_text(stream: BinaryIO, encoding: str, block_bytes: int = 1 << 16) -> Iterator[str]:
    """The characters from where a stream stands to its end, marks among them.

    Args:
        stream: bytes.
        encoding: a Python name with its byte order; a byte order mark comes out as U+FEFF.
        block_bytes: how much is read at a time.
    """
    decoder = codecs.getincrementaldecoder(encoding)(_errors(encoding))
    while block := stream.read(block_bytes):
        yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def marked(sample: bytes, encoding: str) -> str:
    r"""The characters of a few bytes, marks among them.

    >>> marked("형식".encode("cp949") + bytes([0xFF]), "cp949")
    '형식\udcff'
    """
    return sample.decode(encoding, _errors(encoding))


def is_mark(code_point: int) -> bool:
    """Whether it stands for a byte that could not be decoded."""
    return MARKS <= code_point <= MARKS + 0xFF


def without_marks(text: str) -> str:
    r"""The text with U+FFFD in the place of each mark.

    >>> without_marks("형\udcff")
    '형�'
    """
    return _ANY_MARK.sub("\N{REPLACEMENT CHARACTER}", text)


def first_undecodable(stream: BinaryIO, encoding: str, block_bytes: int = 1 << 20) -> int | None:
    """The offset of the first byte that is not valid in an encoding; None if all are.

    Args:
        stream: read from its beginning.
        encoding: a Python name with its byte order.
        block_bytes: how much is read at a time.
    """
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    position = 0  # of the first byte the decoder holds
    while True:
        block = stream.read(block_bytes)
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            return position + error.start
        if not block:
            return None
        position = stream.tell() - len(decoder.getstate()[0])


def _errors(encoding: str) -> str:
    """The name of an error handler that makes marks."""
    if encoding == "utf-8":
        return "surrogateescape"  # the same marks, without a call of Python for each
    codecs.register_error(_HANDLER, _mark)
    return _HANDLER


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(chr(MARKS + byte) for byte in lost), error.end
