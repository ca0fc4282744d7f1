"""The table of `charnn eval --samples`."""

from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from charnn.text.quality import Measure
    from charnn.training.samples import SampleReport

_COLUMNS = 80
_WIDTH = 34
_LABELS = {
    "known_words": "words that occur in training",
    "copied": "in copied spans of {span} or more",
    "longest_copy": "longest copied span",
    "distinct_words": "distinct words",
    "distinct_word_pairs": "distinct word pairs",
    "distinct_4_grams": "distinct 4-grams of characters",
    "particles": "을/를, 와/과, 으로/로 that fit",
    "noun_particles": "은/는, 이/가 that fit",
}
_COUNTS = ("longest_copy",)


def table(name: str, report: "SampleReport") -> list[str]:
    """The report in lines of at most 80 columns; measures with nothing to count are left out."""
    options, comparison = report.options, report.comparison
    samples = "1 sample" if options.num_samples == 1 else f"{options.num_samples} samples"
    head = (
        f"{name}: {samples} of {options.length:,} characters at temperature "
        f"{options.temperature:g}, seed {options.seed}, each going on from a passage of the "
        f"{report.part} part of its text; beside them, what follows there in truth"
    )
    foot = (
        f"Copies are searched for in {report.training_characters:,} characters of the training "
        f"part. Of {report.heldout_characters:,} held-out characters {comparison.span_share:.2%} "
        f"lie in such spans by chance."
    )
    rows = [
        _row(_LABELS[measure].format(span=comparison.span), numbers, measure in _COUNTS)
        for measure, numbers in comparison.measures.items()
        if (numbers.samples, numbers.heldout) != (None, None)
    ]
    return [
        *_wrapped(head),
        "",
        f"  {'':{_WIDTH}} {'samples':>9} {'held-out':>9} {'ratio':>7}",
        *rows,
        "",
        *_wrapped(foot),
    ]


def _wrapped(text: str) -> list[str]:
    """Words in lines of at most 80 cells."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if cell_len(longer) > _COLUMNS and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _row(label: str, numbers: "Measure", is_count: bool) -> str:
    places = 0 if is_count else 4
    ratio = "-" if numbers.ratio is None else f"{numbers.ratio:.3f}"
    padded = label + " " * (_WIDTH - cell_len(label))
    sides = (_number(value, places) for value in (numbers.samples, numbers.heldout))
    return f"  {padded} {' '.join(sides)} {ratio:>7}"


def _number(value: float | None, places: int) -> str:
    return f"{'-' if value is None else format(value, f',.{places}f'):>9}"
