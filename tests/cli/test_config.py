"""Where a value comes from: command line, environment, file, default, in this order."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.fixture
def options_of(
    cli: Cli, written: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """What `charnn generate` says it wrote with."""

    def call(*arguments: str, **environ: str) -> dict[str, Any]:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        said = cli("generate", "--json", "--checkpoints", written.parent, *arguments)
        assert said.code == 0, said.err
        data: dict[str, Any] = json.loads(said.out.splitlines()[0])
        return {**data, **data["options"]}

    return call


def config(text: str, name: str = "options.toml") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_order(options_of: Callable[..., dict[str, Any]]) -> None:
    file = ("--config", str(config("length = 11\ntemp = 0.1\ntop-k = 1\n")))
    environ = {"CHARNN_GENERATE_LENGTH": "12", "CHARNN_GENERATE_TEMP": "0.2"}
    found = options_of(*file, "-n", "13", **environ)
    assert (found["length"], found["temperature"], found["top_k"]) == (13, 0.2, 1)
    assert found["top_p"] == 1.0


def test_a_file_names_options_as_the_command_line_does(
    cli: Cli, options_of: Callable[..., dict[str, Any]], written: Path
) -> None:
    text = 'prompt = "섭섭이"\nnum-samples = 2\nlength = 9\nmodel = "story"\nstop = ["END", "끝"]\n'
    found = options_of("--config", str(config(text)))
    assert (found["prompt"], found["length"], found["stop"]) == ("섭섭이", 9, ["END", "끝"])
    both = config('json = true\nlength = 9\nno-prompt = true\nstop = "END"\n')
    said = cli("generate", "--config", both, "--checkpoints", written.parent)
    assert json.loads(said.out)["options"]["stop"] == ["END"]
    underscores = options_of("--config", str(config("repeat_penalty = 1.5\nlength = 9\n")))
    assert underscores["repeat_penalty"] == 1.5


def test_the_environment_names_them_so_too(
    cli: Cli, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"JSON": "1", "PROMPT": "섭섭이", "STOP": "하나 둘", "NUM_SAMPLES": "2", "LENGTH": "9"}
    for name, value in values.items():
        monkeypatch.setenv(f"CHARNN_GENERATE_{name}", value)
    monkeypatch.setenv("CHARNN_CHECKPOINTS", str(written.parent))
    lines = [json.loads(line) for line in cli("generate").out.splitlines()]
    assert [line["prompt"] for line in lines] == ["섭섭이", "섭섭이"]
    assert lines[0]["options"]["stop"] == ["하나", "둘"]
    monkeypatch.setenv("CHARNN_GENERATE_JSON", "0")
    assert cli("generate").out.startswith("섭섭이")


@pytest.mark.parametrize(
    ("variable", "arguments"),
    [
        ("CHARNN_RUNS_YES", ["runs"]),
        ("CHARNN_RUNS_NO_NGRAM", ["runs"]),
        ("CHARNN_EVAL_SAMPLES", ["eval", "novel.txt"]),
        ("CHARNN_EVAL_DYNAMIC", ["eval", "novel.txt"]),
        ("CHARNN_VERSION", ["runs"]),
    ],
)
@pytest.mark.usefixtures("text")
def test_what_the_environment_says_for_other_uses_is_left_aside(
    cli: Cli, written: Path, monkeypatch: pytest.MonkeyPatch, variable: str, arguments: list[str]
) -> None:
    monkeypatch.setenv("CHARNN_CHECKPOINTS", str(written.parent))
    monkeypatch.setenv(variable, "1")
    said = cli(*arguments)
    assert (said.code, said.err) == (0, "")
    assert "story" in said.out


def test_checkpoints_from_the_environment_serve_every_command(
    cli: Cli, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARNN_CHECKPOINTS", str(written.parent))
    assert "story" in cli("runs").out
    assert cli("generate", "-n", "5").code == 0
    assert cli("generate", "--checkpoints", "elsewhere").code == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.toml",
            "tempo = 1\n",
            "config a.toml names an option 'tempo' that is not there: write temp",
        ),
        (
            "a.toml",
            "config = 'b'\n",
            "config a.toml names an option 'config' that is not there: 'charnn generate --help' "
            "tells which there are",
        ),
        (
            "a.toml",
            "as-json = true\n",
            "config a.toml names an option 'as_json' that is not there: write json",
        ),
        (
            "a.toml",
            "max-copies = 20\n",
            "config a.toml names an option 'max_copies' that is not there: write max-copy",
        ),
        (
            "a.toml",
            "temp 1\n",
            "config a.toml is neither TOML nor a run's config.json (Expected '=' after a key in a "
            "key/value pair (at line 1, column 6)): write lines such as minutes = 5",
        ),
        (
            "a.json",
            "{}",
            "config a.json is that of a run and holds options of train alone: "
            "write those of this command into a TOML file",
        ),
    ],
)
def test_a_file_that_cannot_be_used(cli: Cli, name: str, text: str, message: str) -> None:
    assert cli("generate", "--config", config(text, name)) == (2, "", f"charnn: {message}\n")


def test_a_file_that_is_not_there(cli: Cli) -> None:
    message = (
        "config gone.toml cannot be read: No such file or directory: name another with --config"
    )
    assert cli("generate", "--config", "gone.toml") == (2, "", f"charnn: {message}\n")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"training": 1}', '{"training": {"options": []}}']
)
def test_a_json_file_that_is_no_run(cli: Cli, text: str) -> None:
    said = cli("train", "--config", config(text, "config.json"), "novel.txt")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("charnn: config config.json is neither TOML nor a run's config.json")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("value", ["2.5", "{a = 1}", "2024-01-01", "'perhaps'"])
def test_a_flag_of_the_wrong_kind(cli: Cli, value: str) -> None:
    said = cli("runs", "--config", config(f"check = {value}\n"))
    assert said.code == 2
    assert "Invalid value for '--check': " in said.err


def test_a_file_that_is_nested_too_deeply(cli: Cli) -> None:
    said = cli("train", "--config", config("[" * 100_000, "config.json"), "novel.txt")
    assert said.code == 2
    assert said.err.startswith("charnn: config config.json is neither TOML nor a run's config.json")


def test_a_file_with_a_byte_order_mark(cli: Cli) -> None:
    said = cli("generate", "--config", config("\ufefflength = warm\n"))
    assert "neither TOML" in said.err
    said = cli("generate", "--config", config("\ufefflength = 'warm'\n"))
    assert "Invalid value for '-n' / '--length': 'warm'" in said.err


def test_a_value_of_the_wrong_kind(cli: Cli) -> None:
    said = cli("generate", "--config", config("temp = 'warm'\n"))
    assert said.code == 2
    assert "Invalid value for '--temp': 'warm' is not a valid float." in said.err


@pytest.mark.parametrize("value", ["5.5", "1e3", "true", "nan"])
def test_a_number_that_must_be_whole_is_not_cut(cli: Cli, value: str) -> None:
    said = cli("generate", "--config", config(f"length = {value}\n"))
    assert said.code == 2
    assert "Invalid value for '-n' / '--length': " in said.err
    assert "is not a valid integer" in said.err


def dry_run(cli: Cli, *arguments: str | Path) -> str:
    said = cli("train", "novel.txt", "--dry-run", *arguments)
    assert (said.code, said.err) == (0, "")
    return str(said.out)


@pytest.mark.usefixtures("text")
def test_the_nearest_budget_counts(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    file = ("--config", config("epochs = 40\n"))
    assert "800 steps" in dry_run(cli, *file, "--batch-size", "2", "--seq-len", "45")
    monkeypatch.setenv("CHARNN_TRAIN_MINUTES", "7")
    assert "7 minutes" in dry_run(cli, *file)
    assert "123 steps" in dry_run(cli, *file, "--steps", "123")
    said = cli("train", "novel.txt", "--steps", "1", "--epochs", "1")
    message = "give one of --minutes, --epochs and --steps, got 2"
    assert said == (2, "", f"charnn: {message}\n")


@pytest.mark.usefixtures("text")
def test_the_options_of_another_run(cli: Cli, written: Path) -> None:
    told = dry_run(cli, "--config", written / "config.json")
    assert "model      1 x 8 lstm" in told
    assert "time       3 steps" in told
    told = dry_run(cli, "--config", written / "config.json", "--hidden", "9", "--minutes", "2")
    assert "networks of 1 x 9 lstm" in told
    assert "time       2 minutes" in told


@pytest.mark.usefixtures("text")
def test_lists_in_a_file(train: Cli) -> None:
    said = train("novel.txt", "--config", config("steps = 1\ntemps = [0.25, 2]\nrun = 'one'\n"))
    assert said.code == 0
    assert "temperature 0.25\n" in said.err and "temperature 2.0\n" in said.err
    assert Path("checkpoints", "one", "last").is_dir()
