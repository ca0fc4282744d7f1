"""charnn from Python: the same house as the command line, by its other door."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import charnn
from charnn.errors import OptionError, RunExistsError, RunNotFoundError, TextError
from charnn.records import Control, Finished, PlanFixed, Preparing, Record, RunStarted, StepRecord

TINY: dict[str, Any] = {
    "hidden": 8,
    "batch_size": 2,
    "seq_len": 16,
    "threads": 1,
    "sample_length": 10,
    "temps": (0.8,),
}


@pytest.fixture(autouse=True)
def python(here: Path) -> None:
    """Everything happens there."""


@pytest.fixture(scope="module")
def model(written: Path) -> charnn.Model:
    return charnn.load(written)


def collect() -> tuple[list[Record], Callable[[Record], None]]:
    records: list[Record] = []
    return records, records.append


def stopping_at(step: int) -> dict[str, Any]:
    """Callbacks that stop a training at a step."""
    control = Control()

    def stop(record: Record) -> None:
        if isinstance(record, StepRecord) and record.step >= step:
            control.stop()

    return {"control": control, "on_record": stop}


# -- train ------------------------------------------------------------------------------------


def test_train_returns_a_model_that_writes(text: Path) -> None:
    records, on_record = collect()
    model = charnn.train(text, steps=2, on_record=on_record, **TINY)
    assert (model.name, model.path) == ("novel", Path("checkpoints/novel"))
    assert repr(model) == "<charnn model 'novel'>"
    assert len(model.generate(length=20, seed=1)) >= 20
    kinds = [type(record) for record in records]
    assert kinds[0] is Preparing and kinds[-1] is Finished
    assert kinds.count(RunStarted) == kinds.count(PlanFixed) == 1


def test_texts_may_be_named_in_many_ways(text: Path, here: Path) -> None:
    other = here / "other.txt"
    other.write_text("다른 글이다. " * 30, encoding="utf-8")
    for texts, name in (
        (str(text), "novel"),
        ([text, "other.txt"], "novel+other"),
        ((other,), "other"),
    ):
        assert charnn.train(texts, steps=1, **TINY).name == name


def test_the_name_and_the_folder_of_a_run(text: Path, here: Path) -> None:
    folder = here / "elsewhere"
    model = charnn.train(text, run="나의 글", checkpoints=folder, steps=1, **TINY)
    assert model.path == folder / "나의 글"
    assert charnn.load("나의 글", checkpoints=folder).path == model.path
    with pytest.raises(RunExistsError, match="run '나의 글' is there already and is not overwr"):
        charnn.train(text, run="나의 글", checkpoints=folder, steps=1, **TINY)


def test_the_same_seed_trains_the_same_model(text: Path) -> None:
    texts = {
        charnn.train(text, steps=2, seed=seed, **TINY).generate(length=30, seed=1)
        for seed in (1, 1, 2)
    }
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


# -- resume -----------------------------------------------------------------------------------


def test_resume_ends_where_an_uninterrupted_run_does(text: Path) -> None:
    whole = charnn.train(text, run="whole", steps=6, **TINY)
    stopped = charnn.train(text, run="stopped", steps=6, **TINY, **stopping_at(3))
    records, on_record = collect()
    resumed = charnn.resume("stopped", on_record=on_record)
    assert resumed.path == stopped.path
    assert [r.resumed_at for r in records if isinstance(r, RunStarted)] == [3]
    for name in ("weights.safetensors", "trainer.safetensors"):
        files = [(model.path / "last" / name).read_bytes() for model in (whole, resumed)]
        assert files[0] == files[1]


def test_resume_takes_the_newest_run_and_other_samples(text: Path) -> None:
    charnn.train(text, steps=4, **TINY, **stopping_at(1))
    records, on_record = collect()
    model = charnn.resume(on_record=on_record, temps=(0.3, 0.6), prompt="섭섭이", sample_length=5)
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


# -- load and list ----------------------------------------------------------------------------


def test_load_by_name_by_path_and_the_newest(story: Path) -> None:
    for model in (charnn.load("story"), charnn.load(str(story)), charnn.load(story), charnn.load()):
        assert model.name == "story"
        assert model.path.resolve() == story.resolve()


def test_load_says_what_there_is(story: Path) -> None:
    with pytest.raises(RunNotFoundError) as caught:
        charnn.load("storm")
    assert str(caught.value) == (
        "run 'storm' is not there: in 'checkpoints' there is story, perhaps 'story'?"
    )
    assert story.is_dir()


def test_list_runs_also_after_the_rooms_are_imported(story: Path) -> None:
    import charnn.runs.run  # once a function was called like this room, which hid it

    (found,) = charnn.list_runs()
    assert (found.name, found.step, found.size) == (story.name, 3, "1x8 lstm")
    assert charnn.list_runs("nowhere") == []


# -- write ------------------------------------------------------------------------------------


def test_generate_is_what_stream_says_in_one(model: charnn.Model) -> None:
    pieces = list(model.stream("섭섭이", seed=5, length=50, temperature=1.0))
    assert all(pieces)
    text = model.generate("섭섭이", seed=5, length=50, temperature=1.0)
    assert "".join(pieces) == text
    assert len(text) in range(50, 54)


def test_generate_many_begins_with_what_generate_writes(model: charnn.Model) -> None:
    many = model.generate_many(3, "섭섭이", seed=5, length=30)
    assert len(set(many)) == 3
    assert many[0] == model.generate("섭섭이", seed=5, length=30)


def test_without_a_seed_every_text_is_another(model: charnn.Model) -> None:
    assert len({model.generate(length=40) for _ in range(3)}) == 3


def test_wrong_options_are_refused_before_anything_is_written(model: charnn.Model) -> None:
    for call in (model.stream, model.generate):
        with pytest.raises(OptionError, match=r"^temperature must be >= 0, got -1$"):
            call(temperature=-1)
    with pytest.raises(OptionError, match=r"^num_samples must be >= 1, got 0$"):
        model.generate_many(0)
    with pytest.raises(OptionError, match=r"^seed must be >= 0, got -1$"):
        model.generate(seed=-1)


def test_a_run_without_a_checkpoint_cannot_write(story: Path) -> None:
    for slot in ("best", "last", "best.prev", "last.prev"):
        shutil.rmtree(story / slot, ignore_errors=True)
    with pytest.raises(RunNotFoundError, match="has no last checkpoint yet"):
        charnn.load(story).generate()


# -- evaluate ---------------------------------------------------------------------------------


def test_evaluate_the_own_text_and_another(model: charnn.Model, text: Path) -> None:
    own = model.evaluate()
    assert (own.part, own.score.characters) == ("validation", 300)
    assert own.ngram is not None
    assert own.score.bits_per_char < own.network.bits_per_char
    assert own.score.bits_per_char == pytest.approx(own.score.nats / math.log(2) / 300)
    records, on_record = collect()
    other = model.evaluate([text], on_record=on_record)
    assert (other.part, other.score.characters) == ("text", 1500)
    assert any(isinstance(record, Preparing) for record in records)
    assert model.evaluate(part="train").score.characters == 2700


def test_evaluate_what_is_not_there(model: charnn.Model) -> None:
    with pytest.raises(OptionError) as caught:
        model.evaluate(part="best")
    assert str(caught.value) == "part must be one of train, validation, test, got 'best'"
    with pytest.raises(TextError):
        model.evaluate("gone.txt")


def test_a_model_writes_better_what_it_was_trained_on(text: Path) -> None:
    """The whole way, once: a training that takes place shows in the score."""
    options = {**TINY, "hidden": 32, "learning_rate": 0.03, "val_fraction": 0}
    scores = [
        charnn.train(text, run=str(steps), steps=steps, **options).evaluate(part="train").network
        for steps in (1, 200)
    ]
    assert scores[1].bits_per_char < scores[0].bits_per_char - 1
