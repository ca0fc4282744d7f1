"""Figures are short, ASCII, and there for every number."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.view import figures

WRITERS = (
    figures.duration,
    figures.count,
    figures.compact,
    figures.bits,
    figures.rate,
    figures.magnitude,
    figures.perplexity,
    figures.temperature,
)


@given(st.floats())
@settings(max_examples=200)
def test_every_number_can_be_written_in_ascii(value):
    for write in WRITERS:
        assert write(value).isascii()
        assert write(value).strip() == write(value) != ""


@given(st.integers(0, 10**15))
@settings(max_examples=200)
def test_compact_figures_are_short_and_close(value):
    text = figures.compact(value)
    assert len(text) <= 5
    scale = {"K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}.get(text[-1], 1)
    assert float(text.rstrip("KMGT")) * scale == pytest.approx(value, rel=0.006)


@given(st.integers(1, 10**15))
@settings(max_examples=100)
def test_memory_is_short_and_close(value):
    number, unit = figures.memory(value).split()
    scale = {"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    assert float(number) * scale == pytest.approx(value, rel=0.006, abs=1)


@given(st.floats(1e-12, 1e12))
@settings(max_examples=100)
def test_magnitudes_keep_three_figures(value):
    assert len(figures.magnitude(value)) <= 7
    assert float(figures.magnitude(value)) == pytest.approx(value, rel=0.06)
