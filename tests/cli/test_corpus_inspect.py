"""`charnn corpus inspect`: what is in a text."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
KEYS = {
    *("encoding", "characters", "distinct", "compatibility_hanja", "private_use"),
    *("conjoining_jamo", "nfd_sequences", "recommendation", "tokenizers", "findings"),
}


def test_the_report(cli: Cli, text: Path) -> None:
    said = cli("corpus", "inspect", text)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0].split() == ["text", str(text)] or str(text)[:40] in said.out
    assert "length         1,500 characters" in said.out
    assert "  command        charnn train" in said.out
    assert max(map(len, lines)) <= 80


def test_as_json(cli: Cli, text: Path) -> None:
    said = cli("corpus", "inspect", text, "--json")
    assert (said.code, said.err) == (0, "")
    told = json.loads(said.out)
    assert set(told) > KEYS
    assert (told["encoding"], told["characters"]) == ("utf-8", 1500)
    assert told["recommendation"]["tokenizer"] == "char"
    assert told["recommendation"]["command"].startswith("charnn train ")
    assert set(told["tokenizers"]) == {"char", "jamo", "byte", "subword"}


def test_what_it_advises_can_be_done(cli: Cli, text: Path, train: Cli) -> None:
    text.write_bytes(text.read_text("utf-8").encode("cp949", "replace"))
    told = json.loads(cli("corpus", "inspect", text.name, "--json").out)
    command = told["recommendation"]["command"].split()
    assert command[:3] == ["charnn", "train", text.name]
    assert command[-2:] == ["--encoding", "cp949"]
    assert train(text.name, "--steps", "1", *command[-2:]).code == 0


def test_stdin_and_several_texts(cli: Cli, text: Path) -> None:
    said = cli("corpus", "inspect", "-", text.name, "--json", stdin="가나다".encode("utf-16"))
    told = json.loads(said.out)
    assert told["characters"] == 1503
    assert [file["name"] for file in told["files"]] == ["stdin", text.name]
    assert told["encoding"] == "mixed"


def test_an_encoding_that_is_said(cli: Cli, text: Path) -> None:
    told = json.loads(cli("corpus", "inspect", text, "--encoding", "latin-1", "--json").out)
    assert (told["encoding"], told["certainty"]) == ("iso8859-1", "given")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "inspect needs a TEXT: name a file, a folder, or - for stdin"),
        (["missing.txt"], 1, "missing.txt does not exist: check its path"),
        (
            ["empty.txt"],
            1,
            "empty.txt is empty, there is nothing to inspect: name a file with text",
        ),
        (
            ["novel.txt", "--encoding", "klingon"],
            2,
            "encoding must be a character set such as utf-8 or cp949, got 'klingon'",
        ),
    ],
)
def test_refusals(cli: Cli, text: Path, arguments: list[str], code: int, message: str) -> None:
    (text.parent / "empty.txt").write_bytes(b"")
    assert cli("corpus", "inspect", *arguments) == (code, "", f"charnn: {message}\n")


def test_the_group_lists_its_commands(cli: Cli) -> None:
    said = cli("corpus", "--help")
    commands = said.out.partition("Commands:")[2].split("\n")
    assert [line.split()[0] for line in commands if line.strip()] == ["inspect", "clean", "fetch"]
    assert cli("corpus", "compose").code == 2


def test_the_full_text_from_the_environment(
    cli: Cli, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARNN_CORPUS_INSPECT_FULL", "1")
    monkeypatch.setenv("CHARNN_CORPUS_INSPECT_JSON", "1")
    assert json.loads(cli("corpus", "inspect", text).out)["sample"]["whole"]
