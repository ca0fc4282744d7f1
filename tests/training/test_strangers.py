"""A run from a stranger, every seal of it right and something in it wrong: refused in one line."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charnn
from charnn.errors import CharnnError, OptionError, RunDamagedError, TextError
from charnn.model.shapes import ModelShape
from charnn.records import Control, StepRecord
from charnn.runs.config import MAX_PARAMETERS
from charnn.runs.documents import read_sealed, write_sealed
from charnn.runs.files import measure_file
from charnn.runs.run import Run
from charnn.runs.storage import write_file
from charnn.runs.tensors import decode_tensors, encode_tensors
from charnn.training import setting
from charnn.training.faults import NoMemoryError
from charnn.training.needs import check_memory, network_bytes, window_bytes
from charnn.training.options import TrainOptions
from charnn.training.recipe import make_recipe
from charnn.training.saved_fields import read_options, read_precision, read_recipe

FOLDERS = ("best", "best.prev", "last", "last.prev")
OPTIONS = TrainOptions(hidden=12, batch_size=4, seq_len=8, steps=5)
SHAPE = make_recipe(OPTIONS, 2000, 300, "cpu").shape(300)


class StopSoon(Control):
    def __call__(self, record: object) -> None:
        if isinstance(record, StepRecord) and record.step >= 6:
            self.stop()


@pytest.fixture
def stopped(train: Any, checkpoints: Path) -> Path:
    """The folder of a run that was stopped on its way."""
    control = StopSoon()
    train(run="stopped", steps=12, control=control, on_record=control, save_every="2steps")
    return checkpoints / "stopped"


def seal_again(run: Path) -> None:
    """Make every checksum of a run those of its files, as who forges one would."""
    if (run / "plan.json").exists():
        config = hashlib.sha256((run / "config.json").read_bytes()).hexdigest()
        write_sealed(run / "plan.json", read_sealed(run / "plan.json") | {"config": config})
    for folder in FOLDERS:
        path = run / folder / "manifest.json"
        if path.exists():
            manifest = read_sealed(path)
            for key, home in (("files", run / folder), ("run_files", run)):
                manifest[key] = {n: asdict(measure_file(home / n)) for n in manifest[key]}
            write_sealed(path, manifest)


def forge(path: Path, change: Callable[[Any], object]) -> None:
    """Change a sealed document of a run, and seal everything again."""
    document = read_sealed(path)
    change(document)
    write_sealed(path, document)
    seal_again(path.parent)


def forge_everywhere(run: Path, slot: str, name: str, change: Callable[[Any], object]) -> None:
    """Change a file of every checkpoint of a slot, and seal everything again."""
    for folder in (slot, f"{slot}.prev"):
        path = run / folder / name
        if not path.exists():
            continue
        if path.suffix == ".json":
            document = json.loads(path.read_bytes())
            change(document)
            path.write_text(json.dumps(document), encoding="utf-8")
        else:
            arrays = {k: np.array(a) for k, a in decode_tensors(path.read_bytes(), name).items()}
            change(arrays)
            path.unlink()
            write_file(path, encode_tensors(arrays))
    seal_again(run)


def resume(run: Path, **more: Any) -> None:
    charnn.resume(run.name, checkpoints=run.parent, **more)


# -- options and recipe -------------------------------------------------------------------------

OF_THE_RECIPE = [
    ({"learning_rate": "x"}, "learning_rate must be a number, got 'x'"),
    ({"learning_rate": 0}, "learning_rate must be > 0, got 0"),
    ({"learning_rate": float("inf")}, "learning_rate must be a number, got inf"),
    ({"learning_rate": True}, "learning_rate must be a number, got True"),
    ({"grad_clip": -1.0}, "grad_clip must be > 0, got -1.0"),
    ({"weight_decay": -0.1}, "weight_decay must be >= 0, got -0.1"),
    ({"batch_size": 2.5}, "batch_size must be a whole number, got 2.5"),
    ({"batch_size": 0}, "batch_size must be in [1, 1048576], got 0"),
    ({"batch_size": 1 << 21}, "batch_size must be in [1, 1048576], got 2097152"),
    ({"seq_len": -8}, "seq_len must be in [1, 1048576], got -8"),
    ({"seq_len": [8]}, "seq_len must be a whole number, got [8]"),
    ({"ngram_order": 0}, "ngram_order must be in [1, 32], got 0"),
    ({"ngram_order": 10**9}, "ngram_order must be in [1, 32], got 1000000000"),
    ({"ngram_weight": 1.0}, "ngram_weight must be in [0, 1), got 1.0"),
    ({"weight_tokens": -1}, "weight_tokens must be in [0, 9007199254740992], got -1"),
    ({"weight_tokens": None}, "weight_tokens must be a whole number, got None"),
    ({"warmup": 1.5}, "warmup must be in [0, 1], got 1.5"),
    ({"ema": 1}, "ema must be in [0, 1), got 1"),
    ({"output_dropout": -0.5}, "output_dropout must be in [0, 1), got -0.5"),
    ({"optimizer": "lion"}, "optimizer must be one of adamw, adagrad, sgd, got 'lion'"),
    ({"optimizer": None}, "optimizer must be a text, got None"),
    ({"schedule": "x"}, "schedule must be one of cosine, constant, got 'x'"),
    ({"cell": "qrnn"}, "cell must be one of lstm, gru, rnn, got 'qrnn'"),
    ({"composed": 1}, "composed must be true or false, got 1"),
    ({"tied": None}, "tied must be true or false, got None"),
    ({"feed_forward_size": "x"}, "feed_forward_size must be a whole number, got 'x'"),
    ({"feed_forward_size": 5}, "recipe is of another network than the run's"),
    ({"hidden_size": 13}, "recipe is of another network than the run's"),
    ({"num_layers": 10**6}, "recipe is of another network than the run's"),
    ({"tied": not SHAPE.tied}, "recipe is of another network than the run's"),
]


@pytest.mark.parametrize(
    ("change", "message"), OF_THE_RECIPE, ids=[str(c[0]) for c in OF_THE_RECIPE]
)
def test_a_recipe_that_cannot_be(change: dict[str, Any], message: str) -> None:
    recipe = make_recipe(OPTIONS, 2000, 300, "cpu")
    assert read_recipe(asdict(recipe), SHAPE) == recipe
    with pytest.raises(OptionError) as error:
        read_recipe(asdict(recipe) | change, SHAPE)
    assert str(error.value) == message


OF_THE_OPTIONS = [
    ({"sample_every": 5}, "sample_every must be a text, got 5"),
    ({"temps": "abc"}, "temps must be a list of at most 64 numbers, got 'abc'"),
    ({"temps": [0.5] * 65}, "temps must be a list of at most 64 numbers, got [0.5, 0.5, "),
    ({"temps": ["x"]}, "temps must be a list of at most 64 numbers, got ['x']"),
    ({"prompt": 5}, "prompt must be a text, got 5"),
    ({"seed": 1.5}, "seed must be a whole number, got 1.5"),
    ({"seed": None}, "seed must be a whole number, got None"),
    ({"steps": 2.5}, "steps must be a whole number or nothing, got 2.5"),
    ({"steps": 1 << 60}, "steps must be <= 9,007,199,254,740,992, got 1152921504606846976"),
    ({"steps": None, "epochs": 1e300}, "epochs must be <= 1,000,000,000, got 1e+300"),
    ({"steps": None, "minutes": 1e300}, "minutes must be <= 1,000,000,000, got 1e+300"),
    ({"threads": 10**6}, "threads must be <= 1,024, got 1000000"),
    ({"no_ngram": 0}, "no_ngram must be true or false, got 0"),
    ({"hidden": "x"}, "hidden must be a whole number or nothing, got 'x'"),
    ({"tokenizer": ["char"]}, "tokenizer must be a text, got ['char']"),
    ({"device": "tpu"}, "device must be one of auto, cpu, cuda, mps, got 'tpu'"),
]


@pytest.mark.parametrize(
    ("change", "message"), OF_THE_OPTIONS, ids=[str(c[0])[:40] for c in OF_THE_OPTIONS]
)
def test_options_that_cannot_be(change: dict[str, Any], message: str) -> None:
    assert read_options(json.loads(json.dumps(asdict(OPTIONS)))) == OPTIONS
    with pytest.raises(OptionError) as error:
        read_options(asdict(OPTIONS) | change)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("precision", ["fp64", None, ["fp32"], 32])
def test_a_precision_that_there_is_not(precision: Any) -> None:
    with pytest.raises(OptionError) as error:
        read_precision({"precision": precision})
    assert str(error.value) == f"precision must be one of fp32, bf16, got {precision!r}"


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("recipe", {"learning_rate": "x"}),
        ("recipe", {"batch_size": 10**15}),
        ("options", {"sample_every": 5}),
        ("options", {"threads": 10**6}),
        ("device", {"precision": 5}),
    ],
    ids=str,
)
def test_a_training_that_cannot_be_gone_on_with(
    stopped: Path, part: str, change: dict[str, Any]
) -> None:
    forge(stopped / "config.json", lambda config: config["training"][part].update(change))
    for use in (resume, lambda run: charnn.load(run.name, checkpoints=run.parent).evaluate()):
        with pytest.raises(RunDamagedError) as error:
            use(stopped)
        assert "\n" not in str(error.value)
    generated = charnn.load(stopped.name, checkpoints=stopped.parent)
    assert (part == "recipe" and "batch_size" in change) or generated.generate(length=3)


# -- declared sizes -----------------------------------------------------------------------------


def larger(config: Any) -> None:
    """A network of two thousand million numbers, in every place that tells of it."""
    for sizes in (config["model"], config["training"]["recipe"]):
        sizes["hidden_size"] = sizes["embedding_size"] = 10_000


def test_no_network_is_made_of_a_declared_size_without_its_weights(
    stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge(stopped / "config.json", larger)
    monkeypatch.setattr(setting, "check_memory", lambda *_: None)
    monkeypatch.setattr(setting, "new_state", lambda *_: pytest.fail("a state was made"))
    with pytest.raises(RunDamagedError, match=r"it is of another network$"):
        resume(stopped)


def test_no_network_is_made_that_the_machine_has_no_memory_for(
    stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in FOLDERS:
        shutil.rmtree(stopped / folder, ignore_errors=True)
    forge(stopped / "config.json", larger)
    monkeypatch.setattr("charnn.training.needs.machine_memory", lambda: 8 << 30)
    monkeypatch.setattr(setting, "new_state", lambda *_: pytest.fail("a state was made"))
    with pytest.raises(NoMemoryError) as error:
        resume(stopped)
    assert str(error.value).startswith("a network of 80")
    said = "this machine has 8.6: train it on a larger one, or a smaller network"
    assert str(error.value).endswith(said)


def test_memory_is_that_of_the_network_and_of_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = make_recipe(TrainOptions(hidden=12, batch_size=4, seq_len=8), 2000, 300, "cpu")
    shape = ModelShape(300, 12, 12, 1, "lstm", recipe.tied)
    network, window = network_bytes(recipe, shape), window_bytes(recipe, shape, 2000)
    assert network < 4 * 5 * MAX_PARAMETERS
    assert window == 4 * 4 * 8 * (4 * 12 + 2 * 300)
    block = replace(shape, feed_forward_size=10)
    assert window_bytes(recipe, block, 2000) == window + 4 * 4 * 8 * 3 * 10
    assert window_bytes(recipe, shape, 20) == 4 * 4 * 5 * (4 * 12 + 2 * 300)
    for memory, words in ((network + window, None), (network + window - 1, "4 rows of 8 tokens")):
        monkeypatch.setattr("charnn.training.needs.machine_memory", lambda most=memory: most)
        if words is None:
            check_memory(recipe, shape, 2000)
        else:
            with pytest.raises(NoMemoryError, match=f"^{words} take"):
                check_memory(recipe, shape, 2000)


def test_a_vocabulary_that_is_not_the_tokenizers(stopped: Path) -> None:
    def grow(config: Any) -> None:
        config["model"]["vocab_size"] = config["tokenizer"]["vocab_size"] = 100_000

    forge(stopped / "config.json", grow)
    with pytest.raises(RunDamagedError, match=r"are not those of run stopped$"):
        resume(stopped)


# -- what a checkpoint and a plan say -----------------------------------------------------------

IN_TRAINER_JSON = [
    {"elapsed": 10**4000},
    {"elapsed": -1},
    {"step": "many"},
    {"step": 1 << 60},
    {"settled": {}},
    {"rate_factor": 1e300},
    {"plan": 5},
    {"temperature": 20.0},
    {"best_temperature": 1e-300},
]


@pytest.mark.parametrize("change", IN_TRAINER_JSON, ids=lambda change: str(change)[:20])
def test_a_progress_that_cannot_be(stopped: Path, change: dict[str, Any]) -> None:
    forge_everywhere(stopped, "last", "trainer.json", lambda data: data.update(change))
    if "plan" in change:
        (stopped / "plan.json").unlink()
    with pytest.raises(RunDamagedError) as error:
        resume(stopped)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000


def test_a_run_from_before_there_was_a_temperature_goes_on(stopped: Path) -> None:
    def forget(progress: dict[str, Any]) -> None:
        del progress["temperature"], progress["best_temperature"]

    forge_everywhere(stopped, "last", "trainer.json", forget)
    resume(stopped)
    ended = Run(stopped).last()
    assert ended.step == 12
    assert ended.document("trainer.json")["best_temperature"] == 1.0


@pytest.mark.parametrize("slot", ["exp_avg", "exp_avg_sq"])
def test_a_moment_that_is_one_number(stopped: Path, slot: str) -> None:
    def shrink(arrays: dict[str, Any]) -> None:
        arrays[f"optimizer.output.bias/{slot}"] = np.float32(0).reshape(())

    forge_everywhere(stopped, "last", "trainer.safetensors", shrink)
    with pytest.raises(RunDamagedError, match=rf"bias/{slot} is float32 \(\), must be float32"):
        resume(stopped)


@pytest.mark.parametrize("history", [5, "plans", [5], {"a": 1}], ids=str)
def test_earlier_plans_that_are_none(train: Any, checkpoints: Path, history: Any) -> None:
    train(run="ended", steps=2)
    run = checkpoints / "ended"
    forge(run / "plan.json", lambda data: data["plan"].update(history=history))
    with pytest.raises(RunDamagedError) as error:
        resume(run, steps=3)
    assert str(error.value) == f"{run / 'plan.json'}: history must be a list of plans"


@pytest.mark.parametrize(
    "plan", [{"total_steps": 10**4000}, {"total_steps": 0}, {"revisions": 5}, {"patience": "x"}]
)
def test_a_plan_that_cannot_be(stopped: Path, plan: dict[str, Any]) -> None:
    assert (stopped / "plan.json").exists()
    document = read_sealed(stopped / "plan.json")
    document["plan"].update(plan)
    write_sealed(stopped / "plan.json", document)
    with pytest.raises(RunDamagedError) as error:
        resume(stopped)
    assert "\n" not in str(error.value)


# -- gradients ----------------------------------------------------------------------------------

GRADIENTS = [
    (lambda a: a.pop("output.bias"), " lacks weight 'output.bias': it is of another network"),
    (
        lambda a: a.update({"x": a["output.bias"]}),
        " holds an unknown weight 'x': it is of another network",
    ),
    (
        lambda a: a.update({"output.bias": a["output.bias"][:1]}),
        r": weight output.bias is F32 \(1,\), the network's is F32 \(\d+,\): "
        "it is of another network",
    ),
    (
        lambda a: a.update({"output.bias": a["output.bias"].astype(np.float64)}),
        r": weight output.bias is F64 \(\d+,\), the network's is F32 \(\d+,\): "
        "it is of another network",
    ),
    (
        lambda a: a["output.bias"].fill(np.nan),
        ": weight output.bias holds numbers that are not finite",
    ),
    (lambda a: a["output.bias"].fill(-1), ": weight output.bias holds roots that are below zero"),
    (lambda a: [array.fill(0) for array in a.values()], " says that nothing was ever learned"),
]


@pytest.mark.parametrize(("change", "problem"), GRADIENTS, ids=[case[1] for case in GRADIENTS])
def test_gradients_that_are_not_the_networks(stopped: Path, change: Any, problem: str) -> None:
    forge_everywhere(stopped, "best", "gradients.safetensors", change)
    model = charnn.load(stopped.name, checkpoints=stopped.parent)
    path = stopped / "best" / "gradients.safetensors"
    with pytest.raises(RunDamagedError, match=f"^{path}{problem}$"):
        model.evaluate(dynamic=True)


def test_what_was_forged_is_all_that_is_wrong(stopped: Path) -> None:
    forge(stopped / "config.json", lambda config: None)
    forge_everywhere(stopped, "last", "trainer.json", lambda data: None)
    forge_everywhere(stopped, "best", "gradients.safetensors", lambda arrays: None)
    assert charnn.load(stopped.name, checkpoints=stopped.parent).evaluate(dynamic=True)
    resume(stopped)
    try:
        resume(stopped)
    except CharnnError as error:
        assert "has finished its 12 steps" in str(error)
    assert Run(stopped).last().step == 12


# -- the text that a run names ------------------------------------------------------------------


@pytest.fixture
def without_tokens(stopped: Path) -> Path:
    shutil.rmtree(stopped.parent / ".streams")
    return stopped


@pytest.mark.parametrize("kind", ["pipe", "device", "pipe in a folder"])
def test_what_never_ends_is_not_opened(
    without_tokens: Path, tmp_path: Path, text: Path, kind: str
) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs named pipes")
    (tmp_path / "folder").mkdir()
    pipe = tmp_path / "folder" / "pipe.txt"
    os.mkfifo(pipe)
    path = {"pipe": pipe, "device": Path("/dev/zero"), "pipe in a folder": pipe.parent}[kind]
    forge(
        without_tokens / "config.json",
        lambda config: config["corpus"].update(paths=[str(text), str(path)]),
    )
    shown = path if path.name == "zero" else pipe
    for use in (resume, lambda run: charnn.load(run.name, checkpoints=run.parent).evaluate()):
        with pytest.raises(TextError) as error:
            use(without_tokens)
        assert str(error.value) == (
            f"the tokens of run stopped are gone and its text, {shown}, is a pipe or a device, "
            "which a run is not believed: say where its text lies now with --text FILE"
        )
    resume(without_tokens, text=text)


def test_a_device_beside_kept_tokens_is_not_opened(stopped: Path) -> None:
    def point(config: Any) -> None:
        config["corpus"].update(paths=["/dev/zero"], looks=None)

    forge(stopped / "config.json", point)
    resume(stopped)


@pytest.mark.parametrize("corpus", [{"paths": None}, {"paths": ["a\0b"]}, {"paths": []}], ids=str)
def test_paths_that_are_none(without_tokens: Path, corpus: dict[str, Any]) -> None:
    forge(without_tokens / "config.json", lambda config: config["corpus"].update(corpus))
    with pytest.raises(TextError) as error:
        resume(without_tokens)
    assert str(error.value).endswith(" with --text FILE")
    assert "\n" not in str(error.value)


def test_a_corpus_without_its_length(stopped: Path, text: Path, story: str) -> None:
    forge(stopped / "config.json", lambda config: config["corpus"].pop("characters"))
    text.write_text(story + "!", encoding="utf-8")
    told: list[Any] = []
    resume(stopped, on_record=told.append)
    (warning,) = [r.message for r in told if getattr(r, "kind", "") == "warning"]
    assert warning.startswith(
        f"the text has changed since this run was begun, it has now {len(story) + 1:,} characters: "
    )
