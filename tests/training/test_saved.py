"""What config.json keeps of a training, and how text and tokens are found again."""

import json
import time
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charnn
from charnn.corpus.tokenizers import train_tokenizer
from charnn.errors import OptionError, RunDamagedError, TextError
from charnn.runs.config import RunConfig
from charnn.runs.housekeeping import find_waste
from charnn.runs.run import Run, create_run
from charnn.runs.streams import STREAMS
from charnn.training import sizing
from charnn.training.device import Device
from charnn.training.options import TrainOptions
from charnn.training.recipe import make_recipe
from charnn.training.saved import (
    make_config,
    recipe_for,
    saved_training,
    sizes_of,
    stream_of,
)
from charnn.training.texts import Text, find_stream, prepare_text

OPTIONS = TrainOptions(hidden=12, batch_size=4, seq_len=8, steps=5, temps=(0.5, 1.0))
DEVICE = Device("cpu", "bf16", 1)


def ignore(_: object) -> None:
    return None


@pytest.fixture
def begin(text, checkpoints):
    """A run at its beginning, before anything is trained; keywords are options."""

    def begin(name: str = "story", **options: Any) -> Run:
        chosen = replace(OPTIONS, **options)
        source = Text((str(text),))
        stream, corpus, _ = prepare_text(source, chosen, checkpoints, ignore, None)
        recipe = recipe_for(chosen, stream, "cpu")
        return create_run(
            checkpoints, name, make_config(source, corpus, chosen, recipe, DEVICE, stream)
        )

    return begin


# -- config.json --------------------------------------------------------------------------------


def test_options_and_recipe_come_back(begin):
    run = begin(cell="gru", learning_rate=0.003, prompt="바람", dropout=0.2)
    options, recipe, precision = saved_training(run.config(), run)
    assert options == replace(OPTIONS, cell="gru", learning_rate=0.003, prompt="바람", dropout=0.2)
    tokens = len(stream_of_parts(run)["train"])
    assert recipe == make_recipe(options, tokens, run.config().model.vocab_size, "cpu")
    assert precision == "bf16"


def stream_of_parts(run: Run) -> dict[str, range]:
    parts = run.config().corpus["parts"]
    return {name: range(part["start"], part["stop"]) for name, part in parts.items()}


def test_config_is_json_and_tells_when_and_where(begin, text, monkeypatch):
    monkeypatch.chdir(text.parent)
    run = begin()
    config = run.config()
    assert RunConfig.from_json(json.loads(json.dumps(config.to_json())), "here") == config
    created = datetime.fromisoformat(config.created)
    assert created.utcoffset() == timedelta(0)
    assert config.corpus["paths"] == [str(text.resolve())]
    assert (run.path.parent / STREAMS / config.corpus["stream"]).is_dir()


def test_relative_paths_are_kept_whole_and_stdin_as_it_is(stream, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    recipe = make_recipe(OPTIONS, 2000, stream.tokenizer.vocab_size, "cpu")
    text = Text(("a/b.txt", "-"), "cp949", "\n=\n")
    config = make_config(text, "b+stdin", OPTIONS, recipe, DEVICE, stream)
    assert config.corpus["paths"] == [str(tmp_path.resolve() / "a" / "b.txt"), "-"]
    assert config.corpus["encoding"] == "cp949"
    assert config.corpus["document_separator"] == "\n=\n"
    assert config.corpus["parts"] == {n: asdict(part) for n, part in stream.parts.items()}


@pytest.mark.parametrize(
    ("training", "why"),
    [
        ({}, "'options'"),
        ({"options": []}, "list indices must be integers or slices, not str"),
        ({"options": {"tokenizer": "char"}}, "'vocab_size'"),
        ({"options": asdict(OPTIONS)}, "'recipe'"),
        ({"options": asdict(OPTIONS), "recipe": {}}, "'cell'"),
    ],
)
def test_a_training_that_cannot_be_read_is_refused(begin, training, why):
    run = begin()
    with pytest.raises(RunDamagedError) as error:
        saved_training(replace(run.config(), training=training), run)
    assert str(error.value) == (
        f"the options saved in run story cannot be read ({why}): "
        "it can generate, but not be trained on"
    )


def test_a_run_of_before_there_were_several_networks_can_be_trained_on(begin):
    config = begin().config().to_json()
    assert "networks" not in config["model"]  # one network is written as it was then
    assert begin("three", networks=3).config().to_json()["model"]["networks"] == 3
    for fields_ in (config["training"]["options"], config["training"]["recipe"]):
        del fields_["networks"]
    read = RunConfig.from_json(config, "here")
    assert read.model.networks == 1
    options, recipe, _ = saved_training(read, begin("other"))
    assert options.networks == recipe.networks == 1


def test_a_run_of_before_keeps_the_beginning_for_the_weight(begin):
    config = begin().config().to_json()
    assert config["training"]["recipe"].pop("weight_at_end")
    _, recipe, _ = saved_training(RunConfig.from_json(config, "here"), begin("other"))
    assert not recipe.weight_at_end


def test_a_run_of_before_there_were_blocks_can_be_trained_on(begin):
    config = begin().config().to_json()
    assert "feed_forward_size" not in config["model"]  # which is written as it was then
    assert begin("block", feed_forward=9).config().to_json()["model"]["feed_forward_size"] == 9
    del config["training"]["options"]["feed_forward"]
    del config["training"]["recipe"]["feed_forward_size"]
    read = RunConfig.from_json(config, "here")
    assert read.model.feed_forward_size == 0
    options, recipe, _ = saved_training(read, begin("other"))
    assert options.feed_forward == recipe.feed_forward_size == 0


# -- a run to begin from ------------------------------------------------------------------------


def test_the_sizes_of_a_run_are_taken_over(begin):
    run = begin(cell="gru", layers=2, embedding=7, tokenizer="jamo")
    chosen = sizes_of(run, TrainOptions(steps=9, seed=4))
    assert chosen == TrainOptions(
        steps=9,
        seed=4,
        cell="gru",
        layers=2,
        hidden=12,
        embedding=7,
        networks=1,
        feed_forward=0,
        tokenizer="jamo",
    )
    named = TrainOptions(cell="gru", layers=2, hidden=12, embedding=7)
    assert sizes_of(run, named) == replace(named, networks=1, feed_forward=0, tokenizer="jamo")


def test_the_block_of_a_run_is_taken_over(begin):
    run = begin("block", feed_forward=9)
    assert sizes_of(run, TrainOptions()).feed_forward == 9
    with pytest.raises(OptionError) as error:
        sizes_of(run, TrainOptions(feed_forward=0))
    assert str(error.value) == (
        "feed-forward of run block is 9, got 0: leave --feed-forward out with --init-from"
    )


@pytest.mark.parametrize(
    ("name", "value", "is_"),
    [
        *(("cell", "rnn", "lstm"), ("layers", 3, 1), ("hidden", 13, 12), ("embedding", 5, 12)),
        ("networks", 2, 1),
    ],
)
def test_other_sizes_are_refused(begin, name, value, is_):
    with pytest.raises(OptionError) as error:
        sizes_of(begin(), TrainOptions(**{name: value}))
    assert str(error.value) == (
        f"{name} of run story is {is_}, got {value}: leave --{name} out with --init-from"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokenizer": "char"}, "tokenizer of run story is jamo, got char: leave --tokenizer out"),
        ({"size": "medium"}, "size of run story is 1 x 12 lstm, got medium: leave --size out"),
        ({"vocab_size": 5000}, "vocab-size of run story is {}, got 5000: leave --vocab-size out"),
    ],
    ids=str,
)
def test_what_contradicts_the_run_to_begin_from_is_refused(begin, options, message):
    run = begin(tokenizer="jamo")
    with pytest.raises(OptionError) as error:
        sizes_of(run, TrainOptions(**options), given=options)
    expected = message.format(run.config().tokenizer["vocab_size"])
    assert str(error.value) == f"{expected} with --init-from"


def test_what_agrees_with_the_run_to_begin_from_is_taken(begin):
    run = begin(tokenizer="jamo")
    options = {
        "tokenizer": "jamo",
        "size": "auto",
        "vocab_size": run.config().tokenizer["vocab_size"],
        "hidden": 12,
    }
    assert sizes_of(run, TrainOptions(**options), given=options).tokenizer == "jamo"
    assert sizes_of(run, TrainOptions(), given={"steps"}).tokenizer == "jamo"


@pytest.mark.parametrize("size", ["auto", "classic"])
def test_output_weights_are_tied_as_those_of_the_run(begin, stream, size, monkeypatch):
    untied = begin("untied", size="classic")
    monkeypatch.setattr(sizing, "_SMALL_VOCABULARY", 0)
    tied = begin("tied")
    options = TrainOptions(size=size, hidden=12)
    assert recipe_for(options, stream, "cpu").tied == (size != "classic")
    monkeypatch.undo()
    assert not recipe_for(options, stream, "cpu").tied
    assert recipe_for(options, stream, "cpu", init_from=tied).tied
    assert not recipe_for(options, stream, "cpu", init_from=untied).tied


def test_a_text_too_short_for_its_rows_is_refused(stream):
    count = len(stream.part("train"))
    with pytest.raises(TextError) as error:
        recipe_for(replace(OPTIONS, batch_size=count + 1), stream, "cpu")
    assert str(error.value) == (
        f"the training part has {count} tokens, too few for {count + 1} rows: "
        "use a longer text or a smaller --batch-size"
    )


# -- text and tokens ----------------------------------------------------------------------------


def test_a_text_is_prepared_as_the_options_say(text, checkpoints, story):
    stages: list[str] = []
    options = replace(OPTIONS, tokenizer="byte", val_fraction=0.2, test_fraction=0.1)
    stream, name, notes = prepare_text(
        Text((str(text),)), options, checkpoints, lambda record: stages.append(record.stage), None
    )
    assert (name, notes) == ("story", ())
    assert stream.tokenizer.kind == "byte"
    assert stream.parts["validation"].characters == int(0.2 * len(story))
    assert stream.parts["test"].characters == int(0.1 * len(story))
    assert stream.folder.parent == checkpoints / STREAMS
    assert stages[0] == "reading"
    assert stages[-1] == "tokenising"


def test_a_borrowed_tokenizer_comes_before_the_options(text, checkpoints):
    tokenizer = train_tokenizer("byte", list)
    options = replace(OPTIONS, tokenizer="jamo")
    stream, _, _ = prepare_text(Text((str(text),)), options, checkpoints, ignore, tokenizer)
    assert stream.tokenizer.kind == "byte"


def test_tokens_made_again_are_the_same(train, checkpoints):
    run = Run(train(steps=1, tokenizer="subword", vocab_size=400).model.path)
    before = stream_of(run)
    kept = np.array(before.tokens)
    for path in before.folder.iterdir():
        path.unlink()
    again = stream_of(run)
    assert np.array_equal(again.tokens, kept)
    assert again.parts == before.parts
    assert again.folder == before.folder
    stages: list[str] = []
    assert stream_of(run, lambda record: stages.append(record.stage)).folder == again.folder
    assert not stages  # they are found as they were before
    assert not find_waste(checkpoints, time.time() + 10**6)


def test_tokens_of_another_tokenizer_are_noticed(begin):
    run = begin()
    config = run.config()
    other = replace(config, tokenizer={**config.tokenizer, "fingerprint": "0" * 64})
    with pytest.raises(RunDamagedError) as error:
        find_stream(run, other, None, OPTIONS, ignore)
    folder = run.path.parent / STREAMS / config.corpus["stream"]
    assert str(error.value) == f"the tokens in {folder} are not those of run story"


def test_folders_and_many_files_are_found_again(train, checkpoints, tmp_path, story):
    for name, part in (("b.txt", story[:900]), ("a.txt", story[900:])):
        (tmp_path / "texts" / name[0]).mkdir(parents=True)
        (tmp_path / "texts" / name[0] / name).write_text(part, encoding="utf-8")
    run = Run(train([tmp_path / "texts", tmp_path / "texts" / "b"], steps=1).model.path)
    config = run.config()
    assert config.corpus["documents"] == 3
    text = Text(tuple(config.corpus["paths"]))
    options, _, _ = saved_training(config, run)
    (checkpoints / STREAMS).rename(tmp_path / "gone")
    for there in (None, text):
        stream, kept = find_stream(run, config, there, options, ignore)
        assert (stream.documents, kept) == (3, there is text)


def test_the_api_names_the_file_that_is_gone(train, checkpoints, text):
    model = train(steps=1).model
    (checkpoints / STREAMS).rename(checkpoints.parent / "gone")
    text.rename(text.with_name("moved.txt"))
    with pytest.raises(TextError, match=r"story\.txt does not exist: say where its text lies now"):
        charnn.load(model.name, checkpoints=checkpoints).evaluate()
    assert Path(model.path).exists()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"layers": 300}, "all networks together may have 256 layers, got 300"),
        ({"layers": 5, "networks": 52}, "all networks together may have 256 layers, got 260"),
        ({"feed_forward": 5_000_000}, "a network may have 4,194,304 units of a block, got 5,0"),
        ({"hidden": 5_000_000}, "a network may have 4,194,304 units, got 5,000,000"),
        ({"hidden": 25_000}, "a run may have 2,147,483,648 numbers to learn, got 2,5"),
    ],
    ids=str,
)
def test_a_network_that_no_run_may_have_is_refused_before_it_is_made(stream, sizes, message):
    with pytest.raises(OptionError) as error:
        recipe_for(TrainOptions(**{"layers": 1, "embedding": 8, **sizes}, steps=1), stream, "cpu")
    assert str(error.value).startswith(message)
