"""Parts of the report of an inspected text: words, repeats, predictability, tokenizers.

How they are put together is left to inspection.py.
"""

from collections.abc import Sequence

from rich.columns import Columns
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from charnn.corpus.tokenizers.comparison import Fit
from charnn.text.inspect import Inspection
from charnn.view import figures
from charnn.view.display_text import safe_text
from charnn.view.palette import FAINT, STRONG
from charnn.view.wrapping import crop

NARROW = 60  # cells; below this tables have short heads, and no bars
_WORDS_SHOWN = 16
_LABEL = 13


def grid() -> Table:
    """Two columns: labels, and values that are folded where the terminal ends."""
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=_LABEL, no_wrap=True)
    table.add_column(overflow="fold")
    return table


def percent(share: float) -> str:
    """A share in few figures, never 0 for something that is there.

    >>> [percent(share) for share in (0.6904, 0.0031, 0.000004)]
    ['69.0 %', '0.31 %', '< 0.01 %']
    """
    if share >= 0.1:
        return f"{share:.1%}".replace("%", " %")
    return f"{share:.2%}".replace("%", " %") if share >= 0.00005 else "< 0.01 %"


def words_table(inspection: Inspection) -> RenderableType | None:
    """The most frequent words; None where there are no words."""
    words = inspection.words
    if not words.most:
        return None
    shown = [
        Text.assemble((crop(safe_text(word, newline="⏎"), 16), STRONG), f" {count:,}")
        for word, count in words.most[:_WORDS_SHOWN]
    ]
    table = Table.grid()
    table.add_row(Columns(shown, padding=(0, 3)))
    table.add_row(Text(f"{words.total:,} words, {words.distinct:,} different ones", style=FAINT))
    return table


def repeats_table(inspection: Inspection, width: int) -> Table:
    """Lines and passages that stand in the text more than once, each cut to the width in cells."""
    lines, passages = inspection.lines, inspection.passages
    table = grid()

    def row(label: str, value: str) -> None:
        table.add_row(Text(label, style=FAINT), Text(value))

    room = max(12, width - _LABEL - 6)
    if lines.repeated:
        share = percent(lines.characters)
        row("lines", f"{lines.repeated:,} of {lines.lines:,} stand further up ({share} of all)")
        for line in lines.most:
            times = f"{line.count:,} x"
            row(f"{times:>{_LABEL}}", crop(safe_text(line.text, newline="⏎"), room))
    else:
        row("lines", "none")
    if not passages.longest:
        row("passages", f"none of {passages.least} characters or more")
        return table
    share = percent(passages.share)
    row("passages", f"of {passages.least} characters or more: {share} of all stands further up")
    for passage in passages.longest:
        times = f"{passage.count:,} x {len(passage.text):,}"
        row(f"{times:>{_LABEL}}", crop(safe_text(passage.text.strip(), newline="⏎"), room))
    return table


def predictability_table(inspection: Inspection) -> Table:
    """Entropies and compressors, and what they are good for."""
    table = grid()
    order = inspection.entropies
    told = ", ".join(
        [f"{order[0]:.2f} alone"]
        + [f"{value:.2f} after {known}" for known, value in enumerate(order[1:], 1)]
    )
    table.add_row(Text("entropy", style=FAINT), Text(told))
    for one in inspection.yardsticks:
        if one.missing is not None:
            table.add_row(Text(one.name, style=FAINT), Text(one.missing, style=FAINT))
        elif one.bits_per_char is not None:
            last = "" if one.last_tenth is None else f", its last tenth {one.last_tenth:.3f}"
            table.add_row(Text(one.name, style=FAINT), Text(f"{one.bits_per_char:.3f}{last}"))
    explained = (
        "A compressor learns as it reads: what the last tenth costs it is what a model's bits per "
        "character compare with. Entropies are of the text's own counts, which no model can know."
    )
    table.add_row("", Text(explained, style=FAINT))
    return table


def tokenizers_table(fits: Sequence[Fit], width: int) -> Table:
    """What each tokenizer makes of the text, in so many cells."""
    wide = width >= NARROW
    table = Table(box=None, pad_edge=False, header_style=FAINT)
    table.add_column("tokenizer" if wide else "", no_wrap=True)
    table.add_column("vocabulary" if wide else "size", justify="right", no_wrap=True)
    table.add_column("tokens per character" if wide else "per char", justify="right")
    table.add_column("characters spelled out" if wide else "rare", justify="right")
    for fit in fits:
        rare = "-" if fit.kind == "byte" else percent(fit.rare) if fit.rare else "none"
        table.add_row(fit.kind, figures.count(fit.vocab_size), f"{fit.tokens_per_char:.3f}", rare)
    return table
