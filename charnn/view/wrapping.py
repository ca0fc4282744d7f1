"""Where lines of safe text break. Widths are terminal cells; safety is left to display_text."""

from collections.abc import Sequence

from rich.cells import set_cell_size

from charnn.view.display_text import cell_width, safe_characters, safe_text

_BREAKS = (" ", "\n")


def line_spans(texts: Sequence[str], widths: Sequence[int], room: int) -> list[tuple[int, int]]:
    """Break a line of characters at spaces where possible, inside a word where it must.

    A space that no longer fits stays, unseen, at the end of its line; so every index is in exactly
    one span and a text can be uncovered character by character without moving a break. What is
    wider than a line gets a line of its own and is for the caller to cut.

    Args:
        texts: the characters in order; after a newline a line may end as after a space.
        widths: cells each takes, 0 for marks that stand on the character before.
        room: cells in a line, at least 1.

    Returns:
        Half-open index spans, in order and without gaps; at least one.

    >>> line_spans("ab cd efghij", [1] * 12, 5)
    [(0, 6), (6, 11), (11, 12)]
    """
    spans: list[tuple[int, int]] = []
    start = used = after_space = 0
    for index, (text, width) in enumerate(zip(texts, widths, strict=True)):
        if used + width > room and index > start and text != " ":
            stop = after_space if after_space > start else index
            spans.append((start, stop))
            used = sum(widths[stop:index])
            start = stop
            if used + width > room and index > start:
                spans.append((start, index))
                start, used = index, 0
        used += width
        if text in _BREAKS:
            after_space = index + 1
    spans.append((start, len(texts)))
    return spans


def wrap_text(text: str, room: int | None) -> list[str]:
    """Make a text safe for a terminal and break it into lines of at most `room` cells.

    Args:
        text: any text; newlines break lines, empty lines are left out.
        room: cells in a line, at least 1; None breaks at newlines only.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        if not paragraph.strip():
            continue
        if room is None:
            lines.append(safe_text(paragraph))
            continue
        texts = [piece.shown for piece in safe_characters(paragraph)]
        spans = line_spans(texts, [cell_width(text) for text in texts], room)
        lines += [crop("".join(texts[start:stop]).rstrip(" "), room) for start, stop in spans]
    return [line for line in lines if line.strip()]


def crop(text: str, room: int) -> str:
    """The beginning of a safe text that fits into `room` cells, with an ellipsis where it was cut.

    >>> crop("chars/s", 9), crop("chars/s", 5), crop("형식은", 4)
    ('chars/s', 'char…', '형 …')
    """
    if cell_width(text) <= room:
        return text
    return set_cell_size(text, room - 1) + "…" if room > 0 else ""
