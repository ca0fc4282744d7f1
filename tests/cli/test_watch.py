"""`charnn watch`: a replay in plain lines; the live view is tested in tests/view."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charnn.records import Record
from charnn.view.base import NoView

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


def test_a_run_that_was_given_more_is_replayed_to_its_new_end(
    train: Cli, cli: Cli, story: Path
) -> None:
    assert cli("train", "--resume", "story", "--steps", "2", "--ui", "none").code == 0
    said = cli("watch", "story", "--speed", "1e9", "--ui", "plain").err
    assert said.index("story: finished at step 3 after ") < said.index("resumed: more from step 3")
    assert "now, to end in time" not in said
    assert said.count("   plan  ") == 2
    assert "story: finished at step 5 after " in said.partition("resumed")[2]


def test_nobody_reading_ends_it(watch: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Record] = []

    class Gone(NoView):
        gone = property(lambda self: len(told) > 2)

        def show(self, record: Record) -> None:
            told.append(record)

    monkeypatch.setattr("charnn.view.views.NoView", Gone)
    assert watch("story", "--speed", "1e9", "--ui", "none").code == 0
    assert len(told) == 3


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
