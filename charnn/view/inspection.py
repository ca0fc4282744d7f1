"""The report of an inspected text: tables of rich. What is in the text is left to the text room.

Every piece of the text itself is made safe for a terminal and is drawn as Text, never as markup.
"""

from collections.abc import Iterable, Sequence

from rich.columns import Columns
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from charnn.corpus.tokenizers.comparison import Fit
from charnn.text.classes import CompatibilityHanja, Sort
from charnn.text.findings import findings
from charnn.text.hangul import (
    compatibility_letters,
    is_conjoining,
    is_conjoining_lead,
    is_conjoining_tail,
)
from charnn.text.inspect import Inspection
from charnn.view.display_text import STAND_IN, safe_text
from charnn.view.inspection_tables import (
    NARROW,
    grid,
    percent,
    predictability_table,
    repeats_table,
    tokenizers_table,
    words_table,
)
from charnn.view.palette import BEST, FAINT, NAME, STRONG, TRAINING

_BAR = 24
_HANJA_SHOWN = 24
_FILES_SHOWN = 8

_SORTS = {
    Sort.SYLLABLE: "Hangul syllables",
    Sort.HANJA: "Hanja, plane 0",
    Sort.HANJA_EXTENSION_A: "Hanja, extension A",
    Sort.HANJA_COMPATIBILITY: "Hanja, compatibility",
    Sort.HANJA_PLANE_2: "Hanja, plane 2",
    Sort.HANJA_PLANE_3: "Hanja, plane 3",
    Sort.HANJA_PARTS: "radicals, 々, 〇",
    Sort.JAMO: "conjoining jamo",
    Sort.JAMO_OLD: "old conjoining jamo",
    Sort.TONE_MARK: "Hangul tone marks",
    Sort.LETTER_JAMO: "compatibility jamo",
    Sort.LETTER_JAMO_OLD: "old compatib. jamo",
    Sort.HALF_WIDTH_JAMO: "half-width jamo",
    Sort.HANYANG: "private use, Hanyang",
    Sort.PRIVATE: "private use",
    Sort.LATIN: "Latin letters",
    Sort.LATIN_FULL_WIDTH: "full-width Latin",
    Sort.KANA: "kana",
    Sort.LETTER: "other letters",
    Sort.DIGIT: "digits",
    Sort.PUNCTUATION: "punctuation",
    Sort.SYMBOL: "symbols",
    Sort.SPACE: "spaces",
    Sort.NEWLINE: "line ends",
    Sort.CONTROL: "control characters",
    Sort.REPLACEMENT: "U+FFFD",
    Sort.BYTE_ORDER_MARK: "byte order marks",
    Sort.ZERO_WIDTH: "zero-width",
    Sort.UNASSIGNED: "unassigned",
    Sort.UNDECODABLE: "undecodable bytes",
}
_VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥", "\u3000": "U+3000", "\u00a0": "U+00A0"}


def show_inspection(
    inspection: Inspection, fits: Sequence[Fit], advice: Table, console: Console
) -> None:
    """Print the report.

    Args:
        inspection: what is in the text.
        fits: what the tokenizers make of it.
        advice: what to train, from `advice_table`.
        console: where to.
    """
    width, sampled = console.width, _of_sample(inspection)
    found: list[tuple[str, RenderableType | None]] = [
        ("", _head(inspection)),
        ("made of", _sorts(inspection, width)),
        ("compatibility Hanja and their unified forms", _hanja(inspection)),
        ("unseen and unknown characters", _odd(inspection)),
        ("worth knowing", _bullets(findings(inspection))),
        ("most frequent characters", _characters(inspection)),
        (sampled, None),
        ("most frequent words", words_table(inspection)),
        ("said more than once", repeats_table(inspection, width)),
        ("bits per character", predictability_table(inspection)),
        ("in tokens", tokenizers_table(fits, width)),
        ("what to train", advice),
    ]
    sections = [part for part in found if part[1] is not None or (sampled and part[0] == sampled)]
    with console.capture() as capture:
        for title, body in sections:
            if title:
                console.print(Text("\n" + title, style=STRONG if body else FAINT))
            if body is not None:
                console.print(Padding(body, (0, 0, 0, 2 if title else 0)))
    for line in capture.get().splitlines():
        console.file.write(line.rstrip(" ") + "\n")


def advice_table(rows: Iterable[tuple[str, str]], command: str, reasons: Iterable[str]) -> Table:
    """What to train: labelled lines, the command, and what the lines rest on.

    Args:
        rows: labels and values.
        command: to be typed as it is.
        reasons: a line each.
    """
    table = grid()
    for label, value in rows:
        table.add_row(Text(label, style=FAINT), Text(value))
    table.add_row(Text("command", style=FAINT), Text(safe_text(command, newline=" "), style=NAME))
    for number, reason in enumerate(reasons):
        label = "because" if number == 0 else ""
        table.add_row(Text(label, style=FAINT), Text(reason, style=FAINT))
    return table


def _head(inspection: Inspection) -> Table:
    counts = inspection.counts
    table = grid()

    def row(label: str, value: str) -> None:
        table.add_row(Text(label, style=FAINT), Text(value))

    names = [safe_text(file.name, newline=" ") for file in inspection.files]
    shown = ", ".join(names[:_FILES_SHOWN])
    if len(names) > _FILES_SHOWN:
        shown += f" and {len(names) - _FILES_SHOWN:,} more"
    table.add_row(Text("text", style=FAINT), Text(shown, style=NAME))
    row("encoding", _encoding(inspection))
    size = sum(file.bytes for file in inspection.files)
    row("length", f"{counts.characters:,} characters, {size:,} bytes")
    blank = f", {counts.blank_lines:,} of them blank" if counts.blank_lines else ""
    row("lines", f"{counts.lines:,}{blank}; the longest has {counts.longest_line:,} characters")
    row("characters", f"{inspection.distinct:,} different ones, {inspection.once:,} of them once")
    row("normal form", _normal_form(inspection))
    return table


def _encoding(inspection: Inspection) -> str:
    """The encoding, how sure it is, and why."""
    if inspection.encoding == "mixed":
        parts = (
            f"{_shown(name)} ({count:,} file{'s' if count > 1 else ''})"
            for name, count in inspection.encodings.items()
        )
        return f"{', '.join(parts)}; the least sure is {inspection.certainty}"
    least = next(
        file.detected
        for file in inspection.files
        if file.bytes and file.detected.certainty is inspection.certainty
    )
    return f"{_shown(least.encoding)}, {least.certainty}: {least.why}"


def _shown(encoding: str) -> str:
    return encoding.upper().replace("_", "-")


def _normal_form(inspection: Inspection) -> str:
    form = inspection.normal_form
    if form == "NFC and NFD":
        return "NFC and NFD are the same here"
    if form != "neither":
        return form
    causes = []
    if inspection.counts.nfd_sequences:
        causes.append(f"{inspection.counts.nfd_sequences:,} syllables in separate jamo")
    if hanja := inspection.composition.count(Sort.HANJA_COMPATIBILITY):
        causes.append(f"{hanja:,} compatibility Hanja")
    return f"not NFC: {' and '.join(causes) or 'some marks'} would change; not NFD"


def _sorts(inspection: Inspection, width: int) -> Table:
    """A line for each sort, the most frequent first."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    total = max(1, inspection.counts.characters)
    ordered = sorted(inspection.composition.sorts.items(), key=lambda item: -item[1])
    for sort, count in ordered:
        share = count / total
        bar = "█" * max(1, round(_BAR * share)) if width >= NARROW and share >= 0.01 else ""
        table.add_row(_SORTS[sort], percent(share), f"{count:,}", Text(bar, style=TRAINING))
    return table


def _hanja(inspection: Inspection) -> RenderableType | None:
    found = inspection.composition.compatibility_hanja
    if not found:
        return None
    cells = [_pair(one) for one in found[:_HANJA_SHOWN]]
    if len(found) > _HANJA_SHOWN:
        cells.append(Text(f"and {len(found) - _HANJA_SHOWN:,} more (--json)", style=FAINT))
    return Columns(cells, padding=(0, 3))


def _pair(one: CompatibilityHanja) -> Text:
    code = f" U+{ord(one.char):04X} → U+{ord(one.unified):04X} "
    return Text.assemble(one.char, (code, FAINT), one.unified, f" {one.count:,}")


def _odd(inspection: Inspection) -> RenderableType | None:
    """The code points that cannot be seen, by name."""
    found = inspection.composition.odd
    if not found:
        return None
    cells = [
        Text.assemble((f"U+{ord(one.char):04X}", FAINT), f" {one.count:,}")
        for one in found[:_HANJA_SHOWN]
    ]
    if len(found) > _HANJA_SHOWN:
        cells.append(Text(f"and {len(found) - _HANJA_SHOWN:,} more (--json)", style=FAINT))
    return Columns(cells, padding=(0, 3))


def _bullets(lines: Sequence[str]) -> Table | None:
    if not lines:
        return None
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row(Text("•", style=BEST), Text(safe_text(line, newline=" ")))
    return table


def _characters(inspection: Inspection) -> Columns:
    total = max(1, inspection.counts.characters)
    return Columns(
        [
            Text.assemble((_name(one.char), STRONG), " ", percent(one.count / total))
            for one in inspection.characters
        ],
        padding=(0, 3),
    )


def _name(character: str) -> str:
    """A character as it can be seen on its own; conjoining jamo with the side they join at.

    >>> [_name(character) for character in "형 \u1112\u119e\u11ab\u0301"]
    ['형', '␣', 'ㅎ-', '-ㆍ-', '-ㄴ', 'U+0301']
    """
    if character in _VISIBLE:
        return _VISIBLE[character]
    code_point = ord(character)
    letters = compatibility_letters(code_point)
    if letters and is_conjoining(code_point):
        before = "" if is_conjoining_lead(code_point) else "-"
        return f"{before}{letters}{'' if is_conjoining_tail(code_point) else '-'}"
    shown = safe_text(character)
    return f"U+{code_point:04X}" if shown == STAND_IN else shown


def _of_sample(inspection: Inspection) -> str:
    """From where on it is about a sample; "" where it is not."""
    sample = inspection.sample
    if sample.whole:
        return ""
    return (
        f"from here on: {sample.characters:,} characters of it in "
        f"{len(sample.texts)} stretches (--full takes all)"
    )
