"""A run from a stranger is only data: what a process that uses one does is watched from inside.

What a hostile file may say is tried in tests/runs; here it is seen that nothing is executed and
nothing outside the run is opened, whichever file it is.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charnn.corpus.tokenizers import ByteTokenizer
from charnn.model.shapes import ModelShape, weight_shapes
from charnn.runs.config import RunConfig
from charnn.runs.documents import read_sealed, write_sealed
from charnn.runs.export import export_run
from charnn.runs.files import measure_file
from charnn.runs.run import Run, create_run
from charnn.runs.saving import bind_run_files, save_checkpoint

PACKAGE = Path(__file__).parents[1] / "charnn"
READERS = ("errors.py", "records.py", "text", "corpus", "model", "runs", "generation")
RUNNERS = {
    *("pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "copyreg", "code", "codeop"),
    *("importlib", "imp", "runpy", "subprocess", "multiprocessing", "ctypes", "pty", "yaml"),
    *("zipimport", "pkgutil", "webbrowser", "socketserver", "xmlrpc"),
}

WATCHER = """
import json, sys, time
import charnn.api, charnn.cli.main, charnn.cli.generate, charnn.cli.runs, charnn.cli.run_actions
import charnn.cli.watch, charnn.view.views, charnn.view.display_text, charnn.runs.check
import charnn.generation.loading, charnn.generation.sampler, rich.console, rich.table
seen = []
EXECUTED = ("pickle.find_class", "subprocess.Popen", "ctypes.dlopen", "code.__new__")
def watch(event, arguments):
    if event in EXECUTED or event.startswith(("os.exec", "os.system", "os.spawn", "os.posix_spawn",
                                              "os.fork", "socket.connect", "socket.bind")):
        seen.append([event, repr(arguments[:1])])
    elif event == "open" and isinstance(arguments[0], str):
        seen.append(["write" if arguments[2] & 3 else "read", arguments[0]])
    elif event in ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink"):
        seen.append([event, str(arguments[0])])
sys.addaudithook(watch)
code = charnn.cli.main.run(time.monotonic(), json.loads(sys.argv[1]))
print("\\n" + json.dumps([code, seen]))
"""


def used(arguments: list[str], cwd: Path, before: str = "") -> tuple[int, list[tuple[str, str]]]:
    """The exit code of a command, and everything it executed, opened or changed.

    What `before` does is done before anybody watches.
    """
    done = subprocess.run(
        [sys.executable, "-c", before + WATCHER, json.dumps(arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    code, seen = json.loads(done.stdout.splitlines()[-1])
    return code, [(event, path) for event, path in seen]


def is_ours(path: str) -> bool:
    """Whether a file is Python's, a library's or the system's own."""
    homes = {*sysconfig.get_paths().values(), sys.base_prefix, sys.prefix, str(PACKAGE)}
    system = ("/proc/", "/sys/", "/dev/null", "/usr/", "/lib", "/etc/ld", "/etc/local")
    return path.startswith((*homes, *system))


COMMANDS = [
    ["generate", "-n", "5", "-m"],
    ["runs"],
    ["runs", "--check"],
    ["watch", "--ui", "plain", "--speed", "1e9"],
]


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True], ids=["folder", "one file"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_run_is_read_and_nothing_else_happens(
    written: Path, tmp_path: Path, command: list[str], shared: bool
) -> None:
    run = written
    if shared:
        run = tmp_path / "shared.charnn"
        export_run(Run(written), run)
    code, seen = used([*command, str(run)], tmp_path)
    assert code == 0
    foreign = {
        (event, path)
        for event, path in seen
        if event != "read" or not (path.startswith(str(run)) or is_ours(path))
    }
    assert foreign == set()
    assert any(path.startswith(str(run)) for _, path in seen)


TRAINERS = """
import charnn.training.session, charnn.training.scoring, torch._dynamo, torch.optim
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", ["eval", "train"])
def test_a_run_that_is_scored_or_trained_on_is_left_by_nobody(
    written: Path, tmp_path: Path, command: str
) -> None:
    """Read are the run, the tokens beside it and the text it names; written is the run alone."""
    shutil.copytree(written.parent, tmp_path / "checkpoints")
    run = tmp_path / "checkpoints" / "story"
    home = ["--checkpoints", str(run.parent)]
    more = ["-m", "story"] if command == "eval" else ["--resume", "story", "--steps", "2"]
    code, seen = used([command, *more, *home], tmp_path, TRAINERS)
    assert code == 0
    text = str(written.parents[1] / "story.txt")
    readable = (str(run.parent), text)
    written_to = str(run) if command == "train" else "nothing"
    foreign = {
        (event, path)
        for event, path in seen
        if not path.startswith(written_to)
        and (event != "os.remove" or "/" in path)  # inside a folder of the run that is held open
        and (event != "read" or not (path.startswith(readable) or is_ours(path)))
    }
    assert foreign == set()
    assert list(tmp_path.iterdir()) == [run.parent]
    assert any(path.startswith(str(run)) for _, path in seen)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["eval", "train"])
def test_a_text_that_a_run_names_is_looked_at_but_no_pipe_is_opened(
    written: Path, tmp_path: Path, command: str
) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs named pipes")
    shutil.copytree(written, tmp_path / "checkpoints" / "story")  # without the tokens
    run = tmp_path / "checkpoints" / "story"
    os.mkfifo(tmp_path / "pipe.txt")
    config = read_sealed(run / "config.json")
    config["corpus"]["paths"] = [str(tmp_path / "pipe.txt")]
    before = measure_file(run / "config.json")
    after = write_sealed(run / "config.json", config)
    for path in run.glob("*/manifest.json"):
        manifest = read_sealed(path)
        assert manifest["run_files"]["config.json"] == asdict(before)
        manifest["run_files"]["config.json"] = asdict(after)
        write_sealed(path, manifest)
    home = ["--checkpoints", str(run.parent)]
    more = ["-m", "story"] if command == "eval" else ["--resume", "story", "--steps", "2"]
    code, seen = used([command, *more, *home], tmp_path, TRAINERS)
    assert code == 1
    assert not [path for _, path in seen if path.endswith("pipe.txt")]


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


def test_nothing_that_reads_a_run_could_run_code() -> None:
    files = [f for part in READERS for f in sorted((PACKAGE / part).rglob("*.py"))]
    files += [PACKAGE / part for part in READERS if part.endswith(".py")]
    assert len(files) > 40
    assert {str(f.relative_to(PACKAGE)): imported(f) & RUNNERS for f in files} == {
        str(f.relative_to(PACKAGE)): set() for f in files
    }


def test_no_file_of_the_package_calls_what_unpickles() -> None:
    """`torch.load` and `np.load` unpickle; so does what has pickle in its name or options."""
    found = [
        f"{path.relative_to(PACKAGE)}:{number}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(
            r"(torch|np|numpy|joblib)\.load\(|allow_pickle|[^.]\bpickle\.|weights_only", line
        )
    ]
    assert found == []


def big_run(folder: Path) -> Run:
    """A run whose weights take 38 MB."""
    tokenizer = ByteTokenizer()
    shape = ModelShape(257, 1024, 1024, 1, "lstm")
    config = RunConfig(
        charnn="0",
        created="",
        corpus={"name": "x"},
        tokenizer={"kind": "byte", "vocab_size": 257, "fingerprint": tokenizer.fingerprint},
        model=shape,
    )
    run = create_run(folder, "big", config, tokenizer)
    weights = {n: np.full(s, 1e-3, np.float32) for n, s in weight_shapes(shape).items()}
    shared: dict[str, Any] = {"scores": {}, "journals": {}, "run_files": bind_run_files(run.path)}
    save_checkpoint(run.path, "best", {"weights.safetensors": weights}, step=1, **shared)
    return run


MEASURED = """
import sys, time
from charnn.cli.main import run
code = run(time.monotonic(), ["generate", "-n", "20", "-m", sys.argv[1]])
lines = open("/proc/self/status", encoding="utf-8").read()
print("\\n", next(line.split()[1] for line in lines.splitlines() if line.startswith("VmHWM")))
sys.exit(code)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the peak there")
def test_writing_from_one_file_takes_the_weights_and_little_more(tmp_path: Path) -> None:
    run = big_run(tmp_path)
    file = tmp_path / "big.charnn"
    size, _ = export_run(run, file)
    peaks = []
    for path in (run.path, file):
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, str(path)],
            env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            check=True,
        )
        peaks.append(int(done.stdout.split()[-1]) * 1024)
    assert peaks[1] < size + 80e6
    assert abs(peaks[1] - peaks[0]) < 10e6
