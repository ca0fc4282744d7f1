r"""Any text to text that a terminal shows safely: what a half-trained model writes may be anything.

Everything that would move the cursor, change the direction of writing, join with its neighbours
or not be seen gets a visible stand-in:

    newline                        stays, or what the caller wants instead
    tab                            four spaces: there are no tab stops inside a pane
    other control characters       their pictures ␀ ␛ ␡; those above U+007F ▯
    conjoining jamo                the syllable they make, else free-standing letters: ㅎㆍㄴ
    tone marks U+302E, U+302F      · and :
    combining marks                stay, the first few on a visible character; the others ▯
    enclosing marks, emoji modifiers, variation selectors, Hangul fillers, zero-width and bidi
    characters, line and paragraph separators, surrogates, private use, unassigned       ▯

The stand-in U+25AF is one cell wide everywhere (East Asian Width N, which · and □ are not).
Widths are those of rich.cells, which is also what rich lays out with. Letters that are written
from right to left stay, and terminals disagree about the width of some characters: so nothing may
stand to the right of generated text. Brackets are text: wrap it in rich.text.Text, not in markup.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

from rich.cells import cell_len

from charnn.text.hangul import compatibility_letters, compose_text, is_conjoining

STAND_IN: Final = "\N{WHITE VERTICAL RECTANGLE}"
TAB: Final = "    "
MARKS_SHOWN: Final = 2  # as many as Vietnamese, Thai and vocalised Hebrew put on a letter

_TONE_MARKS: Final = {"\u302e": "·", "\u302f": ":"}

# Code points without a glyph whose category does not tell (Default_Ignorable_Code_Point).
_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)

# A Hangul cluster of UAX #29 and the tone marks after it, else any one character.
_OPEN: Final = "".join(map(chr, range(0xAC00, 0xD7A4, 28)))
_LEAD: Final = "[\u1100-\u115f\ua960-\ua97c]"
_VOWEL: Final = "[\u1160-\u11a7\ud7b0-\ud7c6]"
_TAIL: Final = "[\u11a8-\u11ff\ud7cb-\ud7fb]"
_UNIT: Final = re.compile(
    f"(?:{_LEAD}*(?:[{_OPEN}]{_VOWEL}*|[\uac00-\ud7a3]|{_VOWEL}+){_TAIL}*|{_LEAD}+|{_TAIL}+)"
    "[\u302e\u302f]*|.",
    re.DOTALL,
)

# What may still become a syllable with the next character: a lead, or a syllable without a tail.
_UNDECIDED: Final = re.compile(f"(?:[\u1100-\u1112][\u1161-\u1175]?|[{_OPEN}])\\Z")

_PLAIN: Final = re.compile("[\n -~가-힣ㄱ-ㅣ一-龥‘’“”…—·、。「」『』《》〈〉]*")


class ShownPiece(NamedTuple):
    """What is shown for a stretch of the source, and how many code points that stretch has."""

    shown: str
    characters: int


def safe_text(text: str, *, newline: str = "\n") -> str:
    r"""The text as a terminal may show it; safe text comes out as it is.

    Args:
        text: anything, lone surrogates included.
        newline: what stands for a newline, for instance "⏎" where there is but one line.

    >>> safe_text("[/b]\x1b[2J 가\u202e\t\u1112\u1167\u11bc\u1112\u119e\u11ab", newline="⏎")
    '[/b]␛[2J 가▯    형ㅎㆍㄴ'
    """
    if newline == "\n" and _PLAIN.fullmatch(text):
        return text
    return "".join(shown for shown, _ in safe_characters(text, newline=newline))


def safe_characters(text: str, *, newline: str = "\n") -> list[ShownPiece]:
    r"""`safe_text` in pieces that are never to be torn apart, each with its share of the source.

    A Hangul cluster is one piece, so is a character with its combining marks: a view can tint
    piece by piece, and the code points of all pieces are those of the text.

    Args:
        text: anything, lone surrogates included.
        newline: what stands for a newline; a piece of its own.

    >>> [tuple(piece) for piece in safe_characters("a\u1112\u119e\u11ab\0")]
    [('a', 1), ('ㅎㆍㄴ', 3), ('␀', 1)]
    """
    pieces: list[ShownPiece] = []
    writer = _Writer(newline)
    for unit in _UNIT.findall(text):
        shown, joins = writer.show(unit)
        if joins:
            before = pieces.pop()
            pieces.append(ShownPiece(before.shown + shown, before.characters + 1))
        else:
            pieces.append(ShownPiece(shown, len(unit)))
    return pieces


class SafeStream:
    r"""`safe_text` for a text that comes bit by bit: what comes out, joined, is the same.

    Only what the next character may still turn into another syllable is held back.

    Args:
        newline: what stands for a newline.

    >>> stream = SafeStream()
    >>> stream.push("\u1112"), stream.push("\u1167"), stream.push("\u11bc"), stream.finish()
    ('', '', '형', '')
    """

    def __init__(self, *, newline: str = "\n") -> None:
        self._writer = _Writer(newline)
        self._held = ""

    def push(self, text: str) -> str:
        """What can be shown now that this text has come."""
        return "".join(shown for shown, _ in self.push_pieces(text))

    def finish(self) -> str:
        """What was held back; the text is at its end."""
        return "".join(shown for shown, _ in self.finish_pieces())

    def push_pieces(self, text: str) -> list[ShownPiece]:
        """`push` in pieces, each with its share of the source; a mark may be a piece alone."""
        text = self._held + text
        undecided = _UNDECIDED.search(text)
        cut = undecided.start() if undecided else len(text)
        self._held = text[cut:]
        return self._show(text[:cut])

    def finish_pieces(self) -> list[ShownPiece]:
        """`finish` in pieces."""
        text, self._held = self._held, ""
        return self._show(text)

    def _show(self, text: str) -> list[ShownPiece]:
        return [ShownPiece(self._writer.show(unit)[0], len(unit)) for unit in _UNIT.findall(text)]


def cell_width(text: str) -> int:
    """The terminal cells that one line of safe text takes, by the tables of rich.cells.

    >>> cell_width("형식 a"), cell_width("▯")
    (6, 1)
    """
    return cell_len(text)


class _Writer:
    """Shows one unit after the other; knows how many marks the last character may still take."""

    def __init__(self, newline: str) -> None:
        self._newline = newline
        self._room = 0

    def show(self, unit: str) -> tuple[str, bool]:
        """What is shown for a unit, and whether that joins what was shown before it."""
        if unit == "\n":
            self._room = 0
            return self._newline, False
        shown = _look(unit) if len(unit) == 1 else "".join(map(_look, compose_text(unit)))
        if shown:
            bare = shown[-1] == STAND_IN or shown[-1].isspace()
            self._room = 0 if bare else MARKS_SHOWN
            return shown, False
        if not self._room:
            return STAND_IN, False
        self._room -= 1
        return unit, True


@lru_cache(maxsize=1 << 14)
def _look(character: str) -> str:
    """What is shown for a character on its own; "" for a combining mark, which needs another."""
    code_point = ord(character)
    if code_point < 0x20 or code_point == 0x7F:
        return TAB if character == "\t" else chr(min(0x2400 + code_point, 0x2421))
    if character in _TONE_MARKS:
        return _TONE_MARKS[character]
    if is_conjoining(code_point):
        return compatibility_letters(code_point) or STAND_IN
    category = unicodedata.category(character)
    if category[0] == "C" or category in ("Me", "Zl", "Zp") or _UNSEEN.match(character):
        return STAND_IN
    if category in ("Mn", "Mc"):
        return ""
    return character if cell_len(character) else STAND_IN
