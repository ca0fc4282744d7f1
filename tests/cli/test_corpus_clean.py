"""`charnn corpus clean`: what it says and what it writes."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

Cli = Any


@pytest.fixture
def old(here: Path) -> Path:
    """A text with something for every repair that needs no package."""
    path = here / "old.txt"
    lines = [
        "\ufeff선형(善馨)의 집 ",
        unicodedata.normalize("NFD", "형식"),
        "\uf9e1光洙",
        "ＡＢ\x07",
    ]
    path.write_text("\r\n".join([*lines, "", "", "", "끝\n"]), "utf-8", newline="")
    return path


def test_every_repair_is_told_with_count_and_examples(cli: Cli, old: Path) -> None:
    said = cli("corpus", "clean", old, "--dry-run")
    assert (said.code, said.out) == (0, "")
    lines = [line.strip() for line in said.err.splitlines()]
    assert lines[0] == f"{old}: 38 characters of utf-8, without its byte order mark"
    assert "--newlines                7  line ends made LF: U+000D U+000A → U+000A (7x)" in lines
    assert "--controls                1  control characters and unseen marks removed: " in said.err
    assert "--hanja                   1  compatibility Hanja unified: \uf9e1 U+F9E1 → 李" in lines
    assert "--glosses                 1  Hanja glosses: 선형(善馨) → 선형" in lines
    assert "--blank-lines             1  runs of blank lines made one: " in said.err
    assert lines[-1].startswith("nothing written; it would have ")
    assert [path.name for path in old.parent.iterdir()] == ["old.txt"]


def test_only_what_is_asked_for_is_done(cli: Cli, here: Path, old: Path) -> None:
    said = cli("corpus", "clean", old, "-o", "new.txt", "--nfc-hangul", "--newlines")
    assert said.code == 0
    text = (here / "new.txt").read_bytes().decode()
    assert text == "선형(善馨)의 집 \n형식\n\uf9e1光洙\nＡＢ\x07\n\n\n\n끝\n"
    names = [line.split()[0] for line in said.err.splitlines()]
    assert names == [f"{old}:", "--newlines", "--nfc-hangul", "new.txt:"]


def test_json(cli: Cli, old: Path) -> None:
    said = cli("corpus", "clean", old, "--dry-run", "--json", "--hanja", "--glosses", "keep")
    report = json.loads(said.out)
    assert said.err == ""
    assert report["encoding"] == "utf-8"
    assert report["byte_order_mark"] is True
    assert report["output"] is None
    one = {"before": "\uf9e1", "after": "李", "count": 1}
    assert report["repairs"]["hanja"] == {
        "count": 1,
        "left": 0,
        "examples": [one],
        "examples_left": [],
    }
    assert report["repairs"]["glosses"]["left"] == 1


def test_an_encoding_is_found_out_and_told(cli: Cli, here: Path, novella: Path) -> None:
    (here / "old.txt").write_bytes(novella.read_text("utf-8")[:5000].encode("cp949", "ignore"))
    said = cli("corpus", "clean", "old.txt", "-o", "new.txt", "--encoding", "auto")
    assert said.code == 0
    assert " characters of cp949\n" in said.err
    assert (here / "new.txt").read_text("utf-8").startswith(novella.read_text("utf-8")[:20])


def test_stdin(cli: Cli, here: Path) -> None:
    said = cli("corpus", "clean", "-", "-o", "new.txt", "--newlines", stdin=b"a\r\nb")
    assert said.code == 0
    assert (here / "new.txt").read_bytes() == b"a\nb"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["old.txt"], "clean needs either -o OUT or --dry-run: name the new file"),
        (
            ["old.txt", "-o", "new.txt", "--dry-run"],
            "clean needs either -o OUT or --dry-run: name the new file",
        ),
        (
            ["old.txt", "-o", "new.txt"],
            "clean needs a repair such as --newlines or --nfc-hangul: "
            "--dry-run tells what there is to repair",
        ),
        (
            ["old.txt", "-o", "old.txt", "--newlines"],
            "old.txt is there already and is not overwritten: name another -o",
        ),
        (
            ["old.txt", "--dry-run", "--glosses", "burn"],
            "glosses must be one of keep, drop, swap, got 'burn'",
        ),
        (
            ["old.txt", "--dry-run", "--encoding", "klingon"],
            "encoding must be a character set such as utf-8 or cp949, got 'klingon'",
        ),
    ],
)
def test_refusals(cli: Cli, old: Path, arguments: list[str], message: str) -> None:
    before = old.read_bytes()
    said = cli("corpus", "clean", *arguments)
    assert (said.code, said.out, said.err) == (2, "", f"charnn: {message}\n")
    assert old.read_bytes() == before


def test_hanyang_that_is_not_converted_is_told(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from charnn.text.clean import characters

    monkeypatch.setattr(characters, "_hanyang_table", lambda: None)
    (here / "old.txt").write_text("나랏말\uebd4미", "utf-8")
    said = cli("corpus", "clean", "old.txt", "--dry-run", "--hanyang")
    assert "1  characters of Hanyang private use not converted: U+EBD4\n" in said.err
    assert "to convert them: pip install 'charnn[hanyang]'\n" in said.err
