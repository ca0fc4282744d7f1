"""Panes of generated text: the newest writing as it appears, and earlier ones above it.

Nothing but the end of the line stands to the right of generated text, since terminals disagree
about the width of some characters. What the text may contain is left to display_text.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style

from charnn.records import Sample
from charnn.view.display_text import cell_width, safe_characters
from charnn.view.figures import count, temperature
from charnn.view.lines import EMPTY, Line, Part, fit, line, rule
from charnn.view.palette import (
    FAINT,
    PLAIN,
    STRONG,
    SURPRISE,
    SURPRISE_LIMITS,
    TRAINING,
    surprise_level,
)
from charnn.view.state import Writing
from charnn.view.wrapping import line_spans

CHARACTERS_PER_SECOND = 40.0
LONGEST_SECONDS = 8.0
_CURSOR = "▌"
_NEWLINE = "⏎"
_PROMPT = -1
_BREAK = -2
_ROWS_FOR_PARAGRAPHS = 4
_ROWS_FOR_GAPS = 5


class Manuscript(NamedTuple):
    """A sample in the pieces it is drawn in.

    Attributes:
        texts: safe pieces that are never torn apart; a newline is a piece of its own.
        widths: terminal cells of each.
        levels: step of the scale of surprise of each; negative for the prompt and for newlines.
    """

    texts: tuple[str, ...]
    widths: tuple[int, ...]
    levels: tuple[int, ...]


def manuscript(sample: Sample) -> Manuscript:
    """Cut a sample into safe pieces, each with what it cost the model.

    The bits of a record's piece are spread evenly over its characters; a piece of several
    characters on screen (jamo that make one syllable) cost what they cost together.
    """
    bits = _bits_per_character(sample)
    texts, widths, levels = [], [], []
    at = 0
    for shown, characters in safe_characters(sample.prompt + sample.text):
        cost = sum(bits[at : at + characters])
        texts.append(shown)
        widths.append(0 if shown == "\n" else cell_width(shown))
        if shown == "\n":
            levels.append(_BREAK)
        else:
            levels.append(_PROMPT if at < len(sample.prompt) else surprise_level(cost))
        at += characters
    return Manuscript(tuple(texts), tuple(widths), tuple(levels))


def revealed(sample: Sample, pieces: int, now: float) -> int:
    """How many pieces of a sample are uncovered by now, all of them some seconds after it came.

    Args:
        sample: the sample; it is written from its `elapsed` on.
        pieces: how many it has.
        now: seconds on the records' clock.
    """
    speed = max(CHARACTERS_PER_SECOND, pieces / LONGEST_SECONDS)
    known = (now - sample.elapsed) * speed
    if known >= pieces:
        return pieces
    return int(known) if known > 0 else 0


def is_revealed(writing: Writing, now: float) -> bool:
    """Whether all of a writing is uncovered, so that only a new record can change its pane."""
    pages = _manuscripts(writing)
    return all(
        revealed(sample, len(page.texts), now) == len(page.texts)
        for sample, page in zip(writing.samples, pages, strict=True)
    )


def writing_rows(writing: Writing, width: int, gutter: int) -> int:
    """How many lines a writing needs to be seen whole, gaps between its samples included."""
    room = _room(width, gutter)
    needs = [len(spans) for spans in _all_spans(writing, room, True)]
    return sum(needs) + len(needs) - 1


def draw_writing(
    writing: Writing, width: int, rows: int, gutter: int, now: float, *, colour: bool
) -> list[Line]:
    """The newest writing: its samples one under another, each as far as it is uncovered.

    A sample that is longer than its share of the rows shows its end, as a terminal would.

    Args:
        writing: the samples.
        width: cells in a line.
        rows: lines there are; at most so many come out.
        gutter: cells at the left for the temperature.
        now: seconds on the records' clock.
        colour: whether characters are tinted by surprise.
    """
    chosen = _chosen(writing, max(1, rows // 2))
    gap = 1 if len(chosen) > 1 and rows >= _ROWS_FOR_GAPS * len(chosen) else 0
    room = rows - gap * (len(chosen) - 1)
    paragraphs = room // len(chosen) >= _ROWS_FOR_PARAGRAPHS
    spans = _all_spans(writing, _room(width, gutter), paragraphs)
    shares = share_rows(room, [len(spans[index]) for index in chosen])
    lines: list[Line] = []
    for index, share in zip(chosen, shares, strict=True):
        lines += [EMPTY] * gap if lines else []
        page, sample = _manuscripts(writing)[index], writing.samples[index]
        known = revealed(sample, len(page.texts), now)
        block = _draw_block(page, spans[index], known, share, colour)
        lines += _with_gutter(block, temperature(sample.temperature), gutter, width)
    return lines[:rows]


@lru_cache(maxsize=4)
def draw_earlier(
    writings: tuple[Writing, ...], width: int, rows: int, gutter: int, *, colour: bool
) -> list[Line]:
    """Earlier writings, oldest first and spread over the run, by the step they were written at.

    Args:
        writings: all there are, oldest first.
        width: cells in a line.
        rows: lines there are; at most so many come out.
        gutter: cells at the left for the step.
        colour: whether characters are tinted by surprise.
    """
    height = 1 + (rows >= 2 * len(writings)) + (rows >= 3 * len(writings))
    lines: list[Line] = []
    for writing in spread(writings, rows // height):
        page = manuscript(writing.middle())
        spans = list(_spans(page, _room(width, gutter), paragraphs=False))[:height]
        block = [_draw_span(page, span, colour) for span in spans]
        lines += _with_gutter(block, count(writing.step), gutter, width)
    return lines


def gutter_width(writings: Sequence[Writing]) -> int:
    """Cells at the left of generated text: the widest label, a margin before and two after."""
    labels = [count(writing.step) for writing in writings]
    labels += [
        temperature(sample.temperature) for writing in writings for sample in writing.samples
    ]
    return 3 + max((len(label) for label in labels), default=3)


def legend() -> Line:
    """The scale of surprise: the limits in bits with the tints between them."""
    parts: list[Part] = [("bits of surprise  0", FAINT)]
    for limit, style in zip((*SURPRISE_LIMITS, None), SURPRISE, strict=True):
        parts.append((" ■ ", style))
        parts.append((f"{limit:g}" if limit is not None else "…", FAINT))
    return line(*parts)


def writing_title(writing: Writing, width: int, *, colour: bool) -> Line:
    """The rule above the newest writing, with the legend where there is room."""
    title = f"step {count(writing.step)}, by temperature"
    return rule(title, width, legend() if colour else EMPTY)


def share_rows(rows: int, needs: Sequence[int]) -> list[int]:
    """Divide rows fairly: nobody gets more than needed, what is left over goes to the others.

    >>> share_rows(7, [9, 1, 9]), share_rows(9, [2, 2])
    ([3, 1, 3], [2, 2])
    """
    shares = [0] * len(needs)
    for _ in range(rows):
        wanting = [index for index, need in enumerate(needs) if shares[index] < need]
        if not wanting:
            break
        shares[min(wanting, key=lambda index: shares[index])] += 1
    return shares


def spread(writings: Sequence[Writing], number: int) -> list[Writing]:
    """At most `number` of the writings, evenly spread, the first and the last among them."""
    if number >= len(writings):
        return list(writings)
    if number <= 1:
        return list(writings[-1:]) if number else []
    last = len(writings) - 1
    return [writings[round(index * last / (number - 1))] for index in range(number)]


def _bits_per_character(sample: Sample) -> list[float]:
    bits = [0.0] * len(sample.prompt)
    for text, cost in sample.pieces:
        bits += [cost / max(1, len(text))] * len(text)
    return bits


@lru_cache(maxsize=8)
def _manuscripts(writing: Writing) -> tuple[Manuscript, ...]:
    return tuple(manuscript(sample) for sample in writing.samples)


@lru_cache(maxsize=16)
def _all_spans(
    writing: Writing, room: int, paragraphs: bool
) -> tuple[tuple[tuple[int, int], ...], ...]:
    return tuple(tuple(_spans(page, room, paragraphs)) for page in _manuscripts(writing))


def _spans(page: Manuscript, room: int, paragraphs: bool) -> Iterator[tuple[int, int]]:
    """The lines of a manuscript as index spans; empty paragraphs take no line."""
    if not paragraphs:
        widths = [1 if text == "\n" else page.widths[at] for at, text in enumerate(page.texts)]
        yield from line_spans(page.texts, widths, room)
        return
    start = 0
    breaks = [at for at, text in enumerate(page.texts) if text == "\n"]
    for stop in (*breaks, len(page.texts)):
        if stop > start:
            for first, last in line_spans(page.texts[start:stop], page.widths[start:stop], room):
                yield start + first, start + last
        start = stop + 1


def _chosen(writing: Writing, number: int) -> list[int]:
    """Which samples to show where there is no room for all: those around the middle."""
    middle = writing.middle().temperature
    order = sorted(
        range(len(writing.samples)),
        key=lambda index: (abs(writing.samples[index].temperature - middle), -index),
    )
    return sorted(order[:number])


def _draw_block(
    page: Manuscript, spans: Sequence[tuple[int, int]], known: int, rows: int, colour: bool
) -> list[Line]:
    """The last `rows` lines of what is uncovered, with a cursor while more is to come."""
    begun = [span for span in spans if span[0] < known] or list(spans[:1])
    shown = begun[len(begun) - rows :] if len(begun) > rows else begun
    lines = [_draw_span(page, (start, min(stop, known)), colour) for start, stop in shown]
    if lines and known < len(page.texts):
        lines[-1] = (*lines[-1], Segment(_CURSOR, TRAINING))
    return lines


def _draw_span(page: Manuscript, span: tuple[int, int], colour: bool) -> Line:
    parts: list[tuple[str, int]] = []
    for index in range(*span):
        text, level = page.texts[index], page.levels[index]
        text = _NEWLINE if level == _BREAK else text
        if parts and (parts[-1][1] == level or text == " "):
            parts[-1] = (parts[-1][0] + text, parts[-1][1])
        else:
            parts.append((text, level))
    return tuple(Segment(text, _style(level, colour)) for text, level in parts)


def _style(level: int, colour: bool) -> Style:
    if level == _PROMPT:
        return STRONG
    if level == _BREAK:
        return FAINT
    return SURPRISE[level] if colour else PLAIN


def _with_gutter(block: Sequence[Line], label: str, gutter: int, width: int) -> list[Line]:
    """Put the label before the first line and as much space before the others."""
    heads = [f"{label:>{gutter - 2}}  ", *[" " * gutter] * (len(block) - 1)]
    return [
        fit((Segment(head, FAINT), *text), width) for head, text in zip(heads, block, strict=False)
    ]


def _room(width: int, gutter: int) -> int:
    """Cells for text in a line: the gutter and a margin at the right are left free."""
    return max(2, width - gutter - 1)
