"""`charnn eval`: what a text costs a model."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import charnn

Cli = Callable[..., Any]
KEYS = (
    *("model", "part", "bits_per_char", "bits_per_byte", "nats_per_char", "nats_per_token"),
    *("characters", "bytes", "tokens", "network_bits_per_char", "ngram_bits_per_char"),
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
    assert data["network_bits_per_char"] == data["bits_per_char"]
    assert data["ngram_bits_per_char"] is None
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
    ]


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
    ],
)
def test_values_are_checked_before_a_run_is_looked_for(
    cli: Cli, arguments: tuple[str, ...], message: str
) -> None:
    assert cli("eval", "-m", "nowhere", *arguments) == (2, "", f"charnn: {message}\n")


def test_a_text_that_is_not_there(evaluate: Cli) -> None:
    message = "gone.txt does not exist: check its path"
    assert evaluate("gone.txt") == (1, "", f"charnn: {message}\n")
