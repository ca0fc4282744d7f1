"""Samples: stretches spread over a text."""

from itertools import pairwise

import pytest

from charnn.text.sampling import Spread


def taken(text: str, most: int | None, block: int = 50) -> tuple[tuple[str, ...], bool]:
    spread = Spread(len(text), most)
    for start in range(0, len(text), block):
        spread.add(text[start : start + block], start)
    spread.end_file()
    sample = spread.sample()
    assert sample.characters == sum(map(len, sample.texts))
    return sample.texts, sample.whole


LINES = "".join(f"line {number:06}\n" for number in range(10_000))


@pytest.mark.parametrize("most", [None, len(LINES), len(LINES) + 1])
def test_a_short_text_is_taken_whole(most: int | None) -> None:
    assert taken(LINES, most) == ((LINES,), True)


def test_stretches_of_lines_spread_over_the_text() -> None:
    texts, whole = taken(LINES, 12_000)
    assert not whole and len(texts) == 32
    assert all(text in LINES and text.endswith("\n") for text in texts)
    assert all(text.startswith("line ") for text in texts)
    assert 9_000 < sum(map(len, texts)) <= 13_600
    places = [LINES.index(text) for text in texts]
    gaps = [b - a for a, b in pairwise(places)]
    assert max(gaps) < 2 * min(gaps)


def test_a_text_without_lines_is_sampled_too() -> None:
    texts, whole = taken("가" * 100_000, 10_000)
    assert not whole and len(texts) == 32


def test_files_are_stretches_of_their_own() -> None:
    spread = Spread(4, 8)
    spread.add("ab", 0)
    spread.end_file()
    spread.add("c\udcff", 2)
    spread.end_file()
    assert spread.sample().texts == ("ab", "c�")
