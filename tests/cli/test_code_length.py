"""`charnn eval --code-length`: what a text costs from nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charnn import api
from charnn.text import yardsticks
from charnn.training.prequential import block_ends

Cli = Callable[..., Any]
QUICK = ("--minutes", "0.001", "--size", "tiny", "--threads", "1")
KEYS = (
    *("bits_per_char", "bytes", "header_bytes", "vocabulary_bytes", "network_bytes"),
    *("ngram_bytes", "ppmd_bytes", "xz_bytes", "text_bytes", "characters", "tokens"),
    *("hidden_size", "steps", "verified"),
)


@pytest.fixture
def measure(cli: Cli, text: Path) -> Cli:
    return lambda *arguments: cli("eval", "--code-length", text, *QUICK, *arguments)


def test_the_numbers_as_json(measure: Cli) -> None:
    said = measure("--json")
    assert (said.code, said.err) == (0, "")
    data = json.loads(said.out)
    assert tuple(data) == KEYS
    assert (data["characters"], data["steps"], data["hidden_size"]) == (1500, 0, 128)
    assert [part["first_token"] for part in data["verified"]] == [
        0,
        block_ends(data["tokens"])[-2],
    ]


def test_the_numbers_for_people(measure: Cli) -> None:
    data = json.loads(measure("--json").out)
    tokens, bits, code = (
        sum(p[k] for p in data["verified"]) for k in ("tokens", "bits", "code_bytes")
    )
    rows = [
        ("together", data["bytes"]),
        ("counts alone", data["ngram_bytes"]),
        ("network alone", data["network_bytes"]),
        ("PPMd", data["ppmd_bytes"]),
        ("xz -9e", data["xz_bytes"]),
    ]
    lines = measure().out.splitlines()
    assert lines[0].endswith("novel.txt from nothing")
    assert lines[1:] == [
        f"  bits per character  {data['bits_per_char']:.4f}",
        f"  bytes               {data['bytes']:,} (vocabulary {data['vocabulary_bytes']:,}, "
        f"header {data['header_bytes']:,})",
        f"  characters          1,500 ({data['text_bytes']:,} bytes, {data['tokens']:,} tokens)",
        "  network             128 units, 0 steps",
        f"  verified            {tokens:,} tokens: {bits:,.1f} bits are {code:,} bytes, and back",
        "",
        "                           bytes    bits per character",
        *(f"  {name:<18}{size:>12,}{8 * size / 1500:>10.4f}" for name, size in rows),
    ]


def test_without_ppmd(measure: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charnn.training.code_length.ppmd_size", lambda data: None)
    assert json.loads(measure("--json").out)["ppmd_bytes"] is None
    assert measure().out.splitlines()[-2] == f"  PPMd              {yardsticks.WITHOUT_PPMD}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--code-length",),
            "--code-length needs a TEXT: name a file, a folder, or - for stdin",
        ),
        *(
            (
                ("--code-length", "novel.txt", *given),
                f"{given[0]} is of a run and --code-length begins with nothing: leave one out",
            )
            for given in (
                ("--model", "story"),
                ("--part", "train"),
                ("--no-ngram",),
                ("--dynamic",),
                ("--samples",),
                ("--checkpoints", "runs"),
            )
        ),
        *(
            (given, f"{given[0]} goes with --code-length: leave it out, or add that")
            for given in (
                ("--minutes", "3"),
                ("--size", "tiny"),
                ("--seed", "2"),
                ("--threads", "1"),
            )
        ),
        (("--code-length", "gone.txt", "--minutes", "0"), "minutes must be > 0, got 0.0"),
        (
            ("--code-length", "gone.txt", "--size", "huge"),
            "size must be one of auto, tiny, small, medium, large, got 'huge'",
        ),
    ],
)
def test_what_does_not_belong_is_refused(
    cli: Cli, arguments: tuple[str, ...], message: str
) -> None:
    assert cli("eval", *arguments) == (2, "", f"charnn: {message}\n")


def test_texts_that_cannot_be_used(cli: Cli, here: Path) -> None:
    (here / "empty.txt").write_bytes(b"")
    (here / "short.txt").write_bytes("짧다".encode())
    gone = cli("eval", "--code-length", "gone.txt", *QUICK)
    assert gone == (1, "", "charnn: gone.txt does not exist: check its path\n")
    assert cli("eval", "--code-length", "empty.txt", *QUICK).code == 1
    message = "short has 2 characters, too few for a code length: use a text of 1,000 or more"
    assert cli("eval", "--code-length", "short.txt", *QUICK) == (1, "", f"charnn: {message}\n")


def test_what_the_environment_says_of_a_run_is_left_aside(
    measure: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARNN_CHECKPOINTS", "elsewhere")
    assert measure("--json").code == 0


def test_ctrl_c_ends_it_with_a_line(measure: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: Any, **rest: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "code_length", stop)
    message = "stopped: a code length is known at the end of the text only"
    assert measure() == (130, "", f"charnn: {message}\n")
