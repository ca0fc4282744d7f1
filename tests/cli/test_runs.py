"""`charnn runs`: the runs in a line each, or one in full."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


def test_no_runs_yet(cli: Cli) -> None:
    message = "no runs in checkpoints yet: train one with 'charnn train TEXT'"
    assert cli("runs") == (0, "", f"{message}\n")


def test_a_line_for_each_the_newest_first(cli: Cli, story: Path, train: Cli, text: Path) -> None:
    assert train(text, "--steps", "1", "--tokenizer", "jamo", "--run", "새 글").code == 0
    said = cli("runs")
    assert (said.code, said.err) == (0, "")
    head, new, old = (re.split(r" {2,}", line.strip()) for line in said.out.splitlines())
    columns = ["run", "corpus", "tokenizer", "size", "parameters", "step", "bits/char", "saved"]
    assert head == columns
    assert new[:4] == ["새 글", "novel", "jamo", "1x8 lstm"]
    assert old[:4] == [story.name, "story", "char", "1x8 lstm"]
    assert said.out.count(" ago") == 2


def test_nothing_is_cut_where_no_terminal_is(cli: Cli, story: Path) -> None:
    name = "아주 긴 이름의 실행 " * 5 + "끝"
    story.rename(story.with_name(name))
    assert name in cli("runs").out


def test_a_damaged_run_is_listed_and_the_others_too(cli: Cli, story: Path) -> None:
    (story.parent / "broken").mkdir()
    (story.parent / "broken" / "config.json").write_text("{}", encoding="utf-8")
    said = cli("runs")
    assert said.code == 0
    lines = {line.split()[0]: line for line in said.out.splitlines()}
    assert "damaged: " in lines["broken"]
    assert "1x8 lstm" in lines["story"]


def test_a_name_cannot_act_on_the_terminal(cli: Cli, story: Path) -> None:
    story.rename(story.with_name("a\x1b[31m\u202eb[bold]c"))
    said = cli("runs")
    assert "\x1b" not in said.out and "\u202e" not in said.out
    assert "b[bold]c" in said.out


def test_one_in_full(cli: Cli, story: Path) -> None:
    said = cli("runs", "story")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == "story"
    told = dict(line.strip().split(maxsplit=1) for line in lines[1:] if line.startswith("  "))
    assert told["folder"] == str(Path("checkpoints", "story"))
    assert told["text"] == "story, 3,000 characters"
    assert told["tokenizer"].startswith("char, ")
    assert told["model"].startswith("1 x 8 lstm, ")
    assert told["checkpoint"] == "step 3"
    assert re.fullmatch(r"\d+\.\d{4} bits per character at step [1-3]", told["best"])
    assert "saved: checkpoint at step 3" in said.out


@pytest.mark.usefixtures("story")
def test_a_run_that_is_not_there(cli: Cli) -> None:
    message = "run 'storm' is not there: in 'checkpoints' there is story, perhaps 'story'?"
    assert cli("runs", "storm") == (1, "", f"charnn: {message}\n")
