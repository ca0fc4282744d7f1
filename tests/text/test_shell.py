"""Words of a command line: what a shell makes of them is what was meant."""

import shlex
import subprocess
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charnn.text.shell import joined, quoted


@given(st.lists(st.text()))
def test_the_words_come_back(words: list[str]) -> None:
    assert shlex.split(joined(words)) == words


@pytest.mark.parametrize("word", ["무정", "無情", "ㅎㆍㄴ글", "먹내-2", "글/무정.txt", "a_b"])
def test_names_stand_as_they_are(word: str) -> None:
    assert quoted(word) == word


@pytest.mark.parametrize("word", ["", "두 말", "a\u3000b", "~", "무정;", "$무정", "a\u200bb", "*"])
def test_what_a_shell_may_take_for_something_else_is_quoted(word: str) -> None:
    assert quoted(word) == f"'{word}'"


def test_a_shell_agrees() -> None:
    """Letters and digits of every script of the plane that Korean is in, and some words."""
    plane = map(chr, range(0x20, 0x10000, 5))
    words = ["".join(c for c in plane if unicodedata.category(c)[0] in "LN"), "무정", "a b", "it's"]
    said = subprocess.run(
        ["/bin/sh", "-c", f"printf '%s\\n' {joined(words)}"], capture_output=True, check=True
    )
    assert said.stdout.decode().splitlines() == words
