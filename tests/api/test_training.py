"""Runs that are begun and gone on with from Python."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import charnn
from charnn.errors import OptionError, RunExistsError, RunNotFoundError, TextError
from charnn.records import Control, Finished, PlanFixed, Preparing, Record, RunStarted, StepRecord

Train = Callable[..., charnn.Model]


def stopping_at(step: int) -> dict[str, Any]:
    """Callbacks that stop a training at a step."""
    control = Control()

    def stop(record: Record) -> None:
        if isinstance(record, StepRecord) and record.step >= step:
            control.stop()

    return {"control": control, "on_record": stop}


def test_train_returns_a_model_that_writes(train: Train, text: Path) -> None:
    records: list[Record] = []
    model = train(text, steps=2, on_record=records.append)
    assert (model.name, model.path) == ("novel", Path("checkpoints/novel"))
    assert repr(model) == "<charnn model 'novel'>"
    assert len(model.generate(length=20, seed=1)) >= 20
    kinds = [type(record) for record in records]
    assert kinds[0] is Preparing and kinds[-1] is Finished
    assert kinds.count(RunStarted) == kinds.count(PlanFixed) == 1


def test_what_is_refused_is_refused_before_torch_is_loaded(text: Path, story: Path) -> None:
    program = """
import sys, charnn
for call in (
    lambda: charnn.train("novel.txt", hidden=0),
    lambda: charnn.train("novel.txt", init_from="nix"),
    lambda: charnn.resume("nix"),
    lambda: charnn.resume("story", hidden=9),
):
    try: call()
    except charnn.CharnnError: pass
sys.exit("torch" in sys.modules)
"""
    environ = {**os.environ, "PYTHONPATH": str(Path(charnn.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", program], env=environ, check=False)
    assert done.returncode == 0


def test_texts_may_be_named_in_many_ways(train: Train, text: Path, here: Path) -> None:
    other = here / "other.txt"
    other.write_text("다른 글이다. " * 30, encoding="utf-8")
    for texts, name in (
        (str(text), "novel"),
        ([text, "other.txt"], "novel+other"),
        ((other,), "other"),
    ):
        assert train(texts, steps=1).name == name


def test_the_name_and_the_folder_of_a_run(train: Train, text: Path, here: Path) -> None:
    folder = here / "elsewhere"
    model = train(text, run="나의 글", checkpoints=folder, steps=1)
    assert model.path == folder / "나의 글"
    assert charnn.load("나의 글", checkpoints=folder).path == model.path
    with pytest.raises(RunExistsError, match="run '나의 글' is there already and is not overwr"):
        train(text, run="나의 글", checkpoints=folder, steps=1)


def test_the_same_seed_trains_the_same_model(train: Train, text: Path) -> None:
    texts = {train(text, steps=2, seed=seed).generate(length=30, seed=1) for seed in (1, 1, 2)}
    assert len(texts) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 0}, "hidden must be >= 1, got 0"),
        ({"minutes": -1}, "minutes must be > 0, got -1"),
        ({"steps": 1, "epochs": 1}, "give one of --minutes, --epochs and --steps, got 2"),
        ({"tokenizer": "word"}, "tokenizer must be one of char, jamo, byte, subword, got 'word'"),
        ({"encoding": "hangul"}, "encoding must be a character set such as utf-8 or cp949, got "
         "'hangul'"),
        ({"run": "a/b"}, "run name must not hold / or \\, got 'a/b': give a name such as "
         "'mujeong-2'"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(here: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        charnn.train("gone.txt", **options)
    assert str(caught.value) == message
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, charnn.CharnnError)
    assert not list(here.iterdir())


def test_an_unknown_option_is_named(model: charnn.Model) -> None:
    with pytest.raises(OptionError, match=r"^there is no option 'minute': it must be one of toke"):
        charnn.train("gone.txt", minute=5)
    with pytest.raises(OptionError, match=r"^there is no option 'temp': it must be one of tempe"):
        model.generate(temp=0.5)
    with pytest.raises(OptionError, match=r"^hidden is fixed when a run goes on: it must be one"):
        charnn.resume("gone", hidden=9)


def test_a_text_that_is_not_there() -> None:
    with pytest.raises(TextError, match=r"^gone\.txt does not exist: check its path$"):
        charnn.train("gone.txt")
    with pytest.raises(OptionError, match="texts must name at least one file"):
        charnn.train([])


def test_weights_from_another_run(story: Path, text: Path) -> None:
    child = charnn.train(text, init_from="story", run="child", steps=1, threads=1, sample_length=5)
    parent = charnn.load(story)
    assert child.writer.tokenizer.fingerprint == parent.writer.tokenizer.fingerprint
    with pytest.raises(RunNotFoundError):
        charnn.train(text, init_from="nix")


def test_resume_ends_where_an_uninterrupted_run_does(train: Train, text: Path) -> None:
    whole = train(text, run="whole", steps=6)
    stopped = train(text, run="stopped", steps=6, **stopping_at(3))
    records: list[Record] = []
    resumed = charnn.resume("stopped", on_record=records.append)
    assert resumed.path == stopped.path
    assert [r.resumed_at for r in records if isinstance(r, RunStarted)] == [3]
    for name in ("weights.safetensors", "trainer.safetensors"):
        files = [(model.path / "last" / name).read_bytes() for model in (whole, resumed)]
        assert files[0] == files[1]


def test_resume_takes_the_newest_run_and_other_samples(train: Train, text: Path) -> None:
    train(text, steps=4, **stopping_at(1))
    records: list[Record] = []
    model = charnn.resume(
        on_record=records.append, temps=(0.3, 0.6), prompt="섭섭이", sample_length=5
    )
    assert model.name == "novel"
    samples = [record for record in records if getattr(record, "prompt", None) == "섭섭이"]
    assert {getattr(sample, "temperature", None) for sample in samples} == {0.3, 0.6}


def test_resume_of_a_finished_run_is_refused(story: Path) -> None:
    with pytest.raises(charnn.CharnnError) as caught:
        charnn.resume(str(story))
    assert str(caught.value) == (
        "run story has finished its 3 steps: give it more with --minutes, --epochs or --steps, or "
        "start a new one from it with --init-from story"
    )
