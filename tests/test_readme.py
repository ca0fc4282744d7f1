"""The commands of the README do what it says, in its order, on short texts with its names."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
READMES = sorted(path.name for path in ROOT.glob("README*.md"))
SIZES = ("--hidden", "8", "--batch-size", "2", "--seq-len", "16", "--threads", "1")
BUDGETS = ("--minutes", "--epochs", "--steps")
SKIPPED = ("git", "pip", "cd")


def blocks(readme: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    text = (ROOT / readme).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def commands(readme: str) -> list[list[str]]:
    """The commands in its sh blocks, as words, without comments."""
    lines = "\n".join(blocks(readme, "sh")).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def shortened(words: list[str]) -> list[str]:
    """A call of `charnn train` that takes a fraction of a second."""
    short = [*words]
    for budget in BUDGETS:
        if budget in short:
            at = short.index(budget)
            short[at : at + 2] = []
    if "--resume" not in words and "--dry-run" not in words:
        short += ["--steps", "3", *SIZES]
    return [*short, "--ui", "plain", "--sample-length", "10"]


@pytest.fixture(autouse=True)
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, novella: Path) -> Path:
    """A folder with cuts of the bundled text under the names that the README uses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0}, raising=False)
    for name in ("CHARNN_CHECKPOINTS", "CHARNN_TRAIN_MINUTES"):
        monkeypatch.delenv(name, raising=False)
    text = novella.read_text("utf-8")
    names = ("corpora/mujeong.txt", "novel.txt", "poems.txt", "other.txt", "letters/1.txt")
    for number, name in enumerate((*names, "letters/2.txt")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text[number * 1500 : (number + 1) * 1500], encoding="utf-8")
    (tmp_path / "corpora" / novella.name).write_text(text[:1500], encoding="utf-8")
    return tmp_path


def stop_a_run() -> None:
    """Leave a run behind that was stopped at its first step, for --resume to go on with."""
    import charnn
    from charnn.records import Control, StepRecord

    control = Control()

    def stop(record: Any) -> None:
        if isinstance(record, StepRecord):
            control.stop()

    sizes = {"hidden": 8, "batch_size": 2, "seq_len": 16, "threads": 1, "sample_length": 10}
    charnn.train("novel.txt", run="stopped", steps=3, **sizes, control=control, on_record=stop)


@pytest.mark.parametrize("readme", READMES)
def test_the_commands_work(readme: str, cli: Callable[..., Any], sandbox: Path) -> None:
    called = [words for words in commands(readme) if words[0] == "charnn"]
    assert {words[1] for words in called} >= {"train", "generate", "eval", "runs"}
    for _, *words in called:
        if "--resume" in words:
            stop_a_run()
        said = cli(*(shortened(words) if words[0] == "train" else words))
        assert said.code == 0, f"charnn {shlex.join(words)}: {said.err}"
        if words[0] in ("generate", "eval", "runs") and "-o" not in words:
            assert said.out
    written = [words[words.index("-o") + 1] for words in called if "-o" in words]
    assert all((sandbox / name).read_text("utf-8") for name in written)


@pytest.mark.parametrize("readme", READMES)
def test_everything_else_it_calls_is_there(readme: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for words in commands(readme):
        if words[0] == "make":
            assert set(words[1:]) <= targets, words
        else:
            assert words[0] in ("charnn", *SKIPPED), words


@pytest.mark.parametrize("readme", READMES)
def test_the_python_example_works(readme: str, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks(readme, "python")
    sizes = "steps=3, hidden=8, batch_size=2, seq_len=16, sample_length=10, threads=1"
    short, changed = re.subn(r"minutes=\d+", sizes, example)
    assert changed == 1
    exec(compile(short, readme, "exec"), {"__name__": "example"})  # noqa: S102  it is our own
    assert re.search(r"\d+\.\d+\n$", capsys.readouterr().out)


def test_the_readmes_show_the_same_commands() -> None:
    for readme in READMES:
        assert commands(readme) == commands("README.md")
        assert len(blocks(readme, "python")) == 1


def makefile_recipes() -> Iterator[str]:
    for line in (ROOT / "Makefile").read_text("utf-8").splitlines():
        if line.startswith("\t"):
            yield line


def test_the_makefile_names_files_that_are_there() -> None:
    named = re.findall(r"(?:corpora|benchmarks)/[\w.]+", "\n".join(makefile_recipes()))
    assert "corpora/meongnae.txt" in named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_contributing_names_targets_that_are_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    called = [words for words in commands("CONTRIBUTING.md") if words[0] == "make"]
    assert called and {words[1] for words in called} <= targets
