"""What only a real process shows: signals, closed pipes, the encoding of the terminal."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

import charnn
from charnn.records import Control, RunStarted
from charnn.runs.check import check_run
from charnn.runs.run import Run

pytestmark = pytest.mark.slow

CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
ENDLESS = ("--steps", "1000000", "--hidden", "8", "--batch-size", "2", "--seq-len", "16")
QUIET = ("--sample-length", "5", "--temps", "1", "--sample-every", "1000000steps")
PATIENCE = 120


def start(*arguments: str | Path, cwd: Path, **streams: int) -> "subprocess.Popen[bytes]":
    """A process of charnn, as a terminal would start it."""
    return subprocess.Popen(
        [sys.executable, "-m", "charnn", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        **streams,
    )


def read_until(stream: IO[bytes], wanted: bytes) -> bytes:
    """What a process writes up to a line with `wanted`; fails if it does not come."""
    lines: queue.Queue[bytes] = queue.Queue()
    found = threading.Event()

    def read() -> None:
        for line in iter(stream.readline, b""):
            lines.put(line)
            if wanted in line:
                found.set()
                return
        found.set()

    threading.Thread(target=read, daemon=True).start()
    assert found.wait(PATIENCE)
    seen = b"".join(lines.queue)
    assert wanted in seen, seen.decode()
    return seen


@pytest.fixture(scope="module")
def interrupted(
    tmp_path_factory: pytest.TempPathFactory, novella: Path
) -> dict[str, tuple[int, str, Path]]:
    """Three trainings side by side, each ended by another signal: code, stderr, folder."""
    folder = tmp_path_factory.mktemp("interrupted")
    (folder / "novel.txt").write_text(novella.read_text("utf-8")[:1500], encoding="utf-8")
    processes = {
        name: start(
            *("train", "novel.txt", "--run", name, "--ui", "plain", "--threads", "1"),
            *(*ENDLESS, *QUIET),
            cwd=folder,
            stderr=subprocess.PIPE,
        )
        for name in CODES
    }
    ended = {}
    for name, process in processes.items():
        assert process.stderr is not None
        with process, process.stderr:
            said = read_until(process.stderr, b"   plan  ")
            process.send_signal(getattr(signal, name))
            said += process.stderr.read()
            code = process.wait(PATIENCE)
        ended[name] = (code, said.decode(), folder / "checkpoints" / name)
    return ended


@pytest.mark.parametrize("name", CODES)
def test_a_signal_saves_and_says_how_to_go_on(
    interrupted: dict[str, tuple[int, str, Path]], name: str
) -> None:
    code, said, path = interrupted[name]
    assert code == CODES[name]
    assert "Traceback" not in said
    assert f"{name}: stopped at step " in said
    assert f"charnn train --resume {name}\n" in said
    assert charnn.load(path).generate("섭섭이", length=5, seed=1)


@pytest.mark.parametrize("name", CODES)
def test_the_checkpoint_is_that_of_the_last_step(
    interrupted: dict[str, tuple[int, str, Path]], name: str
) -> None:
    _, said, path = interrupted[name]
    control, steps = Control(), []

    def stop(record: object) -> None:
        if isinstance(record, RunStarted):
            steps.append(record.resumed_at)
            control.stop()

    charnn.resume(str(path), control=control, on_record=stop, threads=1)
    assert f"checkpoint at step {steps[0]:,}\n" in said


def test_before_there_is_anything_to_save_it_just_ends(tmp_path: Path) -> None:
    """Stdin is being read and never ends; nothing is left behind."""
    with start(
        *("train", "-", "--ui", "plain"),
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write("글이다. ".encode() * 500_000)
        process.stdin.flush()
        read_until(process.stderr, b"reading")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 143
        assert b"Traceback" not in process.stderr.read()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """The writing end of a pipe that nobody reads from."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("train", "--help"),
        ("runs",),
        ("runs", "story"),
        ("generate", "-n", "20"),
        ("generate", "-n", "20", "--json", "--num-samples", "2"),
        ("eval",),
    ],
    ids=" ".join,
)
def test_nobody_reads_the_output_any_more(
    written: Path, closed_pipe: int, arguments: tuple[str, ...]
) -> None:
    process = start(
        *arguments, cwd=written.parent.parent, stdout=closed_pipe, stderr=subprocess.PIPE
    )
    _, said = process.communicate(timeout=PATIENCE)
    seed = rb"seed \d+\n" if arguments[0] == "generate" else b""
    assert process.returncode == 0 and re.fullmatch(seed, said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("runs",),
        ("generate", "-n", "20", "--seed", "1"),
        ("generate", "-i", "-n", "5"),
    ],
    ids=" ".join,
)
def test_a_full_disk_behind_stdout(
    written: Path, arguments: tuple[str, ...], unbuffered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python flushes once more at exit what it could not write."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    if unbuffered:
        monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    with Path("/dev/full").open("wb") as full:
        process = start(
            *arguments,
            cwd=written.parent.parent,
            stdin=subprocess.PIPE,
            stdout=full.fileno(),
            stderr=subprocess.PIPE,
        )
        _, said = process.communicate("가\n나\n".encode(), timeout=PATIENCE)
    line = said.decode().splitlines()[-1]
    message = "cannot write stdout: No space left on device: make room, or write elsewhere"
    assert (process.returncode, line) == (1, f"charnn: {message}")
    assert "Exception" not in said.decode() and said.count(b"cannot write") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stderr(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    with Path("/dev/full").open("wb") as full:
        process = start("generate", cwd=tmp_path, stderr=full.fileno())
        assert process.wait(PATIENCE) == 1


def written_until(signum: int, written: Path, *arguments: str) -> tuple[str, int, bytes]:
    """What `generate` writes that would go on for hours, when a signal comes after 300 bytes.

    Returns:
        Its stdout, exit code and stderr.
    """
    with start(
        *("generate", *arguments, "-n", "100000000", "--seed", "5"),
        cwd=written.parent.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        begun = process.stdout.read(300)
        process.send_signal(signum)
        text = (begun + process.stdout.read()).decode("utf-8")
        return text, process.wait(PATIENCE), process.stderr.read()


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_sigterm_keeps_what_was_written(written: Path, form: tuple[str, ...]) -> None:
    text, *end = written_until(signal.SIGTERM, written, "--num-samples", "2", *form)
    assert end == [143, b"seed 5\n"]
    if form:
        assert [json.loads(line)["index"] for line in text.splitlines()] == [0, 1]
    else:
        assert text.count("─" * 24 + "\n") == 1


def test_ctrl_c_keeps_what_was_written(written: Path) -> None:
    text, *end = written_until(signal.SIGINT, written, "먹내")
    assert end == [130, b"seed 5\n"]
    whole = "먹내" + charnn.load(written).generate("먹내", seed=5, length=len(text))
    assert whole.startswith(text.removesuffix("\n"))


@pytest.mark.parametrize("arguments", [("--version",), ("runs",), ("generate", "-n", "5")])
def test_stdout_may_be_closed_from_the_beginning(written: Path, arguments: tuple[str, ...]) -> None:
    command = '"$@" >&-'
    done = subprocess.run(
        ["/bin/sh", "-c", command, "sh", sys.executable, "-m", "charnn", *arguments],
        cwd=written.parent.parent,
        stderr=subprocess.PIPE,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "environ",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "cp949:strict"},
    ],
    ids=lambda environ: " ".join(f"{name}={value}" for name, value in environ.items()),
)
def test_output_is_utf8_whatever_the_locale(written: Path, environ: dict[str, str]) -> None:
    (written.parent.parent / "prompt.txt").write_text("섭섭이 鿕🙂", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "charnn", "generate", "--prompt-file", "prompt.txt", "--seed", "1"],
        cwd=written.parent.parent,
        env={**os.environ, **environ},
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"seed 1\n")
    expected = charnn.load(written).generate("섭섭이 鿕🙂", seed=1)
    assert done.stdout.decode("utf-8").rstrip("\n") == ("섭섭이 鿕🙂" + expected).rstrip("\n")


def test_a_prompt_on_the_command_line_in_the_c_locale(written: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "charnn", "generate", "섭섭이", "-n", "5", "--seed", "1"],
        cwd=written.parent.parent,
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout.decode("utf-8").startswith("섭섭이")
    assert done.returncode == 0


SLOW_DISK = """
import sys, time
from charnn.runs import saving, storage
from charnn.__main__ import main
block, write = 1 << 10, storage.write_all
def write_slowly(descriptor, data):
    if len(data) == block:
        print("writing", file=sys.stderr, flush=True)
        time.sleep(0.2 if armed.exists() else 0)
    write(descriptor, data)
from pathlib import Path
armed = Path("slow")
saving.BLOCK_BYTES, storage.write_all = block, write_slowly
sys.argv[0] = "charnn"
sys.exit(main())
"""


def test_the_second_ctrl_c_does_not_wait_for_a_slow_disk(tmp_path: Path, novella: Path) -> None:
    """The state takes minutes to write here; what was saved before is whole."""
    (tmp_path / "novel.txt").write_text(novella.read_text("utf-8")[:1500], encoding="utf-8")
    (tmp_path / "slow.py").write_text(SLOW_DISK, encoding="utf-8")
    command = ("train", "novel.txt", "--ui", "plain", "--threads", "1", "--save-every", "5steps")
    sizes = ("--steps", "1000000", "--hidden", "64", "--batch-size", "2", "--seq-len", "16")
    with subprocess.Popen(
        [sys.executable, "slow.py", *command, *sizes, *QUIET],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        read_until(process.stderr, b"checkpoint at step ")
        (tmp_path / "slow").touch()
        process.send_signal(signal.SIGINT)
        for _ in range(3):
            read_until(process.stderr, b"writing")
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(PATIENCE) == 130
    assert b"Traceback" not in said
    assert said.count(b"writing") < 100
    run = Run(tmp_path / "checkpoints" / "novel")
    assert run.last().note is None
    assert not [finding for finding in check_run(run) if finding.problem]
    charnn.resume(str(run.path), control=stopping(), threads=1)


def stopping() -> Control:
    control = Control()
    control.stop()
    return control


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no file without a name here")
def test_nothing_is_left_of_stdin_by_a_kill(tmp_path: Path) -> None:
    spools = tmp_path / "spools"
    spools.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "charnn", "train", "-", "--ui", "plain"],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(spools)},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write("글이다. ".encode() * 500_000)
        process.stdin.flush()
        read_until(process.stderr, b"reading")
        process.kill()
        process.wait(PATIENCE)
    assert list(spools.iterdir()) == []
