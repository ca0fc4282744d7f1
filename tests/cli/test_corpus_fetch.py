"""`charnn corpus fetch`: the catalogue, and what is said of a work that cannot be fetched."""

import socket
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from charnn.text.fetch.catalogue import CATALOGUE

Cli = Any


def test_without_a_name_it_lists_the_catalogue(cli: Cli) -> None:
    said = cli("corpus", "fetch")
    lines = said.out.splitlines()
    assert (said.code, said.err) == (0, "?: no one else is known to fetch a page of this title\n")
    assert len(lines) == len(CATALOGUE)
    assert lines[0].split() == ["mujeong", "무정", "이광수,", "d.", "1950"]
    assert all(cell_len(line) <= 80 for line in lines)
    assert [line.split()[0] for line in lines if line.endswith(" ?")] == ["botchan"]


def test_a_name_that_is_not_there(cli: Cli) -> None:
    said = cli("corpus", "fetch", "mujong")
    message = "there is no work 'mujong' in the catalogue: 'charnn corpus fetch' lists them"
    assert (said.code, said.err) == (2, f"charnn: {message}\n")


def test_offline(cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    said = cli("corpus", "fetch", "mujeong")
    assert (said.code, said.err) == (
        1,
        "charnn: ko.wikisource.org cannot be reached (Name or service not known): "
        "is this computer online?\n",
    )
    assert list(here.iterdir()) == []


def test_nothing_is_overwritten(cli: Cli, here: Path) -> None:
    (here / "mine.txt").write_text("mine", "utf-8")
    said = cli("corpus", "fetch", "mujeong", "-o", "mine.txt")
    assert said.code == 2
    assert said.err == "charnn: mine.txt is there already and is not overwritten: name another -o\n"


def test_a_contact_that_is_none(cli: Cli) -> None:
    said = cli("corpus", "fetch", "mujeong", "--contact", "me\r\nX: y")
    assert said.code == 2
    assert said.err.startswith("charnn: contact must be printable characters, got ")


def test_a_title_that_is_none(cli: Cli) -> None:
    said = cli("corpus", "fetch", "mujeong", "--title", "\udcff")
    assert said.code == 2
    assert said.err == "charnn: title must be printable characters, got '\\udcff'\n"


def test_an_output_that_names_no_file(cli: Cli) -> None:
    said = cli("corpus", "fetch", "mujeong", "-o", ".")
    assert (said.code, said.err) == (2, "charnn: output must name a file, got '.'\n")


def test_train_says_what_brings_a_text_of_the_catalogue(cli: Cli) -> None:
    said = cli("train", "corpora/mujeong.txt", "--ui", "none")
    assert (said.code, said.err) == (
        1,
        "charnn: corpora/mujeong.txt does not exist: 'charnn corpus fetch mujeong' brings it\n",
    )
