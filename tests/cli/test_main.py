"""The group of commands: help, versions, usage errors, and the ways in."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import charnn.cli.main

Cli = Callable[..., Any]


def test_the_help_lists_every_command(cli: Cli) -> None:
    said = cli("--help")
    assert (said.code, said.err) == (0, "")
    commands = said.out.partition("Commands:")[2].split("\n")
    assert [line.split()[0] for line in commands if line.strip()] == [
        *("train", "generate", "eval", "watch", "runs", "corpus")
    ]
    assert cli("-h") == said


def test_the_version(cli: Cli) -> None:
    assert cli("--version") == (0, f"charnn, version {charnn.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compose"], "No such command 'compose'."),
        (["tarin", "a.txt"], "No such command 'tarin'. Did you mean 'train'?"),
        (["generate", "--temperature", "1"], "No such option"),
        (["generate", "--temp"], "Option '--temp' requires an argument."),
        (
            ["generate", "--temp", "warm"],
            "Invalid value for '--temp': 'warm' is not a valid float.",
        ),
        (["train", "--steps", "1.5"], "Invalid value for '--steps': '1.5' is not a valid integer."),
        (["generate", "a", "b"], "Got unexpected extra argument (b)"),
    ],
)
def test_wrong_usage_ends_with_2(cli: Cli, arguments: list[str], message: str) -> None:
    said = cli(*arguments)
    assert (said.code, said.out) == (2, "")
    assert f"Error: {message}" in said.err


def test_without_a_command_the_help_is_shown(cli: Cli) -> None:
    said = cli()
    assert "Usage: charnn" in said.out + said.err


def test_an_error_is_one_line_and_with_debug_a_traceback(cli: Cli, here: Path) -> None:
    message = "charnn: 'missing' cannot be read as a folder of runs (Not a directory): "
    (here / "missing").write_text("", "utf-8")
    said = cli("runs", "--checkpoints", "missing")
    assert said == (1, "", message + "name another with --checkpoints\n")
    loud = cli("--debug", "runs", "--checkpoints", "missing")
    assert (loud.code, loud.out) == (1, "")
    assert loud.err.startswith("Traceback") and loud.err.endswith(said.err)


def test_debug_from_the_environment(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARNN_DEBUG", "1")
    assert cli("generate").err.startswith("Traceback")


def test_an_error_shows_no_control_characters(cli: Cli) -> None:
    said = cli("train", "a\x1b[2J\nb.txt")
    assert said.code == 1
    assert "\x1b" not in said.err and said.err.count("\n") == 1


def test_python_m_charnn() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "charnn", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"charnn, version {charnn.__version__}\n"


def test_ctrl_c_while_a_compiled_module_loads_is_no_error(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise RuntimeError("could not load") from KeyboardInterrupt()

    monkeypatch.setattr("charnn.cli.main.group.main", load)
    assert cli("runs") == (130, "", "")


def test_an_error_of_a_compiled_module_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise RuntimeError("could not load")

    monkeypatch.setattr("charnn.cli.main.group.main", load)
    with pytest.raises(RuntimeError, match="could not load"):
        charnn.cli.main.run(0.0, ["runs"])


def test_ctrl_c_before_anything_is_there_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n", encoding="utf-8")
    code = "import sys; sys.path.insert(0, sys.argv[1]); from charnn.__main__ import main; main()"
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_memory_that_has_run_out_is_told_in_a_line(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("charnn.cli.main.group.main", load)
    told = "charnn: memory has run out: close other programs, or take less text at once\n"
    assert cli("runs") == (1, "", told)
