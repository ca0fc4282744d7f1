"""`charnn eval`: what a text costs a model."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

import charnn

Cli = Callable[..., Any]
KEYS = (
    *("model", "part", "bits_per_char", "bits_per_byte", "nats_per_char", "nats_per_token"),
    *("characters", "bytes", "tokens", "network_bits_per_char", "ngram_bits_per_char"),
    *("dynamic_bits_per_char", "dynamic_network_bits_per_char", "dynamic_ngram_bits_per_char"),
)


@pytest.fixture
def evaluate(cli: Cli, written: Path) -> Cli:
    return lambda *arguments, **rest: cli(
        "eval", "--checkpoints", written.parent, *arguments, **rest
    )


def test_the_numbers_as_json(evaluate: Cli, written: Path) -> None:
    said = evaluate("--json")
    assert (said.code, said.err) == (0, "")
    data = json.loads(said.out)
    assert tuple(data) == KEYS
    assert (data["model"], data["part"], data["characters"]) == ("story", "validation", 300)
    assert data["nats_per_char"] == pytest.approx(data["bits_per_char"] * math.log(2))
    assert data["bits_per_char"] == pytest.approx(
        data["bits_per_byte"] * data["bytes"] / data["characters"]
    )
    assert data["network_bits_per_char"] > data["bits_per_char"] > 0
    assert data["ngram_bits_per_char"] > 0
    assert data["dynamic_bits_per_char"] is None
    score = charnn.load(written).evaluate().score
    assert score.bits_per_char == data["bits_per_char"]


def test_the_numbers_for_people(evaluate: Cli) -> None:
    data = json.loads(evaluate("--json").out)
    lines = evaluate().out.splitlines()
    assert lines == [
        "story on the validation part of its own text",
        f"  bits per character  {data['bits_per_char']:.4f}",
        f"  bits per byte       {data['bits_per_byte']:.4f}",
        f"  nats per character  {data['nats_per_char']:.4f}",
        f"  characters          300 ({data['bytes']:,} bytes, {data['tokens']:,} tokens)",
        "",
        "  bits per character     together   network    n-gram",
        f"  as trained           {data['bits_per_char']:>10.4f}"
        f"{data['network_bits_per_char']:>10.4f}{data['ngram_bits_per_char']:>10.4f}",
    ]


def test_the_network_alone(evaluate: Cli) -> None:
    whole, alone = (json.loads(evaluate(*o, "--json").out) for o in ((), ("--no-ngram",)))
    assert alone["bits_per_char"] == whole["network_bits_per_char"]
    assert alone["ngram_bits_per_char"] is None


def test_experts_that_adapt(evaluate: Cli) -> None:
    data = json.loads(evaluate("--dynamic", "--json").out)
    assert data["dynamic_ngram_bits_per_char"] < data["ngram_bits_per_char"]
    last = evaluate("--dynamic").out.splitlines()[-1]
    keys = ("dynamic_bits_per_char", "dynamic_network_bits_per_char", "dynamic_ngram_bits_per_char")
    assert last.split() == ["adapting", *(f"{data[key]:.4f}" for key in keys)]


def test_the_validation_score_is_that_of_the_training(
    evaluate: Cli, cli: Cli, written: Path
) -> None:
    best = cli("runs", "story", "--checkpoints", written.parent).out.partition("best")[2].split()[0]
    data = json.loads(evaluate("--json").out)
    assert data["bits_per_char"] == pytest.approx(float(best), abs=2e-3)


def test_another_text(evaluate: Cli, here: Path, text: Path) -> None:
    data = json.loads(evaluate(text, "--json").out)
    assert (data["part"], data["characters"]) == ("text", 1500)
    again = evaluate("-", "--json", stdin=text.read_bytes())
    assert json.loads(again.out) == data
    (here / "old.txt").write_bytes(text.read_text("utf-8").encode("cp949", "ignore"))
    assert evaluate("old.txt").code == 1
    assert evaluate("old.txt", "--encoding", "cp949").code == 0
    assert evaluate(text).out.startswith(f"story on {text}\n")


def test_a_part(evaluate: Cli) -> None:
    assert json.loads(evaluate("--part", "train", "--json").out)["characters"] == 2700
    message = "run story has no test part: name another --part, or a text"
    assert evaluate("--part", "test") == (2, "", f"charnn: {message}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--part", "best"), "part must be one of train, validation, test, got 'best'"),
        (
            ("a.txt", "--encoding", "hangul"),
            "encoding must be a character set such as utf-8 or cp949, got 'hangul'",
        ),
        (
            ("a.txt", "--part", "train"),
            "--part is of the run's own text: leave out 'a.txt', or --part",
        ),
        (
            ("a.txt", "--samples"),
            "--samples is of the run's own text: leave out 'a.txt', or --samples",
        ),
        (
            ("--samples", "--dynamic"),
            "--dynamic scores a text and --samples writes some: leave one of them out",
        ),
        (
            ("--samples", "--part", "train"),
            "part must be validation or test for samples, got 'train': they are measured beside "
            "text that was not trained on",
        ),
    ],
)
def test_values_are_checked_before_a_run_is_looked_for(
    cli: Cli, arguments: tuple[str, ...], message: str
) -> None:
    assert cli("eval", "-m", "nowhere", *arguments) == (2, "", f"charnn: {message}\n")


def test_a_text_that_is_not_there(evaluate: Cli) -> None:
    message = "gone.txt does not exist: check its path"
    assert evaluate("gone.txt") == (1, "", f"charnn: {message}\n")


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory, novella: Path) -> Path:
    """The folder of a run whose held-out part is long enough for two samples."""
    folder = tmp_path_factory.mktemp("longer")
    text = folder / "longer.txt"
    text.write_text(novella.read_text("utf-8")[:5000], encoding="utf-8")
    sizes = {"steps": 2, "hidden": 8, "batch_size": 2, "seq_len": 16, "sample_length": 10}
    charnn.train(text, checkpoints=folder / "c", val_fraction=0.5, **sizes, threads=1)
    return folder / "c"


def test_samples_as_json(cli: Cli, longer: Path) -> None:
    said = cli("eval", "--checkpoints", longer, "--samples", "--json")
    assert (said.code, said.err) == (0, "")
    data = json.loads(said.out)
    assert (data["model"], data["part"], data["num_samples"]) == ("longer", "validation", 2)
    assert data == {
        "model": "longer",
        **charnn.load(longer / "longer").measure_samples().to_json(),
    }


def test_samples_for_people(cli: Cli, longer: Path) -> None:
    data = json.loads(cli("eval", "--checkpoints", longer, "--samples", "--json").out)
    lines = cli("eval", "--checkpoints", longer, "--samples").out.splitlines()
    assert lines[:5] == [
        "longer: 2 samples of 1,000 characters at temperature 0.8, seed 1, each going on",
        "from a passage of the validation part of its text; beside them, what follows",
        "there in truth",
        "",
        "                                       samples  held-out   ratio",
    ]
    words = data["measures"]["known_words"]
    assert lines[5] == (
        f"  words that occur in training          {words['samples']:.4f}    {words['heldout']:.4f}"
        f"   {words['ratio']:.3f}"
    )
    assert lines[6].startswith(f"  in copied spans of {data['span']} or more ")
    assert lines[-2:] == [
        "Copies are searched for in 2,500 characters of the training part. Of 2,500",
        f"held-out characters {data['span_share']:.2%} lie in such spans by chance.",
    ]
    assert max(map(cell_len, lines)) <= 80


def test_samples_of_a_run_that_is_too_short(evaluate: Cli) -> None:
    message = (
        "the validation part of run story has 300 characters, samples need at least 1,200: train "
        "on a longer text, or with a larger --val-fraction"
    )
    assert evaluate("--samples") == (1, "", f"charnn: {message}\n")
