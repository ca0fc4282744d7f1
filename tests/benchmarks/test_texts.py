"""Splits as they are written, and as `charnn train` makes them."""

from argparse import ArgumentTypeError

import pytest
from texts import check_split, cut, find_text, split_options

from charnn.corpus.split import split_text


@pytest.mark.parametrize("split", ["90/10", "85/5/10", "70/30"])
def test_a_split_is_that_of_the_training(split):
    text = "".join(map(chr, range(97, 97 + 26))) * 41
    given = [float(value) for value in split_options(split)[1::2]]
    expected = split_text(len(text), *given)
    parts = cut(text, split)
    assert "".join(parts) == text
    assert tuple(map(len, parts)) == (expected.train, expected.validation, expected.test)


@pytest.mark.parametrize("split", ["90", "85/5/5", "a/b", "90/-10/20", "50/20/20/10", ""])
def test_what_is_no_split_is_refused(split):
    with pytest.raises(ArgumentTypeError, match=r"^split must be like 90/10 or 85/5/10, got "):
        check_split(split)


def test_a_text_that_is_not_there_says_where_to_put_it(here):
    with pytest.raises(SystemExit, match=r"^there is no x\.txt: set CHARNN_TEXTS to the folder"):
        find_text("x.txt")
