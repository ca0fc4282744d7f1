"""Repeated lines and passages, against a search for every passage by itself."""

import random

from hypothesis import given
from hypothesis import strategies as st

from charnn.text.repeats import repeated_lines, repeated_passages

PROSE = random.Random(1).choices("가나다라마바사아자차카타파하 ", k=3000)


def prose(start: int, length: int) -> str:
    return "".join(PROSE[start : start + length])


def slow_share(texts: list[str], least: int) -> float:
    """The share of characters in windows that stand further up, windows of few letters aside."""
    seen: set[str] = set()
    covered = 0
    for text in texts:
        inside = [False] * len(text)
        for at in range(len(text) - least + 1):
            window = text[at : at + least]
            if window in seen:
                inside[at : at + least] = [True] * least
            seen.add(window)
        covered += sum(inside)
    return covered / max(1, sum(map(len, texts)))


@given(st.lists(st.lists(st.sampled_from(["abcde", "fghij", "klmno", "p"])), max_size=3))
def test_the_share_is_that_of_the_slow_twin(parts: list[list[str]]) -> None:
    texts = ["".join(words) for words in parts]
    found = repeated_passages(texts, least=6)
    assert abs(found.share - slow_share(texts, 6)) < 1e-9


def test_a_passage_is_found_whole_with_its_copies() -> None:
    passage = prose(0, 200)
    texts = [prose(300, 500) + passage + prose(900, 100) + passage, prose(1200, 50) + passage]
    found = repeated_passages(texts)
    (one,) = found.longest
    assert (one.text, one.count, one.first, one.again) == (passage, 3, 500, 800)
    assert found.share == 400 / sum(map(len, texts))


def test_passages_within_longer_ones_are_not_told_again() -> None:
    long = prose(0, 300)
    found = repeated_passages([long + "!" + long + "?" + long[100:200] + "."])
    assert [one.text for one in found.longest] == [long]


def test_nothing_goes_across_a_border() -> None:
    half = prose(0, 40)
    rest = prose(40, 40)
    assert repeated_passages([half + rest, half, rest]).longest == ()


def test_rules_and_blanks_are_no_passages() -> None:
    assert repeated_passages(["-" * 1000 + "\n" * 500 + " ." * 300]).longest == ()


def test_short_and_empty_texts() -> None:
    for texts in ([], [""], ["a"], [prose(0, 64)]):
        found = repeated_passages(texts)
        assert (found.share, found.longest) == (0.0, ())


def test_lines() -> None:
    found = repeated_lines(["a\n* * *\n\nb \n", "* * *\n b\nc"])
    assert (found.lines, found.repeated) == (6, 2)
    assert [(line.text, line.count) for line in found.most] == [("* * *", 2), ("b", 2)]
    assert repeated_lines([]).characters == 0.0
