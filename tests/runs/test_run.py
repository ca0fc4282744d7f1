"""A run: its creation, configuration, plan and checkpoints."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charnn.corpus.tokenizers import ByteTokenizer, load_tokenizer
from charnn.errors import OptionError, RunDamagedError, RunError, RunExistsError, RunNotFoundError
from charnn.model.shapes import ModelShape
from charnn.runs.config import RunConfig
from charnn.runs.run import Run, create_next_run, create_run


def test_a_run_is_a_path(run: Run) -> None:
    assert os.fspath(run) == str(run.path)
    assert run.name == "novel"
    assert Run(Path()).name == Path.cwd().name


def test_config_there_and_back(run: Run, config: Callable[..., RunConfig]) -> None:
    assert run.config() == config()
    assert list(config().to_json()) == [
        *["charnn", "created", "corpus", "tokenizer", "model", "experts", "training"]
    ]


def test_a_taken_name_is_refused(run: Run, config: Callable[..., RunConfig]) -> None:
    before = (run.path / "config.json").read_bytes()
    with pytest.raises(RunExistsError) as caught:
        create_run(run.path.parent, "novel", config())
    assert str(caught.value) == (
        "run 'novel' is there already and is not overwritten: go on with it by "
        "'charnn train --resume novel', or call this one --run novel-2"
    )
    assert (run.path / "config.json").read_bytes() == before


def test_bad_name_and_bad_folder(tmp_path: Path, config: Callable[..., RunConfig]) -> None:
    with pytest.raises(OptionError, match="run name must not begin with a dot"):
        create_run(tmp_path, ".streams", config())
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="run a cannot be written"):
        create_run(tmp_path / "file" / "more", "a", config())


def test_a_power_cut_while_a_run_is_made(
    tmp_path: Path, config: Callable[..., RunConfig], faults: Any, power_cut: Any
) -> None:
    call, died = 1, True
    while died:
        faults.arm(call, power_cut, half=True)
        try:
            run = create_run(tmp_path / str(call), "novel", config(), ByteTokenizer())
            died = False
        except power_cut:
            run = Run(tmp_path / str(call) / "novel")
        faults.disarm(lose_unflushed=died)
        if run.path.exists():
            assert run.config() == config()
            assert load_tokenizer(run.path).fingerprint == ByteTokenizer().fingerprint
        call += 1
    assert [line.partition(" ")[0] for line in faults.log] == [
        *["mkdir", "mkdir"],  # the folder of runs, the run under another name
        *["open", "write", "fsync", "replace", "fsync"],  # config.json
        *["fsync", "replace", "unlink"],  # tokenizer.json; how it is opened is not watched
        *["fsync", "rename", "fsync"],  # the run, its place, the folder of runs
    ]
    assert [path.name for path in run.path.parent.iterdir()] == ["novel"]


def test_another_process_is_faster(
    tmp_path: Path, config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.rename

    def rename(path: Path, target: Path) -> Path:
        (target / "config.json").parent.mkdir()
        (target / "config.json").touch()
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(RunExistsError, match="run 'novel' is there already"):
        create_run(tmp_path, "novel", config())
    assert [path.name for path in tmp_path.iterdir()] == ["novel"]


def test_the_next_name_that_is_free_when_the_run_is_made(
    tmp_path: Path, config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if target.name in ("novel", "novel-2"):  # others are faster
            target.mkdir()
            (target / "config.json").touch()
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    assert create_next_run(tmp_path, "novel", config()).name == "novel-3"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["novel", "novel-2", "novel-3"]


def test_a_signal_while_a_run_is_made_leaves_nothing(
    tmp_path: Path, config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("charnn.runs.run.save_tokenizer", interrupt)
    with pytest.raises(KeyboardInterrupt):
        create_run(tmp_path, "novel", config(), ByteTokenizer())
    assert list(tmp_path.iterdir()) == []


CONFIGS: list[tuple[dict[str, Any], type[RunError], str]] = [
    ({"charnn": 1}, RunDamagedError, "charnn must be a text, got 1"),
    ({"created": "x" * 257}, RunDamagedError, "created has 257 characters, at most 256"),
    ({"corpus": []}, RunDamagedError, "corpus must be an object, got []"),
    ({"corpus": {"name": 5}}, RunDamagedError, "name must be a text, got 5"),
    ({"corpus": {"paths": "/etc"}}, RunDamagedError, "paths must be a list, got '/etc'"),
    ({"corpus": {"paths": ["a", 5]}}, RunDamagedError, "path 1 of the text must be a text"),
    ({"corpus": {"encoding": []}}, RunDamagedError, "encoding must be a text, got []"),
    (
        {"corpus": {"characters": "5"}},
        RunDamagedError,
        "characters must be a whole number, got '5'",
    ),
    ({"tokenizer": {}}, RunDamagedError, "kind must be a text, got nothing"),
    ({"experts": "network"}, RunDamagedError, "experts must be a list, got 'network'"),
    (
        {"experts": ["ngram"]},
        RunDamagedError,
        "experts must be a few names with 'network' among them",
    ),
    (
        {"experts": ["network", 1]},
        RunDamagedError,
        "experts must be a few names with 'network' among them",
    ),
]
MODELS: list[tuple[dict[str, Any], type[RunError], str]] = [
    ({"vocab_size": 6}, RunDamagedError, "the tokenizer has 5 tokens, the network 6"),
    ({"vocab_size": True}, RunDamagedError, "vocab_size must be a whole number, got True"),
    ({"hidden_size": None}, RunDamagedError, "hidden_size must be a whole number, got None"),
    ({"hidden_size": 0}, RunDamagedError, "hidden_size must be >= 1, got 0"),
    ({"networks": 0}, RunDamagedError, "networks must be >= 1, got 0"),
    ({"networks": "2"}, RunDamagedError, "networks must be a whole number, got '2'"),
    (
        {"networks": 1 << 40},
        RunDamagedError,
        "all networks together may have 256 layers, got 2,199,023,255,552",
    ),
    (
        {"networks": 129, "num_layers": 2},
        RunDamagedError,
        "all networks together may have 256 layers, got 258",
    ),
    ({"feed_forward_size": -1}, RunDamagedError, "feed_forward_size must be >= 0, got -1"),
    (
        {"feed_forward_size": True},
        RunDamagedError,
        "feed_forward_size must be a whole number, got True",
    ),
    (
        {"feed_forward_size": 1 << 40},
        RunDamagedError,
        "a network may have 4,194,304 units of a block, got 1,099,511,627,776",
    ),
    ({"cell": "qrnn"}, RunDamagedError, "cell must be one of lstm, gru, rnn, got 'qrnn'"),
    ({"tied": 1}, RunDamagedError, "tied must be true or false, got 1"),
    (
        {"num_layers": 1 << 60},
        RunDamagedError,
        "all networks together may have 256 layers, got 1,152,921,504,606,846,976",
    ),
    (
        {"hidden_size": 1 << 30},
        RunDamagedError,
        "a network may have 4,194,304 units, got 1,073,741,824",
    ),
    (
        {"hidden_size": 1 << 20},
        RunDamagedError,
        "a run may have 2,147,483,648 numbers to learn, got 13,194,172,039,188",
    ),
    ({"attention": True}, RunError, "has an unknown model setting 'attention': update charnn"),
]


@pytest.mark.parametrize(("change", "kind", "message"), CONFIGS)
def test_configs_that_cannot_be(
    config: Callable[..., RunConfig], change: dict[str, Any], kind: type[RunError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        RunConfig.from_json(config().to_json() | change, "x")
    assert str(caught.value) == f"x: {message}"


@pytest.mark.parametrize(("change", "kind", "message"), MODELS)
def test_models_that_cannot_be(
    config: Callable[..., RunConfig], change: dict[str, Any], kind: type[RunError], message: str
) -> None:
    data = config().to_json()
    with pytest.raises(kind) as caught:
        RunConfig.from_json(data | {"model": data["model"] | change}, "x")
    assert str(caught.value) in (f"x: {message}", f"x {message}")


def test_what_cannot_be_read_back_is_not_written(
    tmp_path: Path, config: Callable[..., RunConfig]
) -> None:
    with pytest.raises(RunDamagedError, match="the tokenizer has 5 tokens, the network 7"):
        create_run(tmp_path / "a", "novel", config(model=ModelShape(7, 3, 4, 2, "gru")))
    assert not (tmp_path / "a").exists()


def test_plan(run: Run, helpers: Any, tmp_path: Path) -> None:
    assert run.plan() is None
    run.write_plan({"total_steps": 100})
    run.write_plan({"total_steps": 200, "seconds": None})
    assert run.plan() == {"total_steps": 200, "seconds": None}
    other = helpers.run(tmp_path / "others", "other", created="another time")
    (other.path / "plan.json").write_bytes((run.path / "plan.json").read_bytes())
    with pytest.raises(RunDamagedError) as caught:
        other.plan()
    assert str(caught.value) == (
        f"{other.path}/plan.json belongs to another run: restore it from a copy"
    )


def test_no_checkpoint_yet(run: Run) -> None:
    for read in (run.best, run.last, run.chosen):
        with pytest.raises(RunNotFoundError) as caught:
            read()
        slot = "best" if read == run.best else "last"
        assert str(caught.value) == (
            f"run novel has no {slot} checkpoint yet: let 'charnn train --resume novel' go on "
            "until it has saved one"
        )


def test_chosen_is_the_best_as_soon_as_there_is_one(
    run: Run, helpers: Any, shape: ModelShape
) -> None:
    helpers.save(run, 2)
    assert run.chosen("weights.safetensors").step == 2
    helpers.save(run, 1, "best")
    assert run.chosen().step == 1
    assert run.chosen().weights(shape)["output.bias"].tolist() == [1.0] * 5


def test_run_files_a_checkpoint_was_not_made_with(run: Run, helpers: Any) -> None:
    helpers.save(run, 1, run_files={})
    with pytest.raises(RunDamagedError) as caught:
        run.last().run_file("ngram.json")
    assert str(caught.value) == f"{run.path}/last was made without ngram.json: it cannot be used"
