"""What somebody who wants to train on a text should know about it, a line each."""

from collections.abc import Iterator

from charnn.text.classes import Composition, Sort
from charnn.text.detection import Certainty
from charnn.text.inspect import Inspection

_CLEAN = "charnn corpus clean"
_SHORT = 100_000  # characters
_MUCH_REPEATED = 0.05
_STRAIGHT, _CURLY, _CORNER = "\"'", "“”‘’", "「」『』《》〈〉"


def findings(inspection: Inspection) -> tuple[str, ...]:
    """What is there, why it matters, and what can be done; the gravest first.

    Args:
        inspection: what is in the text.
    """
    return (
        *_of_encoding(inspection),
        *_of_hangul(inspection),
        *_of_hanja(inspection.composition),
        *_of_the_unseen(inspection.composition),
        *_of_habits(inspection),
    )


def _of_encoding(inspection: Inspection) -> Iterator[str]:
    """What could not be read, or may have been read wrongly."""
    broken = [file for file in inspection.files if file.undecodable]
    if broken:
        first = broken[0]
        yield (
            f"{_number(inspection.undecodable, 'byte')} cannot be decoded, the first at offset "
            f"{first.detected.first_bad} of {first.name}: charnn train refuses such a file until "
            f"it is mended"
        )
    if inspection.encoding == "mixed":
        parts = ", ".join(f"{count} in {name}" for name, count in inspection.encodings.items())
        yield f"the files differ in encoding ({parts}): {_CLEAN} --encoding auto makes each UTF-8"
    elif name := inspection.encoding_option:
        yield f"it is not UTF-8: charnn train reads it with --encoding {name}"
    if inspection.certainty in (Certainty.LIKELY, Certainty.GUESS, Certainty.UNKNOWN):
        yield "the encoding is not certain: look whether the words below are words"
    if empty := sum(file.bytes == 0 for file in inspection.files):
        yield f"{_number(empty, 'file is', 'files are')} empty"
    if lost := inspection.composition.count(Sort.REPLACEMENT):
        yield f"{lost:,} U+FFFD: an earlier conversion lost characters, which only its source has"


def _of_hangul(inspection: Inspection) -> Iterator[str]:
    """How Hangul is written where it is not in modern syllables."""
    composition = inspection.composition
    if found := inspection.counts.nfd_sequences:
        yield (
            f"{found:,} modern syllables are written in separate jamo (NFD, as from a Mac), "
            f"which look alike and cost two or three tokens: {_CLEAN} --nfc-hangul joins them"
        )
    if found := composition.count(Sort.JAMO_OLD):
        yield f"{found:,} jamo of old Hangul: charnn learns and writes old Hangul as it is"
    if found := composition.count(Sort.HANYANG):
        yield (
            f"{_number(found, 'private-use character')} where Hanyang's fonts have old Hangul: no "
            f"other font shows that; {_CLEAN} --hanyang makes jamo of it"
        )
    if found := composition.count(Sort.PRIVATE):
        what = _number(found, "other private-use character")
        yield f"{what}: only the font it was made for knows what that is"


def _of_hanja(composition: Composition) -> Iterator[str]:
    """Hanja that are not what they seem."""
    if found := composition.count(Sort.HANJA_COMPATIBILITY):
        yield (
            f"{found:,} compatibility Hanja: each looks like another character and is one of its "
            f"own; {_CLEAN} --hanja makes them the common ones (so does any NFC)"
        )


def _of_the_unseen(composition: Composition) -> Iterator[str]:
    """What takes tokens and is not seen."""
    if found := composition.count(Sort.CONTROL):
        yield f"{_number(found, 'control character')}: {_CLEAN} --controls removes such"
    if found := composition.count(Sort.ZERO_WIDTH):
        yield (
            f"{_number(found, 'zero-width or otherwise unseen character')}: {_CLEAN} --controls "
            "removes those that no script needs; joiners, fillers and variation selectors stay"
        )
    if found := composition.count(Sort.BYTE_ORDER_MARK):
        what = _number(found, "byte order mark")
        yield f"{what} inside the text: {_CLEAN} --controls removes such"
    if found := composition.count(Sort.UNASSIGNED):
        yield f"{_number(found, 'unassigned code point')}, which no text should have"


def _of_habits(inspection: Inspection) -> Iterator[str]:
    """What is no fault, but may not be meant."""
    composition = inspection.composition
    if inspection.counts.characters < _SHORT:
        yield "a short text: results that read well want a few hundred thousand characters"
    if inspection.passages.share >= _MUCH_REPEATED:
        yield (
            f"{inspection.passages.share:.0%} stands further up already: if copies reach into the "
            "held-out end of the text, its score will flatter"
        )
    if found := composition.full_width:
        what = _number(found, "full-width character")
        yield f"{what} (Latin, digits, signs): {_CLEAN} --half-width makes common ones of such"
    quotes = {one.char: one.count for one in composition.quotes}
    styles = {
        name: count
        for name, marks in (("straight", _STRAIGHT), ("curly", _CURLY), ("corner", _CORNER))
        if (count := sum(quotes.get(mark, 0) for mark in marks))
    }
    if len(styles) > 1:
        told = ", ".join(f"{count:,} {name}" for name, count in styles.items())
        yield f"quotation marks of {len(styles)} kinds: {told}"
    crlf = sum(file.line_ends.crlf + file.line_ends.cr for file in inspection.files)
    if crlf:
        yield f"{crlf:,} line ends are CRLF or CR: charnn reads them as LF"
    if marks := sum(file.byte_order_mark for file in inspection.files):
        what = _number(marks, "file begins", "files begin")
        yield f"{what} with a byte order mark: charnn leaves it out"


def _number(count: int, one: str, several: str = "") -> str:
    return f"{count:,} {one if count == 1 else several or one + 's'}"
