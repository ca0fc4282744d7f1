"""Which room may import which, and what no command may drag in."""

import ast
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "charnn"
ORDER = (
    *("errors", "records", "text", "corpus", "model", "runs", "generation"),
    *("training", "api", "view", "cli"),
)
BESIDES = {"view": {"api", "training"}}
"""Rooms above a room that it may not import all the same."""
TORCH = {"model", "training"}
LIBRARIES = {
    "torch": TORCH,
    "click": {"cli"},
    "prompt_toolkit": {"cli"},
    "rich": {"view", "cli"},
    "sentencepiece": {"corpus"},
    "safetensors": {"runs", "model"},
    "charset_normalizer": {"text"},
    "pyppmd": {"text"},
}
"""Who may import what does not come with Python; NumPy is everybody's."""
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
COMMANDS = ("train", "generate", "eval", "watch", "runs", "corpus")


def room_of(path: Path) -> str:
    """The room a file belongs to; the package's own files are rooms of their own."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imports(path: Path) -> tuple[str, ...]:
    """The full name of everything a file imports, wherever in it and for whatever purpose."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(names)


def rooms_used(path: Path) -> set[str]:
    """The rooms a file imports from; "charnn" alone is what the package itself offers."""
    names = [name.split(".") for name in imports(path)]
    used = {parts[1] if len(parts) > 1 else "charnn" for parts in names if parts[0] == "charnn"}
    return used - {"_version", "py"}


def test_every_room_has_its_place() -> None:
    rooms = {room_of(path) for path in MODULES}
    assert rooms == {*ORDER, "__init__", "__main__", "_version"}


@pytest.mark.parametrize("room", ORDER)
def test_a_room_imports_only_from_rooms_above_it(room: str) -> None:
    allowed = set(ORDER[: ORDER.index(room) + 1]) - BESIDES.get(room, set())
    upward = {
        str(path.relative_to(PACKAGE)): sorted(rooms_used(path) - allowed)
        for path in MODULES
        if room_of(path) == room and not rooms_used(path) <= allowed
    }
    assert upward == {}


def test_the_doors_import_what_is_behind_them() -> None:
    assert rooms_used(PACKAGE / "__init__.py") == {"api", "errors"}
    assert rooms_used(PACKAGE / "__main__.py") == {"cli"}


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_stays_in_its_rooms(library: str) -> None:
    users = {
        room_of(path)
        for path in MODULES
        if any(name.split(".")[0] == library for name in imports(path))
    }
    assert users <= LIBRARIES[library]


WATCHED = """
import contextlib, io, json, sys, time
import charnn
from charnn.cli.main import run
seen = {"import charnn": sorted({"torch", "numpy"} & set(sys.modules))}
for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = run(time.monotonic(), arguments)
    seen[" ".join(arguments)] = [*sorted({"torch", "numpy"} & set(sys.modules)), code]
print(json.dumps(seen))
"""


def test_what_does_not_train_imports_no_torch(written: Path) -> None:
    checkpoints = ("--checkpoints", str(written.parent))
    calls = [
        ["--help"],
        *([command, "--help"] for command in COMMANDS),
        ["corpus", "inspect", str(written.parents[1] / "story.txt")],
        ["runs", *checkpoints],
        ["runs", "story", *checkpoints],
        ["generate", "-n", "5", *checkpoints],
        ["generate", "-n", "5", "--json", "--num-samples", "2", *checkpoints],
        ["watch", "--ui", "none", "--speed", "1e9", *checkpoints],
    ]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, json.dumps(calls)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        check=True,
    )
    seen = json.loads(done.stdout)
    assert seen.pop("import charnn") == []
    assert {call: found[-1] for call, found in seen.items()} == dict.fromkeys(seen, 0)
    assert [call for call, found in seen.items() if "torch" in found] == []
    without_numpy = [call for call, found in seen.items() if "numpy" not in found]
    assert without_numpy[:2] == ["--help", "train --help"]
    assert len(without_numpy) == 1 + len(COMMANDS)


def test_the_list_of_commands_is_the_real_one() -> None:
    from charnn.cli.main import COMMANDS as REAL

    assert tuple(REAL) == COMMANDS
