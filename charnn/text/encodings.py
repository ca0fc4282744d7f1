"""Bytes to characters: strict decoding, and what a text is when it is not what was expected.

Which files there are is left to files.py; newlines and documents to reading.py.
"""

import codecs
from collections.abc import Iterator
from typing import BinaryIO, Final

from charnn.errors import EncodingError, OptionError, TextError

HEAD_BYTES: Final = 1 << 16
NULS_ALLOWED: Final = 1 / 1000
NULS_MENDED: Final = 1 / 20  # of a text that is to be cleaned before anybody trains on it
_LONGEST_NUL: Final = 4  # bytes of U+0000 in UTF-32

_BYTE_ORDER_MARKS: Final = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_WIDE: Final = ("utf-16", "utf-32")

_SIGNATURES: Final = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF89a", "a GIF image"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive (as .docx, .hwpx, .odt and .epub files are)"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an OLE document (as .hwp and .doc files are)"),
    (b"HWP Document File", "an HWP document"),
    (b"\x1f\x8b", "gzip-compressed"),
    (b"BZh91AY&SY", "bzip2-compressed"),
    (b"\xfd7zXZ\x00", "xz-compressed"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x7fELF", "a program"),
)

# Codecs of Python that are no character sets, or (UTF-7) can make lone surrogates.
_NOT_CHARACTER_SETS: Final = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined", "utf-7"}
)

# Where several fit a sample about equally well, one of these is what people have. Not CP949: most
# Japanese text can be read as rare syllables of it, but not as EUC-KR.
_LIKELIER: Final = ("utf_8", "euc_kr", "cp1252")

_CUT_BYTES: Final = 1 << 10  # a sample this long may have been cut out of a file
_SAMPLE_BYTES: Final = 1 << 14
_SAMPLE_BEFORE: Final = 1 << 11  # of which before the bad byte; a multiple of 4 keeps UTF-32 whole


def text_encoding(name: str | None) -> str:
    """The canonical name of an encoding; UTF-8 for None.

    Raises:
        OptionError: the name is not that of a character set.

    >>> text_encoding("UTF8"), text_encoding("uhc"), text_encoding(None)
    ('utf-8', 'cp949', 'utf-8')
    """
    if name is None:
        return "utf-8"
    try:
        "".encode(name)  # refuses what codecs.lookup lets pass, as rot13
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        codec = None
    if (
        codec is None
        or codec.incrementaldecoder is None
        or codec.name.replace("_", "-") in _NOT_CHARACTER_SETS
    ):
        raise OptionError(
            f"encoding must be a character set such as utf-8 or cp949, got {name!r}"
        ) from None
    return "utf-8" if codec.name == "utf-8-sig" else codec.name


def decode_stream(
    stream: BinaryIO,
    shown: str,
    encoding: str,
    block_bytes: int = 1 << 20,
    nuls_allowed: float = NULS_ALLOWED,
) -> Iterator[str]:
    """The characters of a stream, strictly decoded; a byte order mark comes out as U+FEFF.

    Args:
        stream: a seekable stream at its beginning.
        shown: what to call it in errors.
        encoding: as `text_encoding` returns it.
        block_bytes: how much is read at a time; no text is longer than that plus a few.
        nuls_allowed: as for `refuse_binary`.

    Raises:
        TextError: what is there is no text.
        EncodingError: it is text in another encoding, or damaged.
    """
    head = stream.read(HEAD_BYTES)
    refuse_binary(shown, head, encoding, nuls_allowed)
    _refuse_other_encoding(shown, head, encoding)
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(_with_byte_order(encoding, head))("strict")
    position = 0  # of the first byte the decoder has not yet turned into characters
    while True:
        block = stream.read(block_bytes)
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise _encoding_error(shown, stream, encoding, position + error.start) from None
        position = stream.tell() - len(decoder.getstate()[0])
        if text:
            yield text
        if not block:
            return


def refuse_binary(
    shown: str, head: bytes, encoding: str, nuls_allowed: float = NULS_ALLOWED
) -> None:
    """Raise if the head of a file shows that it is no text.

    Args:
        shown: what to call the file.
        head: its first bytes.
        encoding: what it will be read with; UTF-16 and UTF-32 have any number of NULs.
        nuls_allowed: largest share of NUL bytes in [0, 1] in any other encoding.

    Raises:
        TextError: it has a known signature, or NUL bytes as no text has.
        EncodingError: the NUL bytes are those of UTF-16 or UTF-32.
    """
    for signature, what in _SIGNATURES:
        if head.startswith(signature):
            raise TextError(f"{shown} is {what}, not plain text: save its text as a .txt file")
    binary = f"{shown} is binary (it has NUL bytes), not text: name a plain text file"
    if len(head) >= _LONGEST_NUL and not head.strip(b"\0"):
        raise TextError(binary)
    if encoding.startswith(_WIDE):
        return
    marked = any(head.startswith(mark) for mark, _ in _BYTE_ORDER_MARKS)
    if marked or head.count(0) <= len(head) * nuls_allowed:
        return
    likely = likely_encoding(head)
    if likely is None or not likely.startswith(_WIDE):
        raise TextError(binary)
    bad = head.index(0)
    raise EncodingError(_not_in(shown, encoding, 0, bad) + _advice(likely, encoding))


def likely_encoding(sample: bytes) -> str | None:
    """The encoding that fits a sample best, by its Python name; None if none does.

    >>> likely_encoding("무정 형식은 영어를 가르치고 나와".encode("johab"))
    'johab'
    """
    from charset_normalizer import from_bytes  # noqa: PLC0415  # only a failed read needs it

    matches = from_bytes(_without_half_character(sample))
    best = matches.best()
    if best is None:
        return None
    name = best.encoding
    if 0 not in sample:
        fits = {
            encoding
            for match in matches
            if match.chaos <= best.chaos + 0.03 and match.coherence >= best.coherence - 0.1
            for encoding in match.could_be_from_charset
        }
        name = next((likelier for likelier in _LIKELIER if likelier in fits), name)
    # CP949 is EUC-KR and more: what is EUC-KR in a sample may be CP949 further on.
    return "cp949" if name == "euc_kr" else name.replace("_", "-")


def _without_half_character(sample: bytes) -> bytes:
    """A sample that does not end within a character, cut behind its last space or line feed.

    No character of several bytes in a legacy encoding has these in it. A short sample is whole.
    """
    if len(sample) < _CUT_BYTES or 0 in sample:
        return sample
    return sample[: max(sample.rfind(b"\n"), sample.rfind(b" ")) + 1] or sample


def _with_byte_order(encoding: str, head: bytes) -> str:
    """The encoding with its byte order: of the byte order mark, little-endian without one."""
    if encoding not in ("utf-16", "utf-32"):
        return encoding
    big_endian = codecs.BOM_UTF16_BE if encoding == "utf-16" else codecs.BOM_UTF32_BE
    return f"{encoding}-be" if head.startswith(big_endian) else f"{encoding}-le"


def _refuse_other_encoding(shown: str, head: bytes, encoding: str) -> None:
    """Raise if the head shows another encoding although it may well decode in this one."""
    marked = [name for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark)]
    if any(name.startswith(encoding) for name in marked):
        return
    if marked:
        name = marked[0]
        way_out = "leave out --encoding" if name == "utf-8" else f"try --encoding {name[:6]}"
        raise EncodingError(
            f"{shown} is not {_shown_name(encoding)} (byte 0x{head[0]:02X} at offset 0); "
            f"its byte order mark says {name[:6].upper()}: {way_out}"
        )
    if encoding.startswith(_WIDE) and _is_utf8_text(head):
        raise EncodingError(
            f"{shown} is not {_shown_name(encoding)} (it has no byte order mark, and reads as "
            "UTF-8 without an error): leave out --encoding"
        )


def _is_utf8_text(head: bytes) -> bool:
    """Whether the head of a file is UTF-8 without NUL."""
    try:
        text = codecs.getincrementaldecoder("utf-8")("strict").decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and "\0" not in text


def _encoding_error(shown: str, stream: BinaryIO, encoding: str, offset: int) -> EncodingError:
    """What to tell about a byte that the decoder refused."""
    start = max(0, offset - _SAMPLE_BEFORE) & ~3
    stream.seek(start)
    sample = stream.read(_SAMPLE_BYTES)
    message = _not_in(shown, encoding, sample[offset - start], offset)
    if _is_damaged(sample, encoding):
        return EncodingError(
            f"{message}; nearly all the rest is, so the file is damaged there: "
            f"mend that place, or drop such bytes with iconv -c -f {encoding} -t utf-8"
        )
    # The sample may begin within a character, a line does not.
    line = sample[sample.rfind(b"\n", 0, offset - start) + 1 :]
    return EncodingError(
        message + _advice(likely_encoding(sample) or likely_encoding(line), encoding)
    )


def _is_damaged(sample: bytes, encoding: str) -> bool:
    """Whether a sample is in an encoding but for a few bytes."""
    if encoding.startswith(_WIDE):
        return False  # nearly any bytes are valid in these
    kept = sample.decode(encoding, "ignore")
    lost = len(sample.decode(encoding, "replace")) - len(kept)
    telling = sum(character > "\x7f" for character in kept)
    # CP949 read as UTF-8 or Johab, or the other way round, loses one for every five at least.
    return 20 * lost <= telling and likely_encoding(kept.encode(encoding)) == encoding


def _not_in(shown: str, encoding: str, byte: int, offset: int) -> str:
    return f"{shown} is not {_shown_name(encoding)} (byte 0x{byte:02X} at offset {offset})"


def _advice(likely: str | None, encoding: str) -> str:
    """The end of the message: what it looks like and what to do."""
    if likely == encoding or (likely is None and encoding != "utf-8"):
        return "; it is damaged there, or in yet another encoding: try another --encoding"
    if likely is None:
        return "; no known encoding fits it: is it text? If so, name its encoding with --encoding"
    if likely in ("utf-8", "ascii"):
        return "; it looks like UTF-8: leave out --encoding"
    hint = ", as older Korean Windows files are" if likely == "cp949" else ""
    return f"; it looks like {_shown_name(likely)}{hint}: try --encoding {likely}"


def _shown_name(encoding: str) -> str:
    """An encoding's name as people write it."""
    return encoding.upper().replace("_", "-")
