"""Conditional entropies, against a dictionary of contexts."""

import math
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.text import entropy
from charnn.text.entropy import conditional_entropies


def slow(texts: list[str], order: int) -> float:
    """The same from counts of the next character in each context."""
    following: dict[str, Counter[str]] = defaultdict(Counter)
    for text in texts:
        for at in range(order, len(text)):
            following[text[at - order : at]][text[at]] += 1
    total = sum(counts.total() for counts in following.values())
    bits = sum(
        count * math.log2(counts.total() / count)
        for counts in following.values()
        for count in counts.values()
    )
    return bits / total if total else 0.0


@pytest.mark.parametrize("most", [2**63, 30])
@given(texts=st.lists(st.text(st.sampled_from("ab가 \n"), max_size=30), max_size=4))
def test_the_slow_twin_agrees(most: int, texts: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entropy, "_MOST", most)  # a small one: numbers are made small again
        found = conditional_entropies(texts)
    assert found == pytest.approx([slow(texts, order) for order in range(4)], abs=1e-9)


def test_known_ones() -> None:
    assert conditional_entropies([]) == (0.0,) * 4
    assert conditional_entropies(["abcd" * 64], 1) == (2.0,)
    assert conditional_entropies(["ab", "ba"], 2) == (1.0, 0.0)  # nothing goes across the border
