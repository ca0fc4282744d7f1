"""Fixtures that every room shares."""

import os

# Tiny networks gain nothing from threads that wait busily for each other; set before NumPy loads.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, settings
from pytest_socket import disable_socket

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in the background so, and Ctrl-C would be lost on what tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it

settings.register_profile(
    "charnn", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
settings.load_profile("charnn")


def pytest_runtest_setup() -> None:
    """No test reaches the network: any socket but a Unix one is refused."""
    disable_socket(allow_unix_socket=True)


@pytest.fixture(scope="session")
def texts_dir() -> Path:
    """The folder of real texts, or a skip that says how to name it."""
    folder = os.environ.get("CHARNN_TEXTS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("set CHARNN_TEXTS to a folder with mujeong.txt and the other texts")
    return Path(folder)


@pytest.fixture(scope="session")
def novella() -> Path:
    """The bundled text."""
    return Path(__file__).parents[1] / "corpora" / "meongnae.txt"


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, novella: Path) -> Path:
    """The folder of a run called story, trained for three steps on 3,000 characters."""
    import charnn

    folder = tmp_path_factory.mktemp("written")
    text = folder / "story.txt"
    text.write_text(novella.read_text("utf-8")[:3000], encoding="utf-8")
    sizes = {"steps": 3, "hidden": 8, "batch_size": 2, "seq_len": 16, "sample_length": 10}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        charnn.train(text, checkpoints=folder / "checkpoints", **sizes, threads=1)
    return folder / "checkpoints" / "story"


@pytest.fixture
def memory_path() -> Iterator[Path]:
    """An empty folder, in memory where the system has such a disk."""
    memory = "/dev/shm"
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for the disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_waiting: None) -> Path:
    """An empty folder to work in, with no variable of charnn in the environment."""
    for name in list(os.environ):
        if name.startswith("CHARNN_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    # one core: threads that wait busily for each other are slow where other tests run beside
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
    return tmp_path


@pytest.fixture
def text(here: Path, novella: Path) -> Path:
    """A story of 1,500 characters, novel.txt."""
    path = here / "novel.txt"
    path.write_text(novella.read_text("utf-8")[:1500], encoding="utf-8")
    return path


@pytest.fixture
def story(here: Path, written: Path) -> Path:
    """A copy of the trained run, checkpoints/story, with its tokens."""
    shutil.copytree(written.parent, here / "checkpoints")
    return here / "checkpoints" / "story"


class Said(NamedTuple):
    """How a command ended: its exit code and what it wrote."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli() -> Callable[..., Said]:
    """Runs a command of charnn in this process, from `main.run` on; stdin is bytes."""
    from charnn.cli.main import run

    def call(*arguments: str | Path, stdin: bytes = b"") -> Said:
        with CliRunner().isolation(input=stdin) as (out, err, _):
            code = run(time.monotonic(), [str(argument) for argument in arguments])
            return Said(code, out.getvalue().decode(), err.getvalue().decode())

    return call
