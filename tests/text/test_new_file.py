"""A new file appears whole or not at all, and never in the place of another."""

import os
from pathlib import Path

import pytest

from charnn.errors import OptionError, TextError
from charnn.text.new_file import new_file


def test_it_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new.txt"
    with new_file(path) as stream:
        stream.write(b"one")
        assert not path.exists()
    assert path.read_bytes() == b"one"
    assert [one.name for one in tmp_path.iterdir()] == ["new.txt"]
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_file(tmp_path / "new.txt") as stream:
        stream.write(b"one")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_what_is_there_stays(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "old.txt"
    make = {
        "file": lambda: path.write_bytes(b"old"),
        "link": lambda: path.symlink_to(tmp_path / "nowhere"),
        "folder": path.mkdir,
    }
    make[kind]()
    with pytest.raises(OptionError) as caught, new_file(path):
        pass
    assert str(caught.value) == f"{path} is there already and is not overwritten: name another -o"
    assert [one.name for one in tmp_path.iterdir()] == ["old.txt"]


def test_what_came_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "new.txt"
    with pytest.raises(OptionError, match="is there already"), new_file(path) as stream:
        stream.write(b"mine")
        path.write_bytes(b"theirs")
    assert path.read_bytes() == b"theirs"
    assert [one.name for one in tmp_path.iterdir()] == ["new.txt"]


def test_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "new.txt"
    with new_file(path) as stream:
        stream.write(b"one")
    assert path.read_bytes() == b"one"
    assert [one.name for one in tmp_path.iterdir()] == ["new.txt"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "no" / "new.txt"
    with pytest.raises(TextError) as caught, new_file(path):
        pass
    assert str(caught.value) == (
        f"{path} cannot be written (No such file or directory): check the folder and the disk"
    )
