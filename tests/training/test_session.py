"""A run from its beginning: what is in its folder, what it begins from, where its text lies."""

import json
import os
import shutil
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import charnn
from charnn.corpus.tokenizers import load_tokenizer
from charnn.errors import (
    OptionError,
    RunDamagedError,
    RunError,
    RunExistsError,
    RunLockedError,
    RunNotFoundError,
    TextError,
)
from charnn.model.shapes import parameter_count, weight_shapes
from charnn.records import Control, Event, Preparing, RunStarted, Validation
from charnn.runs.check import check_run
from charnn.runs.checkpoints import Checkpoint
from charnn.runs.documents import read_sealed, write_sealed
from charnn.runs.export import export_run
from charnn.runs.lock import lock_run
from charnn.runs.run import Run
from charnn.training import session as session_module
from charnn.training.trainer import Trainer


@pytest.fixture
def stopped(train, text, checkpoints, stop_at):
    """A run stopped at step 5 of 12; options as of `charnn.train`."""

    def stopped(**options: Any) -> Run:
        control = stop_at(5)
        charnn.train(
            options.pop("texts", text),
            checkpoints=checkpoints,
            control=control,
            on_record=control,
            run="stopped",
            steps=12,
            hidden=12,
            batch_size=4,
            seq_len=8,
            threads=1,
            **{"no_ngram": True, **options},
        )
        return Run(checkpoints / "stopped")

    return stopped


def forget_tokens(checkpoints: Path) -> None:
    shutil.rmtree(checkpoints / ".streams")


def notes(records: list[Any]) -> list[str]:
    return [r.message for r in records if isinstance(r, Event) and r.kind == "note"]


# -- a new run ----------------------------------------------------------------------------------


def test_a_run_folder_holds_what_the_page_says(train, checkpoints):
    model = train(steps=10).model
    assert model.path == checkpoints / "story"
    assert sorted(path.name for path in model.path.iterdir()) == [
        *(".lock", "best", "best.prev", "config.json", "copies.safetensors", "events.jsonl"),
        *("last", "last.prev", "metrics.jsonl", "plan.json", "samples.jsonl", "tokenizer.json"),
    ]
    assert sorted(path.name for path in (model.path / "last").iterdir()) == [
        *("manifest.json", "trainer.json", "trainer.safetensors", "weights.safetensors"),
    ]
    assert sorted(path.name for path in (model.path / "best").iterdir()) == [
        *("gradients.safetensors", "manifest.json", "weights.safetensors"),
    ]
    assert sorted(path.name for path in checkpoints.iterdir()) == [".streams", "story"]


def test_config_says_what_the_run_is(train, text, story):
    run = Run(train(cell="gru", prompt="바람").model.path)
    config = run.config()
    tokenizer = load_tokenizer(run.path)
    assert config.corpus["name"] == "story"
    assert config.corpus["paths"] == [str(text.resolve())]
    assert config.corpus["characters"] == len(story)
    assert config.corpus["documents"] == 1
    parts = config.corpus["parts"]
    assert sum(part["characters"] for part in parts.values()) == len(story)
    assert config.tokenizer == {
        "kind": "char",
        "vocab_size": tokenizer.vocab_size,
        "fingerprint": tokenizer.fingerprint,
    }
    assert (config.model.cell, config.model.hidden_size) == ("gru", 12)
    assert config.training["options"]["prompt"] == "바람"
    assert config.training["recipe"]["cell"] == "gru"
    assert config.training["device"] == {"kind": "cpu", "precision": "fp32", "flops": None}
    weights = run.last().weights(config.model)
    assert {name: array.shape for name, array in weights.items()} == weight_shapes(config.model)


@pytest.mark.parametrize(("flops", "dropped"), [(1e6, False), (1e15, True)])
def test_the_recipe_goes_by_the_speed_where_minutes_decide(train, monkeypatch, flops, dropped):
    monkeypatch.setattr("charnn.training.session.measure_flops", lambda _: flops)
    training = Run(train(minutes=0.01, batch_size=64, seq_len=32).model.path).config().training
    assert training["device"]["flops"] == flops
    assert (training["recipe"]["output_dropout"] > 0) == dropped


def test_the_head_of_a_run_says_what_is_trained(train, checkpoints, story):
    trained = train(layers=2, embedding=7, seed=5)
    (head,) = trained.of(RunStarted)
    shape = Run(trained.model.path).config().model
    assert head == RunStarted(
        run="story",
        path=str(checkpoints / "story"),
        corpus="story",
        characters=len(story),
        tokenizer="char",
        vocab_size=shape.vocab_size,
        cell="lstm",
        num_layers=2,
        hidden_size=12,
        embedding_size=7,
        parameters=parameter_count(shape),
        device="cpu",
        precision="fp32",
        threads=1,
        seed=5,
    )
    kinds = [type(record) for record in trained.records]
    assert set(kinds[: kinds.index(RunStarted)]) == {Preparing}
    assert Preparing not in kinds[kinds.index(RunStarted) :]


def test_runs_are_named_after_their_text_and_never_overwritten(train, checkpoints):
    assert [train(steps=1).model.name for _ in range(3)] == ["story", "story-2", "story-3"]
    before = (checkpoints / "story" / "config.json").read_bytes()
    streams = list((checkpoints / ".streams").iterdir())
    with pytest.raises(RunExistsError) as error:
        train(run="story", seed=9)
    assert str(error.value) == (
        "run 'story' is there already and is not overwritten: go on with it by "
        "'charnn train --resume story', or call this one --run story-4"
    )
    assert (checkpoints / "story" / "config.json").read_bytes() == before
    assert list((checkpoints / ".streams").iterdir()) == streams


@pytest.mark.parametrize("name", ["taken", "../out", ".hidden"])
def test_a_wrong_name_is_refused_before_the_text_is_read(train, checkpoints, tmp_path, name):
    (checkpoints / "taken").mkdir(parents=True)
    told: list[Any] = []
    with pytest.raises((RunExistsError, OptionError)):
        train(tmp_path / "nowhere.txt", run=name, on_record=told.append)
    assert told == []


def test_a_text_too_short_for_its_rows_leaves_no_run(train, checkpoints, tmp_path):
    short = tmp_path / "short.txt"
    short.write_text("바람이 분다. " * 8, encoding="utf-8")
    with pytest.raises(TextError) as error:
        train(short, batch_size=500)
    assert str(error.value).endswith(
        "too few for 500 rows: use a longer text or a smaller --batch-size"
    )
    assert [path.name for path in checkpoints.iterdir()] == [".streams"]


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(64), b"\xb9\xd9\xb6\xf7 " * 9]
)
def test_a_text_that_cannot_be_used_leaves_nothing(train, checkpoints, tmp_path, content):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(TextError):
        train(path)
    assert not checkpoints.exists()


def test_a_tiny_text_is_trained_on(train, tmp_path):
    path = tmp_path / "tiny.txt"
    path.write_text("가나다라마바사아자차카타파하" * 2, encoding="utf-8")
    model = train(path, steps=2, batch_size=None, seq_len=None).model
    assert len(model.generate("가", length=5, seed=1)) >= 5


def test_notes_are_told_and_kept(train, tmp_path, story):
    path = tmp_path / "windows.txt"
    path.write_bytes(b"\xef\xbb\xbf" + story[:800].replace("\n", "\r\n").encode())
    told = notes(train(path, state_dropout=0.1, steps=1).records)
    assert told[0] == "byte order marks removed: 1"
    assert told[1].startswith("line ends made LF: ")
    assert told[2] == "state dropout runs the recurrence step by step, which is slower"


def test_a_run_begins_with_the_frequencies_of_its_tokens(train, story):
    """Not with all tokens alike: the first minutes would only teach which are rare."""
    trained = train(steps=1)
    tokenizer = load_tokenizer(trained.model.path)
    split = len(story) - len(story) // 10
    counts = np.bincount(tokenizer.encode(story[:split]), minlength=tokenizer.vocab_size) + 0.1
    nats = -np.log(counts / counts.sum())[tokenizer.encode(story[split:])]
    assert trained.of(Validation)[0].loss == pytest.approx(nats.mean(), abs=0.1)
    assert nats.mean() < np.log(tokenizer.vocab_size) - 0.5


# -- tokens are shared --------------------------------------------------------------------------


def tokenised(trained) -> bool:
    return any(record.stage == "tokenising" for record in trained.of(Preparing))


def test_tokens_are_made_once_for_a_text(train, text, checkpoints, tmp_path):
    assert tokenised(train(steps=1))
    moved = tmp_path / "elsewhere.txt"
    text.rename(moved)
    assert not tokenised(train(moved, steps=1))
    assert tokenised(train(moved, steps=1, tokenizer="byte"))
    assert tokenised(train(moved, steps=1, val_fraction=0.2))
    moved.write_text(moved.read_text("utf-8") + "끝", encoding="utf-8")
    assert tokenised(train(moved, steps=1))
    assert len(list((checkpoints / ".streams").iterdir())) == 4


def test_a_run_needs_its_text_no_more_while_its_tokens_are_there(stopped, text, checkpoints):
    stopped()
    text.unlink()
    assert charnn.resume("stopped", checkpoints=checkpoints).path.exists()


def test_tokens_that_are_gone_are_made_again(train, stopped, checkpoints):
    straight = train(run="straight", steps=12, sample_length=200, sample_every="20s", temps=(1.0,))
    stopped(sample_length=200, temps=(1.0,), device="cpu", precision="fp32")
    forget_tokens(checkpoints)
    records: list[Any] = []
    charnn.resume("stopped", checkpoints=checkpoints, on_record=records.append)
    assert any(isinstance(record, Preparing) for record in records)
    ours, theirs = (
        Run(checkpoints / n).last().tensors("weights.safetensors") for n in ("straight", "stopped")
    )
    assert straight.model.name == "straight"
    assert all(np.array_equal(array, theirs[name]) for name, array in ours.items())


def test_a_moved_text_is_named_with_its_old_encoding_and_documents(stopped, checkpoints, tmp_path):
    path = tmp_path / "old.txt"
    poems = ["바람이 분다, 살아 봐야겠다. " * 20, "강나루 건너서 밀밭 길을 " * 20]
    path.write_bytes("\n***\n".join(poems).encode("cp949"))
    run = stopped(texts=path, encoding="cp949", document_separator="\n***\n")
    assert run.config().corpus["documents"] == 2
    forget_tokens(checkpoints)
    moved = path.rename(tmp_path / "moved.txt")
    with pytest.raises(TextError) as error:
        charnn.resume("stopped", checkpoints=checkpoints)
    assert str(error.value) == (
        f"the tokens of run stopped are gone and {path} does not exist: "
        "say where its text lies now with --text FILE"
    )
    charnn.resume("stopped", checkpoints=checkpoints, text=moved)
    assert Run(checkpoints / "stopped").last().step == 12


def test_a_text_from_stdin_is_not_waited_for(stopped, checkpoints, text, monkeypatch):
    import io
    from types import SimpleNamespace

    stdin = SimpleNamespace(buffer=io.BytesIO(text.read_bytes()))
    monkeypatch.setattr("sys.stdin", stdin)
    stopped(texts="-")
    forget_tokens(checkpoints)
    with pytest.raises(TextError) as error:
        charnn.resume("stopped", checkpoints=checkpoints)
    assert str(error.value) == (
        "the tokens of run stopped are gone and its text came from stdin: "
        "say where it lies now with --text FILE"
    )
    charnn.resume("stopped", checkpoints=checkpoints, text=text)


def test_a_changed_text_is_noticed_where_the_tokens_are_gone(stopped, text, checkpoints, tmp_path):
    stopped()
    old = shutil.copy(text, tmp_path / "old.txt")
    text.write_text(text.read_text("utf-8").replace("나루", "나르"), encoding="utf-8")
    forget_tokens(checkpoints)
    with pytest.raises(TextError) as error:
        charnn.resume("stopped", checkpoints=checkpoints)
    assert str(error.value) == (
        "the text of run stopped has changed since it was trained on and its tokens are gone: "
        "name the old text with --text FILE, or start a new run on the new one"
    )
    assert not list(checkpoints.glob(".streams/*"))  # of another text nothing is kept
    charnn.resume("stopped", checkpoints=checkpoints, text=old)


def test_a_changed_text_does_not_matter_while_the_tokens_are_there(stopped, text, checkpoints):
    stopped()
    text.write_text("다른 글", encoding="utf-8")
    charnn.resume("stopped", checkpoints=checkpoints)
    assert Run(checkpoints / "stopped").last().step == 12


def test_damaged_tokens_are_made_again(stopped, checkpoints):
    stopped()
    (tokens,) = (checkpoints / ".streams").rglob("tokens.bin")
    data = bytearray(tokens.read_bytes())
    data[7] ^= 1
    tokens.write_bytes(data)
    records: list[Any] = []
    charnn.resume("stopped", checkpoints=checkpoints, on_record=records.append)
    assert any(isinstance(r, Preparing) and r.stage == "tokenising" for r in records)


def test_a_text_that_can_be_read_once_is_enough_to_make_them_again(
    stopped, text, checkpoints, tmp_path
):
    stopped()
    shutil.rmtree(checkpoints / ".streams")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(text.read_bytes()))
    writer.start()
    charnn.resume("stopped", checkpoints=checkpoints, text=pipe)
    writer.join(1)
    assert not writer.is_alive()
    assert Run(checkpoints / "stopped").last().step == 12


def alter_config(run: Run, **corpus: Any) -> None:
    """A config.json as a stranger may have made it: sealed all right."""
    data = read_sealed(run.path / "config.json")
    data["corpus"].update(corpus)
    write_sealed(run.path / "config.json", data)
    for slot in ("last", "last.prev", "best", "best.prev"):
        shutil.rmtree(run.path / slot, ignore_errors=True)
    (run.path / "plan.json").unlink()


@pytest.mark.parametrize("key", ["../../outside", "/tmp", "", ".", None])
def test_a_strangers_run_reads_no_stream_outside_the_folder(
    stopped, text, checkpoints, tmp_path, monkeypatch, key
):
    run = stopped()
    text.unlink()
    (stream,) = (checkpoints / ".streams").iterdir()
    shutil.copytree(stream, tmp_path / "outside")
    alter_config(run, stream=key)
    with pytest.raises(TextError, match=r"^the tokens of run stopped are gone and "):
        charnn.resume("stopped", checkpoints=checkpoints)


# -- from another run ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "gru", "layers": 2, "embedding": 5, "hidden": 9},
        {"tokenizer": "jamo"},
        {"size": "classic", "hidden": 10},
        {"networks": 2},
    ],
    ids=str,
)
def test_a_run_begins_with_the_weights_sizes_and_tokenizer_of_another(
    train, checkpoints, tmp_path, stop_at, options
):
    train(run="old", **options)
    other = tmp_path / "other.txt"
    other.write_text("물은 흐르고 배는 떠나네. 새로운 글자 뷁! " * 30, encoding="utf-8")
    control = stop_at(0)
    given = {"hidden": None, "networks": None, "init_from": "old"}
    given |= {"control": control, "on_record": control}
    train(other, run="new", learning_rate=1e-12, weight_decay=0.0, **given)
    old, new = Run(checkpoints / "old"), Run(checkpoints / "new")
    assert new.config().model == old.config().model
    assert new.config().tokenizer == old.config().tokenizer
    expected = old.best().weights(old.config().model)
    for name, array in new.best().weights(new.config().model).items():
        assert np.allclose(array, expected[name], rtol=0, atol=1e-6), name


def test_what_was_learned_is_known_from_the_first_step(train):
    first = train(run="old", steps=20).of(Validation)
    second = train(run="new", steps=1, hidden=None, init_from="old").of(Validation)
    best = min(record.loss for record in first[:-1])
    assert second[0].loss == pytest.approx(best, rel=1e-9)
    assert best < first[0].loss


@pytest.mark.parametrize(
    ("option", "value", "is_"), [("hidden", 13, 12), ("cell", "gru", "lstm"), ("layers", 2, 1)]
)
def test_another_size_than_that_of_the_run_is_refused(train, checkpoints, option, value, is_):
    train(run="old", steps=1)
    with pytest.raises(OptionError) as error:
        train(run="new", init_from="old", **{option: value})
    assert str(error.value) == (
        f"{option} of run old is {is_}, got {value}: leave --{option} out with --init-from"
    )
    assert not (checkpoints / "new").exists()


def test_a_run_without_a_checkpoint_begins_nothing(train, checkpoints):
    control = Control()
    control.stop()
    train(run="old", control=control)
    with pytest.raises(RunNotFoundError):
        train(run="new", init_from="old")
    with pytest.raises(RunNotFoundError):
        train(run="new", init_from="nobody")
    assert not (checkpoints / "new").exists()


def test_a_damaged_run_begins_nothing(train, checkpoints):
    train(run="old", steps=1)
    for slot in ("best", "best.prev"):
        weights = checkpoints / "old" / slot / "weights.safetensors"
        if weights.exists():
            weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(RunDamagedError):
        train(run="new", init_from="old")
    assert not (checkpoints / "new").exists()


def swap_tokenizer(run: Path) -> None:
    """Another tokenizer of the same size: two code points have changed places."""
    data = json.loads((run / "tokenizer.json").read_text("utf-8"))
    for value in data.values():
        if isinstance(value, list) and len(value) > 1:
            value[-1] += 1
            break
    (run / "tokenizer.json").write_text(json.dumps(data), encoding="utf-8")


@pytest.mark.parametrize("use", ["init_from", "evaluate", "resume"])
def test_a_swapped_tokenizer_is_noticed(train, stopped, checkpoints, text, use):
    run = stopped()
    swap_tokenizer(run.path)
    assert load_tokenizer(run.path).vocab_size == run.config().model.vocab_size
    forget_tokens(checkpoints)
    with pytest.raises(RunDamagedError) as error:
        if use == "init_from":
            train(init_from="stopped")
        elif use == "evaluate":
            charnn.load("stopped", checkpoints=checkpoints).evaluate(text)
        else:
            charnn.resume("stopped", checkpoints=checkpoints)
    assert "tokenizer" in str(error.value)


# -- going on -----------------------------------------------------------------------------------


def test_a_resumed_run_says_where_it_goes_on(stopped, checkpoints):
    stopped()
    records: list[Any] = []
    charnn.resume("stopped", checkpoints=checkpoints, on_record=records.append)
    (head,) = (record for record in records if isinstance(record, RunStarted))
    assert head.resumed_at == 5
    events = [r for r in records if isinstance(r, Event)]
    assert (events[0].kind, events[0].step, events[0].message) == (
        *("resumed", 5, "going on from step 5"),
    )
    kept = Run(checkpoints / "stopped").records("events.jsonl")
    assert [type(r) for r in kept].count(RunStarted) == 1


def test_samples_may_be_others_from_here_on(stopped, checkpoints):
    stopped(sample_every="100steps")
    records: list[Any] = []
    charnn.resume(
        "stopped",
        checkpoints=checkpoints,
        on_record=records.append,
        temps=(0.3,),
        prompt="배",
        sample_length=4,
        sample_every="2steps",
    )
    samples = [r for r in records if r.tag == "sample"]
    assert [r.step for r in samples] == [6, 8, 10, 12]
    assert {(r.temperature, r.prompt) for r in samples} == {(0.3, "배")}
    assert all(4 <= len(r.text) <= 7 for r in samples)


def test_a_run_that_is_being_trained_is_not_gone_on_with(stopped, checkpoints):
    run = stopped()
    with lock_run(run.path), pytest.raises(RunLockedError):
        charnn.resume("stopped", checkpoints=checkpoints)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"total_steps": 0}, "plan: total_steps must be a whole number >= 1, got 0"),
        ({"log_every": None}, "plan: log_every must be a whole number >= 1, got None"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_damage(stopped, checkpoints, change, why):
    run = stopped()
    run.write_plan({**(run.plan() or {}), **change})
    with pytest.raises(RunDamagedError) as error:
        charnn.resume("stopped", checkpoints=checkpoints)
    assert str(error.value) == f"{run.path / 'plan.json'}: {why}"


def test_options_that_cannot_be_read_are_damage(stopped, checkpoints):
    run = stopped()
    data = read_sealed(run.path / "config.json")
    data["training"]["options"]["optimizer"] = "lion"
    write_sealed(run.path / "config.json", data)
    with pytest.raises(RunDamagedError) as error:
        charnn.resume("stopped", checkpoints=checkpoints)
    assert str(error.value) == (
        "the options saved in run stopped cannot be read (optimizer must be one of adamw, "
        "adagrad, sgd, got 'lion'): it can generate, but not be trained on"
    )


def test_a_training_state_of_other_sizes_is_damage(stopped, checkpoints, monkeypatch):
    run = stopped()
    monkeypatch.setattr(
        "charnn.training.keeper.Progress.from_json",
        lambda data: (_ for _ in ()).throw(RunDamagedError("it does not fit")),
    )
    with pytest.raises(RunDamagedError) as error:
        charnn.resume("stopped", checkpoints=checkpoints)
    assert str(error.value) == f"{run.path / 'last'}: it does not fit"


def test_training_leaves_pythons_floats_alone(train):
    """Numbers too small for torch to be quick with are flushed to zero while it trains, only."""
    train(steps=1).model.evaluate()
    assert torch.tensor(1e-40) * 1 > 0
    assert np.float64(5e-324) * 1 > 0


@pytest.mark.parametrize("budget", [{"steps": 6}, {"minutes": 0.01}], ids=str)
def test_what_a_run_began_from_is_not_lost_when_it_is_stopped_at_once(train, checkpoints, budget):
    """Before its plan is fixed there is no other checkpoint; Ctrl-C comes early, too."""
    learned = min(r.bits_per_char for r in train(run="old", steps=20).of(Validation)[:-1])
    control = Control()
    control.stop()
    train(run="new", init_from="old", hidden=None, control=control, learning_rate=1e-12, **budget)
    shutil.rmtree(checkpoints / "old")
    records: list[Any] = []
    seconds = iter(np.arange(0, 1e4, 0.01).tolist())
    charnn.resume(
        "new", checkpoints=checkpoints, on_record=records.append, clock=lambda: next(seconds)
    )
    told = [record.bits_per_char for record in records if isinstance(record, Validation)]
    assert told == pytest.approx([learned] * len(told), rel=1e-4)
    assert records[-1].reason == "done"
    assert notes(records) == []


# -- nothing that was saved is lost -------------------------------------------------------------


def everything_in(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@pytest.mark.parametrize("budget", [{}, {"minutes": 10.0}, {"steps": 5}], ids=str)
def test_a_best_model_is_not_begun_again_for_want_of_a_last(train, checkpoints, budget):
    run = Run(train(steps=10).model.path)
    for name in ("last", "last.prev"):
        shutil.rmtree(run.path / name)
    before, step = everything_in(run.path), run.best().step
    assert step > 0
    with pytest.raises(RunError) as error:
        charnn.resume("story", checkpoints=checkpoints, **budget)
    assert str(error.value) == (
        "run story has no last/ to go on from, and beginning again would replace its best model, "
        f"of step {step}: begin a new run from it with --init-from story, or restore last/ from a "
        "copy"
    )
    assert everything_in(run.path) == before
    train(steps=1, run="next", init_from="story", hidden=None)


def test_a_damaged_best_model_is_not_begun_again_either(train, checkpoints):
    run = Run(train(steps=10).model.path)
    for name in ("last", "last.prev", "best.prev"):
        shutil.rmtree(run.path / name)
    (run.path / "best" / "manifest.json").unlink()
    before = everything_in(run.path)
    with pytest.raises(RunDamagedError, match=r"^run story has no last/ to go on from, and no who"):
        charnn.resume("story", checkpoints=checkpoints)
    assert everything_in(run.path) == before


@pytest.mark.parametrize("steps", [1, 10])
def test_an_exported_run_in_a_folder_is_not_begun_again(train, checkpoints, tmp_path, steps, text):
    """As docs/formats.md says how to make one of it; also where its best model is of step 0."""
    run = Run(train(steps=steps).model.path)
    if steps == 1:
        shutil.rmtree(run.path / "best")
        assert run.best().step == 0
    export_run(run, tmp_path / "x.charnn")
    with zipfile.ZipFile(tmp_path / "x.charnn") as file:
        file.extractall(checkpoints / "guest")
    before = everything_in(checkpoints / "guest")
    for options in ({}, {"text": text}, {"minutes": 1.0}):
        with pytest.raises(RunError, match=r"^run guest has no last/ to go on from, and beginning"):
            charnn.resume("guest", checkpoints=checkpoints, **options)
    assert everything_in(checkpoints / "guest") == before


def test_a_run_killed_before_its_first_checkpoint_begins_again(train, checkpoints):
    """Its best model is of step 0: the seed makes it again."""
    run = Run(train(steps=1).model.path)
    for name in ("last", "last.prev", "best"):
        shutil.rmtree(run.path / name, ignore_errors=True)
    assert run.best().step == 0
    records: list[Any] = []
    charnn.resume("story", checkpoints=checkpoints, on_record=records.append)
    assert notes(records)[:1] == ["no checkpoint yet: starting again with the saved options"]
    assert run.last().step == 1


def weights_of(run: Run) -> dict[str, bytes]:
    weights = run.last().weights(run.config().model)
    return {name: array.tobytes() for name, array in weights.items()}


@pytest.mark.parametrize("budget", [{"steps": 12}, {"minutes": 0.02}], ids=str)
def test_a_plan_that_was_removed_is_taken_from_the_checkpoint(train, checkpoints, stop_at, budget):
    seconds = iter(np.arange(0, 1e4, 0.003).tolist())
    control = stop_at(5)
    given = {"control": control, "on_record": control, "clock": lambda: next(seconds)}
    run = Run(train(run="stopped", **given, **budget).model.path)
    plan = run.plan()
    shutil.copytree(run.path, checkpoints / "straight")
    charnn.resume("straight", checkpoints=checkpoints)
    (run.path / "plan.json").unlink()
    records: list[Any] = []
    charnn.resume("stopped", checkpoints=checkpoints, on_record=records.append)
    told = [r.message for r in records if isinstance(r, Event) and r.kind == "warning"]
    path = run.path / "plan.json"
    assert told == [f"{path} was missing: going on with the plan in last/"]
    assert run.plan() == plan
    assert weights_of(run) == weights_of(Run(checkpoints / "straight"))


def test_a_plan_that_is_nowhere_is_not_made_anew(stopped, checkpoints, monkeypatch):
    run = stopped()
    (run.path / "plan.json").unlink()
    real = Checkpoint.document
    monkeypatch.setattr(
        Checkpoint,
        "document",
        lambda c, name: {k: v for k, v in real(c, name).items() if k != "plan"},
    )
    for budget in ({}, {"steps": 5}):
        before = everything_in(run.path)
        with pytest.raises(RunDamagedError) as error:
            charnn.resume("stopped", checkpoints=checkpoints, **budget)
        assert str(error.value) == (
            f"{run.path / 'plan.json'} is missing, and the plan is nowhere else: restore it from a "
            "copy, or begin a new run from this one with --init-from stopped"
        )
        assert everything_in(run.path) == before


def test_a_plan_that_could_not_be_written_is_kept_with_the_checkpoint(
    train, checkpoints, stop_at, monkeypatch
):
    straight = train(run="straight", steps=12)
    control, real = stop_at(5), Run.write_plan

    def refuse(run: Run, plan: Any) -> None:
        raise RunError("no")

    monkeypatch.setattr(Run, "write_plan", refuse)
    run = Run(train(run="story", steps=12, control=control, on_record=control).model.path)
    assert run.plan() is None
    monkeypatch.setattr(Run, "write_plan", real)
    charnn.resume("story", checkpoints=checkpoints)
    assert run.plan() == Run(straight.model.path).plan()
    assert weights_of(run) == weights_of(Run(straight.model.path))


def test_a_checkpoint_of_before_the_plan_says_so_and_a_plan_is_made(
    train, checkpoints, monkeypatch
):
    """Killed right after the save by which a plan for minutes is timed."""

    def die(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr(Trainer, "_begun_here", lambda trainer, plan: plan)
    monkeypatch.setattr("charnn.training.trainer.plan_for_minutes", die)
    seconds = iter(np.arange(0, 1e4, 0.003).tolist())
    with pytest.raises(Killed):
        train(minutes=0.01, clock=lambda: next(seconds))
    monkeypatch.undo()
    run = Run(checkpoints / "story")
    assert run.last().step > 0 and run.last().document("trainer.json")["plan"] is None
    assert "plan.json" not in {f.name for f in check_run(run) if f.problem}
    charnn.resume("story", checkpoints=checkpoints, clock=lambda: next(seconds))
    assert run.plan() is not None


class Killed(BaseException):
    """As if the process had been killed: nobody saves because of it."""


def test_who_names_no_run_takes_the_next_free_name(train, checkpoints, monkeypatch):
    """Others take the names after one another, each after they were found free."""
    real, taken = session_module.count_text, []

    def count_text(*arguments: Any) -> Any:
        for name in ("story", "story-2"):
            (checkpoints / name).mkdir(parents=True, exist_ok=True)
            taken.append(name)
        return real(*arguments)

    monkeypatch.setattr(session_module, "count_text", count_text)
    trained = train(steps=1)
    assert trained.model.name == "story-3"
    assert trained.of(RunStarted)[0].path == str(checkpoints / "story-3")
    shutil.rmtree(checkpoints / "story")
    with pytest.raises(RunExistsError):
        train(steps=1, run="story")


def test_an_edit_while_the_text_is_read_is_noticed_later(stopped, text, checkpoints, monkeypatch):
    real = session_module.prepare_text

    def prepare_text(*arguments: Any) -> Any:
        prepared = real(*arguments)
        text.write_text(text.read_text("utf-8") + "끝", encoding="utf-8")
        return prepared

    monkeypatch.setattr(session_module, "prepare_text", prepare_text)
    stopped()
    records: list[Any] = []
    charnn.resume("stopped", checkpoints=checkpoints, on_record=records.append)
    told = [r.message for r in records if isinstance(r, Event) and r.kind == "warning"]
    assert len(told) == 1 and told[0].startswith("the text has changed since this run was begun")
