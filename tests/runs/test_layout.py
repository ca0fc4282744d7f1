"""Names: what a run may be called, and how a free name is found."""

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charnn.errors import OptionError, RunDamagedError
from charnn.runs.layout import check_file_name, check_run_name, next_free_name, suitable_name


@pytest.mark.parametrize("name", ["mujeong", "무정-2", "a b", "a.b", "C", "無情", "가" * 66])
def test_good_names(name: str) -> None:
    assert check_run_name(name) == name
    assert suitable_name(name) == name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "must not be empty"),
        ("a/b", r"must not hold / or \ "),
        ("a\\b", r"must not hold / or \ "),
        ("..", "must not begin with a dot, hyphen or space, nor end in a space"),
        (".streams", "must not begin with a dot, hyphen or space, nor end in a space"),
        ("-m", "must not begin with a dot, hyphen or space, nor end in a space"),
        ("a ", "must not begin with a dot, hyphen or space, nor end in a space"),
        ("a\nb", "must hold printable characters alone"),
        ("a\0", "must hold printable characters alone"),
        ("a\u202e", "must hold printable characters alone"),
        ("a\udcff", "must hold printable characters alone"),
        ("가" * 67, "must take at most 200 bytes in UTF-8 (it takes 201)"),
    ],
)
def test_bad_names(name: str, problem: str) -> None:
    with pytest.raises(OptionError) as caught:
        check_run_name(name)
    assert str(caught.value) == (
        f"run name {problem.strip()}, got {name!r}: give a name such as 'mujeong-2'"
    )


@given(st.text(st.characters(exclude_categories=()), max_size=300), st.sampled_from(["", "-12"]))
@settings(max_examples=150)
def test_a_suitable_name_is_good(stem: str, suffix: str) -> None:
    name = suitable_name(stem, suffix)
    assert check_run_name(name) == name
    assert name.endswith(suffix)
    assert suitable_name(name) == name


def test_next_free_name(tmp_path: Path) -> None:
    assert next_free_name(tmp_path / "nowhere", "무정") == "무정"
    for expected in ("무정", "무정-2", "무정-3"):
        assert next_free_name(tmp_path, "무정") == expected
        (tmp_path / expected).mkdir()
    (tmp_path / "무정-4").symlink_to(tmp_path / "broken")
    assert next_free_name(tmp_path, "무정") == "무정-5"
    long = "가" * 66
    (tmp_path / long).mkdir()
    assert next_free_name(tmp_path, long) == "가" * 66 + "-2"


@pytest.mark.parametrize(
    "name",
    [
        *("", "a", ".a", "a.", "../a", "a/b.json", "a\\b.json", "A.json", "a b.json", "ä.json"),
        *("a..b", "a.json\n", "a" * 60 + ".json", "/a.json", "c:a.json", "a.json/"),
    ],
)
def test_bad_file_names(name: Any) -> None:
    with pytest.raises(RunDamagedError) as caught:
        check_file_name(name, "x")
    assert str(caught.value) == f"x names a file {name!r}, which no run has"


def test_a_run_is_called_as_people_type_it() -> None:
    assert suitable_name(unicodedata.normalize("NFD", "무정"), "-2") == "무정-2"
