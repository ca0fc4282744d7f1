"""`charnn runs`: the runs in a line each, or one in full."""

import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from charnn.records import Event, to_json
from charnn.view.figures import memory

Cli = Callable[..., Any]


def test_no_runs_yet(cli: Cli) -> None:
    message = "no runs in checkpoints yet: train one with 'charnn train TEXT'"
    assert cli("runs") == (0, "", f"{message}\n")


def test_a_line_for_each_the_newest_first(cli: Cli, story: Path, train: Cli, text: Path) -> None:
    assert train(text, "--steps", "1", "--tokenizer", "jamo", "--run", "새 글").code == 0
    said = cli("runs")
    assert (said.code, said.err) == (0, "")
    head, new, old = (re.split(r" {2,}", line.strip()) for line in said.out.splitlines())
    columns = ["run", "corpus", "tokenizer", "size", "parameters", "step", "bits/char", "saved"]
    assert head == columns
    assert new[:4] == ["새 글", "novel", "jamo", "1x8 lstm"]
    assert old[:4] == [story.name, "story", "char", "1x8 lstm"]
    assert said.out.count(" ago") == 2


def test_nothing_is_cut_where_no_terminal_is(cli: Cli, story: Path) -> None:
    name = "아주 긴 이름의 실행 " * 6 + "끝"
    story.rename(story.with_name(name))
    assert name in cli("runs").out


def test_a_damaged_run_is_listed_and_the_others_too(cli: Cli, story: Path) -> None:
    (story.parent / "broken").mkdir()
    (story.parent / "broken" / "config.json").write_text("{}", encoding="utf-8")
    said = cli("runs")
    assert said.code == 0
    lines = {line.split()[0]: line for line in said.out.splitlines()}
    assert lines["broken"].startswith("broken is damaged: checkpoints/broken/config.json ")
    assert "1x8 lstm" in lines["story"]


def test_a_name_cannot_act_on_the_terminal(cli: Cli, story: Path) -> None:
    story.rename(story.with_name("a\x1b[31m\u202eb[bold]c"))
    said = cli("runs")
    assert "\x1b" not in said.out and "\u202e" not in said.out
    assert "b[bold]c" in said.out


def test_one_in_full(cli: Cli, story: Path) -> None:
    said = cli("runs", "story")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == "story"
    told = dict(line.strip().split(maxsplit=1) for line in lines[1:] if line.startswith("  "))
    assert told["folder"] == str(Path("checkpoints", "story"))
    assert told["text"] == "story, 3,000 characters"
    assert told["tokenizer"].startswith("char, ")
    assert told["model"].startswith("1 x 8 lstm, ")
    assert told["checkpoint"] == "step 3"
    assert re.fullmatch(r"\d+\.\d{4} bits per character at step [0-3]", told["best"])
    assert "saved: checkpoint at step 3" in said.out


@pytest.mark.usefixtures("story")
def test_a_run_that_is_not_there(cli: Cli) -> None:
    message = "run 'storm' is not there: in 'checkpoints' there is story, perhaps 'story'?"
    assert cli("runs", "storm") == (1, "", f"charnn: {message}\n")


def test_options_from_a_file(cli: Cli, story: Path) -> None:
    Path("options.toml").write_text('checkpoints = "checkpoints"\ncheck = true\n', encoding="utf-8")
    said = cli("runs", "story", "--config", "options.toml")
    assert said.out.endswith(" files, all whole\n")
    assert story.exists()


def test_best_is_the_same_in_the_list_and_in_full(cli: Cli, story: Path) -> None:
    told = re.search(r"best +(\d+\.\d{4}) bits", cli("runs", "story").out)
    assert told
    manifest = json.loads((story / "best" / "manifest.json").read_text("utf-8"))
    best = manifest["scores"]["bits_per_char"]
    assert told[1] == f"{best:.4f}"
    assert f" {best:.3f} " in cli("runs").out


def test_check(cli: Cli, story: Path) -> None:
    said = cli("runs", "--check", "story")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == "whole   config.json"
    assert lines[-1] == f"story: {len(lines) - 1} files, all whole"
    (story / "best" / "weights.safetensors").write_bytes(b"")
    (story / "mine.txt").touch()
    said = cli("runs", "--check", "story")
    assert said.code == 1
    assert "note    mine.txt: not part of the run, nobody reads it\n" in said.out
    assert "DAMAGED best/weights.safetensors: checkpoints/story/best/weights" in said.out
    assert said.err == (
        f"charnn: run story is damaged in 1 of {len(lines) - 1} places: restore those from a copy; "
        "what is whole is used as long as it can be\n"
    )


def test_an_exported_run_serves_every_command(cli: Cli, story: Path, text: Path) -> None:
    said = cli("runs", "story", "--export", "story.charnn")
    assert (said.code, said.err) == (0, "")
    size = memory(Path("story.charnn").stat().st_size)
    assert said.out == f"story.charnn: {size}; use it as a run: charnn generate -m story.charnn\n"
    written = cli("generate", "-n", "20", "--seed", "1")
    scored = cli("eval", text, "-m", "story", "--json")
    shutil.rmtree("checkpoints")
    assert cli("generate", "-n", "20", "--seed", "1", "-m", "story.charnn").out == written.out
    again = json.loads(cli("eval", text, "-m", "story.charnn", "--json").out)
    assert again | {"model": "story"} == json.loads(scored.out)
    assert "  file        story.charnn\n" in cli("runs", "story.charnn").out
    assert cli("runs", "--check", "story.charnn").code == 0
    assert "validation" in cli("watch", "story.charnn", "--ui", "plain", "--speed", "1e9").err
    assert cli("eval", "-m", "story.charnn") == (
        1,
        "",
        "charnn: story.charnn came without its text: name one, as in 'charnn eval TEXT -m "
        "story.charnn'\n",
    )
    said = cli("train", "--resume", "story.charnn")
    assert (said.code, said.err) == (
        1,
        "charnn: story.charnn holds no training to go on with, only what it came to: begin a new "
        "run from it with --init-from story.charnn\n",
    )


def test_an_exported_run_to_begin_from(cli: Cli, story: Path, train: Cli, text: Path) -> None:
    cli("runs", "story", "--export", "story.charnn")
    sizes = ("--batch-size", "2", "--seq-len", "16", "--threads", "1", "--ui", "none")
    said = cli("train", text, "--init-from", "story.charnn", "--steps", "1", *sizes)
    assert said.code == 0, said.err
    assert cli("runs", "novel").out.startswith("novel\n")
    said = cli("train", text, "--init-from", "story.charnn", "--steps", "1", *sizes, "--dry-run")
    assert "model      1 x 8 lstm" in said.out


def test_another_file_is_no_run(cli: Cli, text: Path) -> None:
    said = cli("generate", "-m", text.name)
    assert said.code == 1
    assert said.err.startswith(
        "charnn: run 'novel.txt' is a file, but not one that 'charnn runs --export' wrote: "
    )


def test_rename_and_delete(cli: Cli, story: Path) -> None:
    assert cli("runs", "story", "--rename", "무정") == (0, "story is now 무정\n", "")
    said = cli("runs", "무정", "--delete")
    message = "nobody can be asked here, stdin is no terminal: add --yes"
    assert said == (2, "", f"charnn: {message}\n")
    said = cli("runs", "무정", "--delete", "--yes")
    assert said.code == 0
    assert re.fullmatch(r"무정 is deleted: \d+(\.\d+)? kB are free\n", said.out)
    assert [path.name for path in story.parent.iterdir()] == [".streams"]


def test_where_stdin_is_closed_nobody_is_asked(
    cli: Cli, story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charnn.cli.run_actions.sys", SimpleNamespace(stdin=None))
    said = cli("runs", "story", "--delete")
    assert said.err == "charnn: nobody can be asked here, stdin is no terminal: add --yes\n"
    assert story.exists()


@pytest.mark.parametrize(("answer", "code"), [(True, 0), (False, 0)])
def test_a_person_is_asked(
    cli: Cli, story: Path, monkeypatch: pytest.MonkeyPatch, answer: bool, code: int
) -> None:
    from charnn.cli import run_actions

    asked: list[str] = []

    def confirm(question: str, **_: object) -> bool:
        asked.append(question)
        return answer

    class Terminal:
        class stdin:  # noqa: N801
            isatty = staticmethod(lambda: True)

    monkeypatch.setattr(run_actions, "sys", Terminal)
    monkeypatch.setattr("click.confirm", confirm)
    said = cli("runs", "story", "--delete")
    assert said.code == code
    assert re.fullmatch(
        r"delete run story in checkpoints/story \(step 3, \d+(\.\d+)? kB\)\?", asked[0]
    )
    assert story.exists() is not answer
    assert answer or said.out == "nothing is deleted\n"


def test_prune(cli: Cli, story: Path) -> None:
    assert cli("runs", "--prune").out == "there is nothing to prune in checkpoints\n"
    (stream,) = (story.parent / ".streams").iterdir()
    gone = stream.with_name("f" * 32)
    stream.rename(gone)
    for path in (*gone.iterdir(), gone):
        os.utime(path, (0, 0))
    said = cli("runs", "--prune")
    assert said.code == 2
    assert f"{gone.name}: tokens no run uses\n" in said.out
    said = cli("runs", "--prune", "--yes")
    assert re.search(r"^\d+(\.\d+)? kB are free$", said.out, re.MULTILINE)
    assert not gone.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--check", "--delete"),
            "give one of --check and --delete: they do different things",
        ),
        (("--delete",), "--delete needs a RUN: name it, as in 'charnn runs novel --delete'"),
        (("--rename", "x"), "--rename needs a RUN: name it, as in 'charnn runs novel --rename x'"),
        (("x", "--prune"), "--prune is for the whole folder of runs: leave out 'x'"),
        (("x", "--yes"), "--yes goes with --delete or --prune: leave it out"),
        (
            ("x", "--rename", ".y"),
            "run name must not begin with a dot, hyphen or space, nor end in a space, got '.y': "
            "give a name such as 'mujeong-2'",
        ),
    ],
)
def test_wrong_usage(cli: Cli, arguments: tuple[str, ...], message: str) -> None:
    assert cli("runs", *arguments) == (2, "", f"charnn: {message}\n")


def test_on_a_narrow_terminal_the_name_is_cut_and_the_numbers_are_not(
    story: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from charnn.cli.runs import command

    story.rename(story.with_name("아주 긴 이름의 실행 " * 5 + "끝"))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for columns, shown in ((200, 8), (80, 7), (60, 5), (30, 3), (20, 2)):
        monkeypatch.setenv("COLUMNS", str(columns))
        command.main([], standalone_mode=False)
        out = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)
        head, line = out.splitlines()
        assert len(head.split()) == shown
        assert ("…" in line) == (columns < 200)
        assert line.startswith("아주 긴")
        assert re.search(r" \d\.\d{3}\b", line)
        assert bool(re.search(r"\d:\d\d ago", line)) == (columns >= 60)


def test_warnings_are_told_longer_than_checkpoints(cli: Cli, story: Path) -> None:
    happened = [Event("warning", 1, "the disk was full", 1.0), Event("dropped", 2, "a step", 2.0)]
    happened += [Event("saved", step, f"checkpoint at step {step}", 3.0) for step in range(3, 99)]
    with (story / "events.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(to_json(event)) + "\n" for event in happened)
    said = cli("runs", "story").out
    assert "warning: the disk was full\n" in said
    assert "dropped: a step\n" in said
    assert "saved: checkpoint at step 98\n" in said
    assert len(re.findall(r"(?m)^ .*  step ", said.partition("  events  ")[2])) == 20


def test_a_run_to_share_without_its_ngram(cli: Cli, story: Path, text: Path) -> None:
    file = story.parent / "shared.charnn"
    said = cli("runs", "story", "--export", file, "--no-ngram")
    size = memory(file.stat().st_size)
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        f"{file}: {size}, without n-gram model and index of copies; use it as a run: "
        f"charnn generate -m {file}\n"
    )
    alone = cli("generate", "-n", "20", "--seed", "1", "--no-ngram", "-m", "story").out
    assert cli("generate", "-n", "20", "--seed", "1", "-m", "shared.charnn").out == alone
    scored = json.loads(cli("eval", text, "-m", "shared.charnn", "--json").out)
    network = json.loads(cli("eval", text, "-m", "story", "--no-ngram", "--json").out)
    assert scored["bits_per_char"] == network["bits_per_char"]
    assert scored["ngram_bits_per_char"] is None
    assert cli("runs", "--check", "shared.charnn").code == 0
    shutil.rmtree("checkpoints/.streams")
    assert cli("generate", "-m", "shared.charnn", "--max-copy", "20", "--seed", "1").err == (
        "charnn: --max-copy needs to know the training text, and run shared.charnn has neither "
        "copies.safetensors nor its tokens any more: leave max_copy out, or train again\n"
    )


def test_exported_files_are_listed(cli: Cli, story: Path) -> None:
    cli("runs", "story", "--export", story.parent / "shared.charnn")
    _, first, second = cli("runs").out.splitlines()
    assert first.startswith("story ")
    assert second.startswith("shared.charnn (file)  story ")


def test_the_ngram_is_left_out_of_exports_alone(cli: Cli, story: Path) -> None:
    message = "--no-ngram goes with --export: leave it out"
    assert cli("runs", "story", "--no-ngram") == (2, "", f"charnn: {message}\n")


def test_a_text_that_was_not_indexed_is_when_its_run_is_shared(cli: Cli, story: Path) -> None:
    (story / "copies.safetensors").rename("before")
    said = cli("runs", "story", "--export", "story.charnn")
    assert (said.code, said.err) == (0, "indexing the text for --max-copy, once\n")
    assert (story / "copies.safetensors").read_bytes() == Path("before").read_bytes()
    (story / "copies.safetensors").unlink()
    said = cli("generate", "-n", "20", "--max-copy", "12", "--seed", "1")
    assert said.err == "indexing the text for --max-copy, once\nseed 1\n"
    assert cli("generate", "-n", "20", "--max-copy", "12", "--seed", "1").err == "seed 1\n"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_while_a_run_is_exported_leaves_nothing(
    cli: Cli, story: Path, here: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    number = getattr(signal, name)
    monkeypatch.setattr("charnn.runs.export._publish", lambda *_: signal.raise_signal(number))
    said = cli("runs", "story", "--export", "story.charnn")
    assert said == (128 + number, "", "")
    assert sorted(path.name for path in here.iterdir()) == ["checkpoints"]


def test_what_came_to_use_while_prune_asked_stays(
    cli: Cli, story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = story.parent / ".gone.old"
    old.mkdir()
    os.utime(old, (0, 0))

    def agrees(question: str, yes: bool) -> bool:
        os.utime(old)
        return True

    monkeypatch.setattr("charnn.cli.run_actions._agrees", agrees)
    said = cli("runs", "--prune")
    assert said.out.splitlines()[1:] == ["1 of 1 came to use meanwhile and stay"]
    assert old.exists()
