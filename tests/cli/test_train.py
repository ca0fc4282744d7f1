"""`charnn train`: what it refuses, before anything is written, and what it leaves behind."""

import json
import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import charnn
from charnn.records import Control, StepRecord

Cli = Callable[..., Any]


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_training_says_what_it_does_on_stderr(train: Cli, text: Path) -> None:
    said = train(text, "--steps", "2", "--val-fraction", "0.05")
    assert (said.code, said.out) == (0, "")
    assert "    run  novel in checkpoints/novel\n" in said.err
    assert "novel: finished at step 2 after " in said.err
    assert "charnn generate -m novel --temp " in said.err
    assert charnn.load("novel").generate("섭섭이", length=5, seed=1)


def test_ui_none_says_nothing(train: Cli, text: Path) -> None:
    assert train(text, "--steps", "1", "--ui", "none") == (0, "", "")


def test_the_next_free_name(train: Cli, text: Path) -> None:
    for name in ("novel", "novel-2"):
        assert f"run  {name} in" in train(text, "--steps", "1").err
    assert sorted(path.name for path in Path("checkpoints").glob("[!.]*")) == ["novel", "novel-2"]
    assert len(list(Path("checkpoints/.streams").iterdir())) == 1


def test_stdin_and_folders(train: Cli, here: Path, text: Path) -> None:
    said = train("-", "--steps", "1", stdin=text.read_bytes())
    assert "run  stdin in checkpoints/stdin\n" in said.err
    folder = here / "letters"
    (folder / "old").mkdir(parents=True)
    for name in ("a.txt", "old/b.TXT", "c.md", ".d.txt"):
        (folder / name).write_text(text.read_text("utf-8")[:300], encoding="utf-8")
    assert train("letters", "--steps", "1").code == 0
    corpus = json.loads((here / "checkpoints/letters/config.json").read_text("utf-8"))["corpus"]
    assert (corpus["name"], corpus["documents"], corpus["characters"]) == ("letters", 2, 600)


def test_documents_within_a_file(train: Cli, here: Path, text: Path) -> None:
    poems = "\n***\n".join(text.read_text("utf-8")[start : start + 200] for start in (0, 300, 600))
    (here / "poems.txt").write_text(poems, encoding="utf-8")
    assert train("poems.txt", "--steps", "1", "--document-separator", r"\n***\n").code == 0
    corpus = json.loads((here / "checkpoints/poems/config.json").read_text("utf-8"))["corpus"]
    assert (corpus["documents"], corpus["characters"]) == (3, 600)


WRONG = {
    "--hidden 0": "hidden must be >= 1, got 0",
    "--layers -1": "layers must be >= 1, got -1",
    "--batch-size 0": "batch-size must be >= 1, got 0",
    "--seq-len 0": "seq-len must be >= 1, got 0",
    "--minutes 0": "minutes must be > 0, got 0.0",
    "--minutes nan": "minutes must be > 0, got nan",
    "--epochs inf": "epochs must be finite, got inf",
    "--steps 0": "steps must be >= 1, got 0",
    "--dropout 1": "dropout must be in [0, 1), got 1.0",
    "--val-fraction 0.6": "val-fraction must be in [0, 0.5], got 0.6",
    "--learning-rate 0": "learning-rate must be > 0, got 0.0",
    "--weight-decay -1": "weight-decay must be >= 0, got -1.0",
    "--seed -1": "seed must be in [0, 2**64), got -1",
    "--temps '0.5;1'": "temps must be numbers with commas between them, got '0.5;1'",
    "--temps -1": "temps must be numbers >= 0, got (-1.0,)",
    "--save-every 5m": "save-every must be like 30s or 500steps, above zero, got '5m'",
    "--sample-every 0s": "sample-every must be like 30s or 500steps, above zero, got '0s'",
    "--cell gur": "cell must be one of lstm, gru, rnn, got 'gur'",
    "--vocab-size 5": "vocab-size must be in [309, 1114112] for the char tokenizer (ASCII, parts "
    "of syllables, bytes and the boundary are always there), got 5",
    "--tokenizer byte --vocab-size 300": "vocab-size must be in [257, 257] for the byte tokenizer "
    "(256 bytes, boundary), got 300",
    "--tokenizer subword --vocab-size 99": "vocab-size must be in [300, 65536] for the subword "
    "tokenizer (it holds 256 bytes and the boundary), got 99",
    "--size huge": "size must be one of auto, tiny, small, medium, large, classic, got 'huge'",
    "--tokenizer word": "tokenizer must be one of char, jamo, byte, subword, got 'word'",
    "--optimizer lion": "optimizer must be one of adamw, adagrad, sgd, got 'lion'",
    "--device tpu": "device must be one of auto, cpu, cuda, mps, got 'tpu'",
    "--precision fp8": "precision must be one of auto, fp32, bf16, got 'fp8'",
    "--ui gui": "ui must be one of auto, live, plain, none, got 'gui'",
    "--encoding hangul": "encoding must be a character set such as utf-8 or cp949, got 'hangul'",
    "--document-separator ''": "document_separator must have at least one character, got ''",
    "--text novel.txt": "--text goes with --resume: name the text itself to train on it",
    "--run a/b": "run name must not hold / or \\, got 'a/b': give a name such as 'mujeong-2'",
    "--run ''": "run name must not be empty, got '': give a name such as 'mujeong-2'",
    "- -": "texts may name - (stdin) once, got it twice",
}
"""What stands on the command line beside a text that is not there -> what is said of it."""


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_values_are_refused_before_the_text_is_opened(
    cli: Cli, here: Path, arguments: str
) -> None:
    said = cli("train", "--ui", "none", "gone.txt", *shlex.split(arguments))
    assert said == (2, "", f"charnn: {WRONG[arguments]}\n")
    assert not list(here.iterdir())


def test_without_a_text(cli: Cli) -> None:
    message = "train needs a TEXT: name a file, a folder, or - for stdin"
    assert cli("train") == (2, "", f"charnn: {message}\n")


def test_texts_that_cannot_be_used(cli: Cli, here: Path, text: Path) -> None:
    (here / "empty.txt").write_text("", encoding="utf-8")
    (here / "short.txt").write_text("한", encoding="utf-8")
    (here / "old.txt").write_bytes(text.read_text("utf-8")[2:40].encode("cp949", "ignore"))
    (here / "page.txt").write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(500))
    (here / "folder").mkdir()
    byte = (here / "old.txt").read_bytes()[0]
    assert byte >= 0x80
    for name, message in {
        "gone.txt": "gone.txt does not exist: check its path",
        "empty.txt": "empty.txt is empty, there is nothing to learn from: name a file with text",
        "short.txt": "the text has 1 characters, too few to split into a training and a validation "
        "part: use a longer text or --val-fraction 0",
        "old.txt": f"old.txt is not UTF-8 (byte 0x{byte:02X} at offset 0); it looks like CP949, as "
        "older Korean Windows files are: try --encoding cp949",
        "folder": "folder has no .txt file in it or below: name the files themselves",
    }.items():
        assert cli("train", name, "--ui", "none") == (1, "", f"charnn: {message}\n")
    said = cli("train", "page.txt", "--ui", "none")
    assert said.code == 1 and "a PDF document" in said.err
    assert [path.name for path in here.glob("checkpoints/[!.]*")] == []


def test_an_old_encoding_is_read_when_it_is_named(train: Cli, here: Path, text: Path) -> None:
    plain = text.read_text("utf-8").encode("cp949", "ignore")
    (here / "old.txt").write_bytes(plain)
    said = train("old.txt", "--encoding", "cp949", "--steps", "1")
    assert said.code == 0
    assert "read as cp949\n" in said.err
    corpus = json.loads((here / "checkpoints/old/config.json").read_text("utf-8"))["corpus"]
    assert corpus["characters"] == len(plain.decode("cp949"))


def test_a_run_is_never_overwritten(cli: Cli, text: Path, story: Path) -> None:
    before = everything_in(story)
    message = (
        "run 'story' is there already and is not overwritten: go on with it by "
        "'charnn train --resume story', or call this one --run story-2"
    )
    said = cli("train", text, "--run", "story", "--ui", "none")
    assert said == (1, "", f"charnn: {message}\n")
    assert everything_in(story) == before


def test_a_folder_of_runs_that_is_a_file(cli: Cli, text: Path) -> None:
    said = cli("train", text, "--steps", "1", "--ui", "none", "--checkpoints", text)
    assert said.code == 1
    assert said.err.startswith("charnn: ") and said.err.count("\n") == 1


@pytest.mark.usefixtures("story")
def test_weights_from_another_run(train: Cli, text: Path) -> None:
    said = train(text, "--init-from", "story", "--steps", "1", "--run", "child")
    assert said.code == 0
    config = json.loads(Path("checkpoints/child/config.json").read_text("utf-8"))
    parent = json.loads(Path("checkpoints/story/config.json").read_text("utf-8"))
    assert config["tokenizer"] == parent["tokenizer"] and config["model"] == parent["model"]
    message = "hidden of run story is 8, got 9: leave --hidden out with --init-from"
    said = train(text, "--init-from", "story", "--hidden", "9", "--ui", "none")
    assert said == (2, "", f"charnn: {message}\n")
    assert train(text, "--init-from", "nix", "--ui", "none").code == 1


def test_a_dry_run_trains_nothing(cli: Cli, text: Path, story: Path) -> None:
    before = everything_in(story)
    said = cli("train", text, "--dry-run", "--hidden", "8", "--threads", "1", "--device", "cpu")
    assert (said.code, said.err) == (0, "")
    headed = [line for line in said.out.splitlines() if not line.startswith(" ")]
    assert [line.split()[0] for line in headed] == [
        *("text", "tokenizer", "model", "recipe", "device", "time", "memory", "disk")
    ]
    assert "novel: 1,500 characters (1,350 train, 150 validation)\n" in said.out
    assert "10 minutes, or until validation has clearly stopped improving" in said.out
    assert everything_in(story) == before
    assert [path.name for path in Path("checkpoints").glob("[!.]*")] == ["story"]


@pytest.mark.usefixtures("story")
def test_a_dry_run_of_a_run_that_begins_from_another(cli: Cli, text: Path) -> None:
    told = cli("train", text, "--dry-run", "--init-from", "story").out
    assert "model      1 x 8 lstm" in told
    own = cli("train", text, "--dry-run", "--hidden", "8").out
    assert told.splitlines()[1] != own.splitlines()[1]  # another tokenizer


# -- going on ---------------------------------------------------------------------------------


@pytest.fixture
def stopped(text: Path) -> Path:
    """A run that was stopped after the first of six steps."""
    control = Control()

    def stop(record: object) -> None:
        if isinstance(record, StepRecord):
            control.stop()

    sizes = {"steps": 6, "hidden": 8, "batch_size": 2, "seq_len": 16, "sample_length": 10}
    return charnn.train(text, **sizes, threads=1, control=control, on_record=stop).path


NOT_WITH_RESUME = {
    "novel other.txt": "--resume takes no TEXT, got 'other.txt': the run knows its text; "
    "--text FILE says where it lies now",
    "--hidden 9": "--hidden cannot be changed with --resume: leave it out",
    "--minutes 0": "minutes must be > 0, got 0.0",
    "--minutes 9 --steps 9": "give one of --minutes, --epochs and --steps, got 2",
    "--run a": "--run cannot be changed with --resume: leave it out",
    "--seed 1": "--seed cannot be changed with --resume: leave it out",
    "--dry-run": "--dry-run cannot be changed with --resume: leave it out",
    "--encoding cp949": "--encoding cannot be changed with --resume: leave it out",
    "--sample-every x": "sample-every must be like 30s or 500steps, above zero, got 'x'",
}


@pytest.mark.parametrize("arguments", NOT_WITH_RESUME)
def test_what_does_not_go_with_resume(cli: Cli, arguments: str) -> None:
    said = cli("train", "--resume", *shlex.split(arguments))
    assert said == (2, "", f"charnn: {NOT_WITH_RESUME[arguments]}\n")


def test_going_on_to_the_end(cli: Cli, stopped: Path) -> None:
    said = cli("train", "--resume", "--ui", "plain", "--temps", "0.3", "--sample-length", "5")
    assert (said.code, said.out) == (0, "")
    assert "resumed at step 1\n" in said.err
    assert "temperature 0.3\n" in said.err and "temperature 0.8\n" not in said.err
    assert "novel: finished at step 6 after " in said.err
    message = (
        "run novel has finished its 6 steps: give it more with --minutes, --epochs or --steps, or "
        "start a new one from it with --init-from novel"
    )
    before = everything_in(stopped)
    said = cli("train", "--resume", "novel", "--ui", "none")
    assert said == (1, "", f"charnn: {message}\n")
    assert everything_in(stopped) == before
    said = cli("train", "--resume", "novel", "--steps", "4", "--ui", "plain")
    assert (said.code, said.out) == (0, "")
    assert "resumed: more from step 6, with the best weights, of step " in said.err
    assert "novel: finished at step 10 after " in said.err


@pytest.mark.usefixtures("stopped")
def test_samples_as_often_as_they_are_wanted_now(cli: Cli) -> None:
    said = cli("train", "--resume", "--ui", "plain", "--temps", "1", "--sample-every", "2steps")
    samples = [line.split()[4] for line in said.err.splitlines() if "  sample at" in line]
    assert samples == ["2,", "4,", "6,"]


@pytest.mark.usefixtures("stopped")
def test_what_environment_and_file_say_is_for_new_runs(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARNN_TRAIN_MINUTES", "5")
    monkeypatch.setenv("CHARNN_TRAIN_HIDDEN", "9")
    monkeypatch.setenv("CHARNN_TRAIN_TEMPS", "0.4")
    (here / "a.toml").write_text("layers = 2\nsample-length = 5\ndry-run = true\n", "utf-8")
    said = cli("train", "--resume", "--ui", "plain", "--config", "a.toml")
    assert said.code == 0
    assert "novel: finished at step 6 after " in said.err
    assert "temperature 0.4\n" in said.err and "temperature 0.8\n" not in said.err


def test_a_moved_text_whose_tokens_are_gone(cli: Cli, stopped: Path, text: Path) -> None:
    for path in sorted(Path("checkpoints/.streams").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    text.rename("moved.txt")
    message = (
        f"the tokens of run novel are gone and {text} does not exist: say where its text lies now "
        "with --text FILE"
    )
    assert cli("train", "--resume", "--ui", "none") == (1, "", f"charnn: {message}\n")
    Path("other.txt").write_text("다른 글이다. " * 100, encoding="utf-8")
    message = (
        "the text of run novel has changed since it was trained on and its tokens are gone: name "
        "the old text with --text FILE, or start a new run on the new one"
    )
    said = cli("train", "--resume", "--text", "other.txt", "--ui", "none")
    assert said == (1, "", f"charnn: {message}\n")
    assert cli("train", "--resume", "--text", "moved.txt", "--ui", "none") == (0, "", "")
    assert charnn.load(stopped)


def test_nothing_to_go_on_with(cli: Cli) -> None:
    nothing = "there is no run in 'checkpoints': train one with 'charnn train TEXT', or name the"
    said = cli("train", "--resume", "--ui", "none")
    assert said == (1, "", f"charnn: {nothing} folder of runs with --checkpoints\n")


@pytest.mark.parametrize("name", ["metrics.jsonl", "events.jsonl", "samples.jsonl"])
def test_a_journal_that_cannot_be_read_does_not_keep_a_run_from_going_on(
    cli: Cli, stopped: Path, name: str
) -> None:
    """A bad line behind what the checkpoint speaks of, as a disk that was full may leave it."""
    with (stopped / name).open("ab") as journal:
        journal.write(b"{}\n" + bytes(9) + b"\n")
    said = cli("train", "--resume", "novel", "--ui", "plain")
    assert (said.code, said.out) == (0, "")
    assert "novel: finished at step 6 after " in said.err
    assert cli("runs", "--check", "novel").code == 0


def test_a_run_whose_newest_checkpoint_was_lost(cli: Cli, stopped: Path) -> None:
    from charnn.runs.run import Run

    assert cli("train", "--resume", "novel", "--ui", "none").code == 0
    for path in stopped.glob("last*"):
        shutil.rmtree(path)
    step, before = Run(stopped).best().step, everything_in(stopped)
    message = (
        "run novel has no last/ to go on from, and beginning again would replace its best model, "
        f"of step {step}: begin a new run from it with --init-from novel, or restore last/ from a "
        "copy"
    )
    for more in ((), ("--minutes", "10")):
        said = cli("train", "--resume", "novel", "--ui", "none", *more)
        assert said == (1, "", f"charnn: {message}\n")
    assert everything_in(stopped) == before


def test_a_run_that_is_being_trained(cli: Cli, stopped: Path) -> None:
    from charnn.runs.lock import lock_run

    with lock_run(stopped):
        said = cli("train", "--resume", "--ui", "none")
    assert said.code == 1
    assert said.err.startswith(f"charnn: run novel is being trained by process {os.getpid()} on ")
    assert said.err.endswith(": wait for it or stop it\n")
