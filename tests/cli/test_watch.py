"""`charnn watch`: a replay in plain lines; the live view is tested in tests/view."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.fixture
def watch(cli: Cli, written: Path) -> Cli:
    return lambda *arguments: cli("watch", "--checkpoints", written.parent, *arguments)


def test_a_replay_tells_what_the_training_told(watch: Cli) -> None:
    said = watch("story", "--speed", "1e9", "--ui", "plain")
    assert (said.code, said.out) == (0, "")
    assert "    run  story in " in said.err
    assert "sample at step 3, temperature 0.5" in said.err
    assert "story: finished at step 3 after " in said.err


def test_a_run_that_was_broken_off_says_so_and_how_to_go_on(cli: Cli, story: Path) -> None:
    events = story / "events.jsonl"
    lines = events.read_text("utf-8").splitlines(keepends=True)
    events.write_text("".join(line for line in lines if '"finished"' not in line), "utf-8")
    said = cli("watch", "story", "--speed", "1e9", "--ui", "plain")
    assert said.code == 0
    assert "story: broken off at step 3 after " in said.err
    assert "charnn train --resume " in said.err


def test_without_a_name_it_is_the_newest_run(watch: Cli) -> None:
    rest = ("--speed", "1e9", "--ui", "plain")
    assert watch(*rest) == watch("story", *rest)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--speed", "0"), "speed must be > 0, got 0.0"),
        (("--speed", "nan"), "speed must be > 0, got nan"),
        (("--ui", "gui"), "ui must be one of auto, live, plain, none, got 'gui'"),
    ],
)
def test_values_are_checked_before_a_run_is_looked_for(
    cli: Cli, arguments: tuple[str, ...], message: str
) -> None:
    assert cli("watch", "nowhere", *arguments) == (2, "", f"charnn: {message}\n")


def test_a_run_that_is_not_there(watch: Cli) -> None:
    said = watch("stroy")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("charnn: run 'stroy' is not there: ")
