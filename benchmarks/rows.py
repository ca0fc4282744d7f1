"""What benchmarks measure, as JSON lines that are kept and Markdown that is made of them."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def append(path: Path | str | None, row: Row) -> None:
    """Add a row to a file of JSON lines, and see it on the disk; no path keeps nothing."""
    if path is None:
        return
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read(*paths: Path | str) -> list[Row]:
    """All rows of some files, of which any may not be there yet; a broken last line is left out."""
    return [row for path in paths for row in _rows(Path(path))]


def _rows(path: Path) -> Iterator[Row]:
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            if number < len(lines):
                raise


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]], left: int = 1) -> str:
    """A Markdown table whose first `left` columns are words and the others numbers.

    >>> print(markdown(["text", "bits"], [["novel", 3.4]]))
    | text | bits |
    |---|---:|
    | novel | 3.4 |
    """
    lines = [" | ".join(head), "|".join(["---"] * left + ["---:"] * (len(head) - left))]
    lines += [" | ".join(map(str, row)) for row in rows]
    return "\n".join(
        f"|{line}|" if index == 1 else f"| {line} |" for index, line in enumerate(lines)
    )


def made_by(rows: Iterable[Row]) -> str:
    """Machine, versions and commands of some rows, each named once, as lines of Markdown."""
    told = [row.get("made_by", {}) for row in rows]
    lines = []
    for key in ("machine", "versions", "command"):
        found = dict.fromkeys(made[key] for made in told if key in made)
        if key == "command":
            lines += ["", *(f"    {command}" for command in found)]
        else:
            lines += found
    return "\n".join(lines)
