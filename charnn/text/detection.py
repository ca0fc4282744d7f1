"""Which encoding a file is in, and how sure that is. Nothing is refused here but what is no text.

How the characters are then read is left to lenient.py; what to say to somebody who wants to train
on it, to encodings.py.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Final

from charnn.errors import EncodingError, TextError
from charnn.text.encodings import HEAD_BYTES, NULS_MENDED, likely_encoding, refuse_binary
from charnn.text.lenient import first_undecodable, is_mark, marked

_BYTE_ORDER_MARKS: Final = (  # UTF-32 first: its mark begins with that of UTF-16
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_KOREAN: Final = ("cp949", "johab")
_PLACES: Final = 6
_SAMPLE_BYTES: Final = 1 << 14
_SAMPLE_BEFORE: Final = 1 << 11
_FREQUENT: Final = frozenset("이다는에을의가하고를은도지로한사나그기시어자아리서인")
_FREQUENT_SHARE: Final = 0.2  # in four Korean texts of 1860 to 2026 at least 0.32
_LEAST_HANGUL: Final = 0.3
_DAMAGED_SHARE: Final = 0.05
_FEW: Final = 8


class Certainty(StrEnum):
    """How sure an encoding is, the surest first."""

    GIVEN = "given"
    CERTAIN = "certain"
    VERY_LIKELY = "very likely"
    LIKELY = "likely"
    GUESS = "a guess"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Detected:
    """An encoding and the grounds for it.

    Attributes:
        encoding: its Python name, with the byte order where it has one.
        certainty: how sure it is.
        why: in a few words.
        first_bad: offset of the first byte that is not valid in it; None if all are.
    """

    encoding: str
    certainty: Certainty
    why: str
    first_bad: int | None = None


def detect_encoding(stream: BinaryIO, shown: str, given: str | None = None) -> Detected:
    """The encoding of a file.

    Args:
        stream: seekable; it is read whole unless a byte order mark or its NULs tell at once.
        shown: what to call it in errors.
        given: the encoding as somebody says it is, by its Python name; None looks for it.

    Raises:
        TextError: it is no text.
    """
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    by_mark = next((name for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark)), None)
    if given is not None:
        refuse_binary(shown, head, given)
        return _given(stream, given, by_mark)
    if by_mark is not None:
        refuse_binary(shown, head, by_mark)
        bad = first_undecodable(stream, by_mark)
        return Detected(by_mark, Certainty.CERTAIN, "it begins with a byte order mark", bad)
    try:
        refuse_binary(shown, head, "utf-8")
    except EncodingError:
        return _wide(stream, head)
    except TextError:
        if not 0 < head.count(0) <= NULS_MENDED * len(head) or _utf8(stream) is None:
            raise
    return _utf8(stream) or _legacy(stream)


def _given(stream: BinaryIO, given: str, by_mark: str | None) -> Detected:
    """What was said, with its byte order, and whether it fits."""
    encoding = given
    if given in ("utf-16", "utf-32"):
        matches = by_mark is not None and by_mark.startswith(given)
        encoding = by_mark if matches and by_mark else f"{given}-le"
    bad = first_undecodable(stream, encoding)
    return Detected(encoding, Certainty.GIVEN, "as --encoding says", bad)


def _wide(stream: BinaryIO, head: bytes) -> Detected:
    """UTF-16 or UTF-32 without a byte order mark, known by its NULs."""
    encoding = likely_encoding(head) or "utf-16-le"
    if encoding in ("utf-16", "utf-32"):
        encoding += "-le"
    bad = first_undecodable(stream, encoding)
    sure = Certainty.VERY_LIKELY if bad is None else Certainty.LIKELY
    return Detected(encoding, sure, "its NUL bytes stand as they do there", bad)


def _utf8(stream: BinaryIO) -> Detected | None:
    """UTF-8, whole or damaged; None for anything else."""
    bad = first_undecodable(stream, "utf-8")
    if bad is None:
        several = _several_bytes(stream)
        if not several:
            return Detected("utf-8", Certainty.CERTAIN, "plain ASCII, the same in UTF-8")
        sure = Certainty.CERTAIN if several >= _FEW else Certainty.VERY_LIKELY
        return Detected("utf-8", sure, "valid throughout, which no other text is by chance")
    if _is_damaged(_samples(stream, bad), "utf-8"):
        return Detected("utf-8", Certainty.VERY_LIKELY, "nearly all of it is valid", bad)
    return None


def _several_bytes(stream: BinaryIO, stop: int | None = None) -> int:
    """Bytes beyond ASCII before an offset, counted up to the block in which enough were found."""
    found, left = 0, stream.seek(0, 2) if stop is None else stop
    stream.seek(0)
    while found < _FEW and (block := stream.read(min(left, 1 << 20))):
        left -= len(block)
        found += 0 if block.isascii() else sum(byte > 0x7F for byte in block)
    return found


def _legacy(stream: BinaryIO) -> Detected:
    """Another encoding, by what its bytes would say."""
    bad = first_undecodable(stream, "utf-8") or 0
    samples = _samples(stream, bad)
    if _several_bytes(stream, bad) >= _FEW:
        stream.seek(bad)
        after = _likely([stream.read(_SAMPLE_BYTES)])
        why = f"valid up to offset {bad}" + (
            f", then it looks like {after.upper()}" if after else ""
        )
        return Detected("utf-8", Certainty.GUESS, why, bad)
    encoding = _likely(samples)
    if encoding is None:
        return Detected("utf-8", Certainty.UNKNOWN, "no known encoding fits it", bad)
    broken = first_undecodable(stream, encoding)
    if broken is not None:
        damaged = _is_damaged(samples, encoding)
        sure = Certainty.LIKELY if damaged else Certainty.GUESS
        why = "nearly all of it is valid" if damaged else "not all of it can be decoded"
        return Detected(encoding, sure, why, broken)
    if encoding in _KOREAN and _is_damaged(samples, encoding):
        why = "all of it can be decoded, to everyday Hangul"
        return Detected(encoding, Certainty.VERY_LIKELY, why)
    return Detected(encoding, Certainty.LIKELY, "all of it can be decoded, and reads like text")


def _likely(samples: list[bytes]) -> str | None:
    """A Korean encoding if they read as Korean, else one that fits the first that any fits."""
    korean = (name for name in _KOREAN if _is_damaged(samples, name))
    found = (name for name in map(likely_encoding, samples) if name not in (None, "utf-8", "ascii"))
    return next(korean, None) or next(found, None)


def _samples(stream: BinaryIO, offset: int) -> list[bytes]:
    """What stands around an offset, and at places spread over the file."""
    size = stream.seek(0, 2)
    places = [offset, *(size * part // _PLACES for part in range(1, _PLACES))]
    return [_sample(stream, place) for place in places]


def _sample(stream: BinaryIO, offset: int) -> bytes:
    """What stands around an offset, from the beginning of a line or else of a word on.

    No character of several bytes in an encoding of Korean has a line feed or a space in it.
    """
    start = max(0, offset - _SAMPLE_BEFORE)
    stream.seek(start)
    sample = stream.read(_SAMPLE_BYTES)
    if not start:
        return sample
    ends = (sample.find(end, 0, offset - start) + 1 for end in (b"\n", b" "))
    return sample[next(filter(None, ends), 0) :]


def _is_damaged(samples: list[bytes], encoding: str) -> bool:
    """Whether samples are in an encoding but for a few bytes; a Korean one may have lost none."""
    text = "".join(marked(sample, encoding) for sample in samples)
    lost = sum(is_mark(ord(character)) for character in text)
    telling = sum(character > "\x7f" for character in text) - lost
    if lost > _DAMAGED_SHARE * telling:
        return False
    return lost > 0 if encoding == "utf-8" else _reads_as_korean(text)


def _reads_as_korean(text: str) -> bool:
    """Whether the most frequent syllables of Korean are frequent in a text.

    Chinese and Japanese can be read as CP949 too, as syllables and Hanja of no text.
    """
    syllables = [character for character in text if "\uac00" <= character <= "\ud7a3"]
    telling = sum(character > "\x7f" for character in text)
    frequent = sum(character in _FREQUENT for character in syllables)
    return len(syllables) >= _LEAST_HANGUL * telling and frequent >= _FREQUENT_SHARE * len(
        syllables
    )
