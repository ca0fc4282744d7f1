"""Which system needs fewer bits for the same text, in words: an order in which ties are ties.

Systems that predict as they were trained stand beside each other, and those that go on learning
from what they read (their names end in a star; compressors are among them) beside each other.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from intervals import Floats, difference, interval
from rows import Row

UNITS = {"bits": 1.0, "nats": math.log(2)}


@dataclass
class Comparison:
    """What several systems pay for one text; of a system with several rows, their mean.

    Args:
        rows: each with `characters`, `bits_per_char` and maybe `cells`, by system.
        unit: "bits" or "nats", a character.
    """

    rows: list[Row]
    unit: str = "bits"
    characters: int = field(init=False)

    def __post_init__(self) -> None:
        lengths = {row["characters"] for row in self.rows}
        if len(lengths) != 1:
            raise ValueError(f"only scores of one text can be compared, got {sorted(lengths)}")
        (self.characters,) = lengths

    def systems(self, *, adaptive: bool) -> list[str]:
        """Their names, the best first."""
        names = {name for row in self.rows for name in row["bits_per_char"]}
        return sorted((n for n in names if n.endswith("*") == adaptive), key=self.bits)

    def bits(self, system: str) -> float:
        """Bits per character of a system."""
        found = (row["bits_per_char"].get(system) for row in self.rows)
        return float(np.mean([bits for bits in found if bits is not None]))

    def order(self, *, adaptive: bool) -> str:
        """As in "both 3.378 ± 0.031 < network 3.457 ± 0.030 ≈ n-gram 3.460 ± 0.029"."""
        names = self.systems(adaptive=adaptive)
        told = [f"{self._sign(*pair)} {self._named(pair[1])}" for pair in pairwise(names)]
        return " ".join([*map(self._named, names[:1]), *told])

    def gap(self, worse: str, better: str) -> str:
        """The difference between two systems, as in "+0.079 ± 0.012" or "+0.003 ± 0.004 (tie)"."""
        cells, other = self._cells(worse), self._cells(better)
        if cells is None or other is None:
            return f"{self._scaled(self.bits(worse) - self.bits(better)):+.3f}"
        found = difference(cells, other, self.characters)
        told = f"{self._scaled(found.value):+.3f} ± {self._scaled(found.margin):.3f}"
        return f"{told} (tie)" if found.is_tie else told

    def _sign(self, better: str, worse: str) -> str:
        cells, other = self._cells(worse), self._cells(better)
        if cells is None or other is None:
            return "<"
        return "≈" if difference(cells, other, self.characters).is_tie else "<"

    def _named(self, system: str) -> str:
        told = f"{system} {self._scaled(self.bits(system)):.3f}"
        if (cells := self._cells(system)) is None:
            return told
        return f"{told} ± {self._scaled(interval(cells, self.characters).margin):.3f}"

    def _cells(self, system: str) -> Floats | None:
        found = [row["cells"][system] for row in self.rows if system in row.get("cells", {})]
        return np.mean(found, axis=0) if found else None

    def _scaled(self, bits: float) -> float:
        return bits * UNITS[self.unit]


def gap_between(rows: list[Row], others: list[Row], system: str, unit: str = "bits") -> str:
    """By how much a system of some rows is above that of others, of the same text; see `gap`."""
    renamed = [
        {
            "characters": row["characters"],
            "bits_per_char": {name: row["bits_per_char"][system]},
            "cells": {name: row["cells"][system]},
        }
        for name, group in (("these", rows), ("others", others))
        for row in group
    ]
    return Comparison(renamed, unit).gap("these", "others")


def grouped(rows: Iterable[Row], *keys: str) -> dict[tuple[object, ...], list[Row]]:
    """Rows that agree in some keys, in the order in which they were first met."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(key) for key in keys), []).append(row)
    return groups
