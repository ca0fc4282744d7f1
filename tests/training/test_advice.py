"""What a training would be: the lines, and that the training itself is just that."""

import math
import re
from pathlib import Path
from typing import Any

import pytest

import charnn
from charnn.corpus.split import split_text
from charnn.corpus.tokenizers import train_tokenizer
from charnn.errors import EncodingError, OptionError, RunNotFoundError, TextError
from charnn.records import PlanFixed, RunStarted
from charnn.training.advice import advise
from charnn.training.options import TrainOptions
from charnn.training.recipe import make_recipe

GIVEN: dict[str, Any] = {
    "hidden": 12,
    "batch_size": 4,
    "seq_len": 8,
    "threads": 1,
    "device": "cpu",
    "precision": "fp32",
}


@pytest.fixture
def lines(text: Path, checkpoints: Path):
    """The lines of advice, by their first word; what goes on below it is part of a line."""

    def lines(texts: Any = None, **options: Any) -> dict[str, str]:
        source = {
            name: options.pop(name)
            for name in ("init_from", "encoding", "document_separator")
            if name in options
        }
        paths = [str(path) for path in (texts or [text])]
        said = list(advise(paths, str(checkpoints), {**GIVEN, **options}, **source))
        whole = "\n".join(said).replace("\n" + " " * 11, "\f").split("\n")
        assert all(line[:11].strip() for line in whole)
        return {line[:11].strip(): line[11:].replace("\f", "\n") for line in whole}

    return lines


def numbers(line: str) -> list[float]:
    return [float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", line)]


@pytest.mark.parametrize("options", [{}, {"minutes": 30.5}, {"steps": 10**6}], ids=str)
def test_a_line_fits_a_terminal(text, checkpoints, options):
    said = list(advise([str(text)], str(checkpoints), {**GIVEN, **options}))
    assert max(map(len, said)) <= 80
    assert (said[-3].startswith(" " * 11 + "about ")) == ("steps" not in options)


def tokens_of(text: str) -> int:
    """How many tokens the training part of a text has."""
    train = text[: split_text(len(text)).train]
    return len(train_tokenizer("char", lambda: [train]).encode(train))


def test_every_line(lines, story):
    split = split_text(len(story))
    said = lines(steps=1000)
    vocab_size = 1 + 128 + numbers(said["tokenizer"])[0] - 129
    assert list(said) == [
        *("text", "tokenizer", "model", "recipe", "device", "time", "memory", "disk"),
    ]
    parameters = numbers(said["model"])[-1]
    assert said["text"] == (
        f"story: {len(story):,} characters ({split.train:,} train, {split.validation:,} validation)"
    )
    assert said["tokenizer"] == f"char, {vocab_size:,.0f} tokens"
    both_ends = 2 * vocab_size * 12 + vocab_size  # a small vocabulary is not tied
    assert parameters == both_ends + 4 * (12 * 12 + 12 * 12 + 2 * 12)
    assert said["model"] == f"1 x 12 lstm, embedding 12, {parameters:,.0f} parameters"
    first, *rest = said["recipe"].split("\n")
    assert re.fullmatch(r"4 rows of 8 tokens, adamw at 0\.008, output dropout 0\.\d+", first)
    recipe = make_recipe(
        TrainOptions(**GIVEN, steps=1000), tokens_of(story), int(vocab_size), "cpu"
    )
    shares = (recipe.token_dropout, recipe.layer_dropout, recipe.weight_dropout)
    assert rest == [
        f"warm-up 5%, then a cosine to zero; weight decay {recipe.weight_decay:g}, clipped at 1",
        "other dropout: token {:.2g}, layer {:.2g}, weight {:.2g}".format(*shares),
        "n-grams of up to 6 tokens, their weight 0.4",
    ]
    assert re.fullmatch(r"cpu, fp32, 1 thread, about \d+ GFLOP/s in training", said["device"])
    assert re.fullmatch(r"1,000 steps, about 0\.\d minutes here", said["time"])
    assert re.fullmatch(r"about \d+ MB", said["memory"])
    assert re.fullmatch(r"about \d\.\d MB", said["disk"])


def test_what_is_not_done_is_not_told(lines):
    said = lines(size="classic", steps=7)
    assert said["recipe"].endswith("a constant rate; weight decay 0, clipped at 5")
    said = lines(dropout=0, token_dropout=0, layer_dropout=0, weight_dropout=0, no_ngram=True)
    assert "other dropout" not in said["recipe"]
    assert not re.search("n-grams|fitted", said["recipe"])


def test_the_weight_of_the_counts_is_told_where_it_is_fixed_and_where_it_is_fitted(
    lines, monkeypatch
):
    assert lines(ngram_weight=0.25)["recipe"].endswith("their weight 0.25")
    monkeypatch.setattr("charnn.training.recipe._LEAST_TO_FIT", 1000)
    assert re.search(r"their weight fitted on \d+ tokens$", lines()["recipe"])
    assert re.search(r"\n *temperature fitted on \d+ tokens$", lines(no_ngram=True)["recipe"])


def test_parts_that_are_empty_are_not_told(lines, story):
    split = split_text(len(story), 0.2, 0.1)
    assert lines(val_fraction=0.2, test_fraction=0.1)["text"].endswith(
        f"({split.train:,} train, {split.validation:,} validation, {split.test:,} test)"
    )
    assert lines(val_fraction=0)["text"].endswith(f"({len(story):,} train)")


def test_the_budget_in_words(lines, story):
    windows = math.ceil(tokens_of(story) // 4 / 8)
    early = ", or until validation has clearly stopped improving"
    assert lines()["time"].startswith(f"10 minutes{early}\nabout ")
    assert lines(minutes=2.5)["time"].startswith("2.5 minutes\nabout ")
    assert lines(epochs=3)["time"].startswith(f"{3 * windows} steps, about ")
    assert lines(steps=7)["time"].startswith("7 steps, about ")


def test_what_was_met_while_reading_is_told(lines, tmp_path, story):
    path = tmp_path / "dos.txt"
    path.write_bytes(story.replace("\n", "\r\n").encode("utf-8-sig"))
    said = lines([path])
    notes = said["text"].split("\n")[1:]
    assert f"line ends made LF: {story.count(chr(10)):,} CRLF, 0 CR" in notes


def test_nothing_is_written_but_tokens_for_the_training_itself(lines, checkpoints, train):
    lines()
    assert [path.name for path in checkpoints.iterdir()] == [".streams"]
    (kept,) = (checkpoints / ".streams").iterdir()
    train()
    assert list((checkpoints / ".streams").iterdir()) == [kept]


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 4},
        {"epochs": 0.05, "cell": "gru", "layers": 2, "embedding": 5},
        {"steps": 2, "tokenizer": "jamo", "test_fraction": 0.1},
        {"steps": 2, "size": "classic", "hidden": None, "batch_size": None, "seq_len": None},
    ],
)
def test_the_training_is_what_was_told(lines, train, options):
    said = lines(**options)
    trained = train(**options)
    (started,), (plan,) = trained.of(RunStarted), trained.of(PlanFixed)
    assert said["tokenizer"] == f"{started.tokenizer}, {started.vocab_size:,} tokens"
    assert said["model"] == (
        f"{started.num_layers} x {started.hidden_size} {started.cell}, embedding "
        f"{started.embedding_size}, {started.parameters:,} parameters"
    )
    assert said["recipe"].startswith(
        f"{plan.batch_size} rows of {plan.seq_len} tokens, "
        f"{'adagrad' if 'size' in options else 'adamw'} at {plan.learning_rate:g}, "
    )
    assert said["device"].startswith(
        f"{started.device}, {started.precision}, {started.threads} thread, about "
    )
    assert said["time"].startswith(f"{plan.total_steps:,} steps, ")


def test_epochs_are_of_what_is_trained_on(lines, train, monkeypatch):
    monkeypatch.setattr("charnn.training.recipe._LEAST_TO_FIT", 1000)
    options = {"epochs": 1, "no_ngram": False}
    (plan,) = train(**options).of(PlanFixed)
    assert lines(**options)["time"].startswith(f"{plan.total_steps:,} steps, ")


def test_the_sizes_of_the_run_to_begin_from(lines, train, text):
    train(cell="gru", layers=2, hidden=9, embedding=5, tokenizer="byte", run="first")
    said = lines(init_from="first", hidden=None)
    assert said["tokenizer"] == "byte, 257 tokens"
    assert said["model"].startswith("2 x 9 gru, embedding 5, ")
    with pytest.raises(OptionError) as error:
        lines(init_from="first", hidden=12)
    assert str(error.value) == (
        "hidden of run first is 9, got 12: leave --hidden out with --init-from"
    )


def test_untied_weights_of_the_run_to_begin_from_are_counted(lines, train):
    classic = {"size": "classic", "batch_size": None, "seq_len": None, "steps": 2}
    train(**classic, run="first")
    (started,) = train(init_from="first", run="second", hidden=None, steps=2).of(RunStarted)
    said = lines(init_from="first", hidden=None)
    assert said["model"].endswith(f" {started.parameters:,} parameters")


def test_more_takes_more(lines):
    small, large = lines(steps=10), lines(steps=10, hidden=600, batch_size=16, seq_len=64)
    for name in ("memory", "disk"):
        assert numbers(large[name])[0] > numbers(small[name])[0]


@pytest.mark.parametrize("more", [{}, {"optimizer": "sgd"}, {"no_ngram": False}], ids=str)
def test_the_disk_is_about_what_a_run_takes(lines, train, checkpoints, more):
    options = {"hidden": 150, "steps": 10, "save_every": "2steps", **more}
    told = numbers(lines(**options)["disk"])[0]
    train(**options)
    taken = sum(path.stat().st_size for path in checkpoints.rglob("*") if path.is_file())
    assert 0.9 < taken / 2**20 / told < 1.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be >= 1, got 0"),
        ({"cell": "lsmt"}, "cell must be one of lstm, gru, rnn, got 'lsmt'"),
    ],
)
def test_options_are_checked_before_the_text_is_opened(lines, tmp_path, options, message):
    with pytest.raises(OptionError) as error:
        lines([tmp_path / "nothing.txt"], **options)
    assert str(error.value) == message


def test_a_text_too_short_for_its_rows_is_refused(lines, story):
    with pytest.raises(TextError) as error:
        lines(batch_size=5000)
    assert str(error.value) == (
        f"the training part has {tokens_of(story)} tokens, too few for 5000 rows: "
        "use a longer text or a smaller --batch-size"
    )


def test_texts_are_read_as_a_training_reads_them(lines, tmp_path, story):
    path = tmp_path / "old.txt"
    path.write_bytes("달빛이 밝다\n=\n".encode("cp949") * 100)
    with pytest.raises(EncodingError):
        lines([path])
    said = lines([path], encoding="cp949", document_separator="\n=\n")
    assert said["text"].startswith("old: 600 characters (")


def test_a_run_that_is_not_there_is_refused(lines):
    with pytest.raises(RunNotFoundError, match=r"^run 'nobody' is not there"):
        lines(init_from="nobody")


def test_the_api_trains_on_what_was_kept(lines, text, checkpoints):
    """Not a second pass over the text: the tokens are found."""
    lines()
    stages: set[str] = set()
    charnn.train(
        text,
        checkpoints=checkpoints,
        steps=1,
        on_record=lambda record: stages.add(getattr(record, "stage", "")),
        **GIVEN,
    )
    assert stages == {"", "reading", "indexing the text for --max-copy"}
