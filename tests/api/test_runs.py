"""Runs that are there: one by name or path, and the list of all."""

from pathlib import Path

import pytest

import charnn
from charnn.errors import RunNotFoundError


def test_load_by_name_by_path_and_the_newest(story: Path) -> None:
    for model in (charnn.load("story"), charnn.load(str(story)), charnn.load(story), charnn.load()):
        assert model.name == "story"
        assert model.path.resolve() == story.resolve()


def test_load_says_what_there_is(story: Path) -> None:
    with pytest.raises(RunNotFoundError) as caught:
        charnn.load("storm")
    assert str(caught.value) == (
        "run 'storm' is not there: in 'checkpoints' there is story, perhaps 'story'?"
    )
    assert story.is_dir()


def test_list_runs_also_after_the_rooms_are_imported(story: Path) -> None:
    import charnn.runs.run  # once a function was called like this room, which hid it

    (found,) = charnn.list_runs()
    assert (found.name, found.step, found.size) == (story.name, 3, "1x8 lstm")
    assert charnn.list_runs("nowhere") == []
