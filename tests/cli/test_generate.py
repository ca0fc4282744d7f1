"""`charnn generate`: text to stdout, everything else to stderr."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import charnn
from charnn.model import products

Generate = Callable[..., Any]


@pytest.fixture
def generate(cli: Callable[..., Any], written: Path) -> Generate:
    """`charnn generate` from the run that all tests share."""
    return lambda *arguments, **rest: cli(
        "generate", "--checkpoints", written.parent, *arguments, **rest
    )


@pytest.fixture(scope="module")
def model(written: Path) -> charnn.Model:
    return charnn.load(written)


def test_stdout_has_the_text_and_stderr_the_seed(generate: Generate) -> None:
    said = generate("섭섭이는", "-n", "40", "--seed", "7")
    assert said.code == 0
    assert said.err == "seed 7\n"
    assert said.out.startswith("섭섭이는")
    assert len(said.out.removesuffix("\n")) in range(44, 48)


def test_a_seed_that_nobody_chose_writes_the_same_again(generate: Generate) -> None:
    first = generate("-n", "60")
    seed = re.fullmatch(r"seed (\d+)\n", first.err)
    assert seed
    assert generate("-n", "60", "--seed", seed[1]) == first
    assert generate("-n", "60", "--seed", str(int(seed[1]) + 1)).out != first.out


def test_streamed_or_not_the_same_seed_writes_the_same(
    generate: Generate, model: charnn.Model
) -> None:
    text = model.generate("섭섭이는", seed=7, length=60)
    assert "".join(model.stream("섭섭이는", seed=7, length=60)) == text
    options = ("섭섭이는", "-n", "60", "--seed", "7", "--no-prompt")
    assert generate(*options).out == text.removesuffix("\n") + "\n"
    assert json.loads(generate(*options, "--json").out)["text"] == text
    many = generate(*options, "--json", "--num-samples", "3").out.splitlines()
    assert json.loads(many[0])["text"] == text
    assert [json.loads(line)["text"] for line in many] == model.generate_many(
        3, "섭섭이는", seed=7, length=60
    )


def test_the_defaults_are_those_of_the_options(generate: Generate, model: charnn.Model) -> None:
    text = model.generate(seed=1, temperature=0.8, length=500)
    assert generate("--seed", "1").out.removesuffix("\n") == text.removesuffix("\n")


def test_many_texts_have_a_line_between_them(generate: Generate) -> None:
    said = generate("먹내", "-n", "20", "--seed", "3", "--num-samples", "3")
    texts = said.out.split("─" * 24 + "\n")
    assert len(texts) == 3
    assert all(text.startswith("먹내") and text.endswith("\n") for text in texts)
    assert texts[0] == generate("먹내", "-n", "20", "--seed", "3").out


def test_a_ladder_writes_one_seed_at_each_temperature(generate: Generate) -> None:
    rest = ("먹내", "-n", "20", "--seed", "3")
    said = generate(*rest, "--temps", "0.5,1.5")
    assert (said.code, said.err) == (0, "seed 3\n")
    assert said.out == (
        f"── temp 0.5 ────────────\n{generate(*rest, '--temp', '0.5').out}"
        f"── temp 1.5 ────────────\n{generate(*rest, '--temp', '1.5').out}"
    )
    many = generate(*rest, "--temps", "0.5,1.5", "--num-samples", "2").out
    heads = re.findall("^──.*$", many, re.MULTILINE)
    assert heads == [f"── temp {t}, {n} of 2 ────" for t in ("0.5", "1.5") for n in (1, 2)]


def test_lines_of_json_tell_their_temperature(generate: Generate) -> None:
    said = generate("-n", "9", "--temps", "0.5,1.5", "--num-samples", "2", "--json")
    told = [json.loads(line) for line in said.out.splitlines()]
    rungs = [(data["options"]["temperature"], data["index"]) for data in told]
    assert rungs == [(0.5, 0), (0.5, 1), (1.5, 0), (1.5, 1)]
    assert len({data["seed"] for data in told}) == 1


def test_the_nearer_temperature_counts(
    generate: Generate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARNN_GENERATE_TEMP", "0.3")
    rest = ("-n", "9", "--seed", "1", "--json")
    (alone,) = generate(*rest).out.splitlines()
    assert json.loads(alone)["options"]["temperature"] == 0.3
    ladder = generate(*rest, "--temps", "0.5,1.5").out.splitlines()
    assert [json.loads(line)["options"]["temperature"] for line in ladder] == [0.5, 1.5]


def test_the_nearer_prompt_counts(
    generate: Generate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "options.toml").write_text('prompt-file = "gone.txt"\n', encoding="utf-8")
    rest = ("-n", "5", "--seed", "1", "--config", "options.toml")
    assert generate(*rest).code == 1
    (here / "nul.toml").write_text('prompt-file = "a\\u0000"\n', encoding="utf-8")
    wrong = generate("--config", "nul.toml")
    assert (wrong.code, wrong.err) == (
        1,
        "charnn: prompt file 'a\\x00' cannot be read: embedded null byte: name another with "
        "--prompt-file\n",
    )
    monkeypatch.setenv("CHARNN_GENERATE_PROMPT", "먹내")
    assert generate(*rest).out.startswith("먹내")
    assert generate("섭섭", *rest).out.startswith("섭섭")
    assert generate("-p", "섭섭", *rest).out.startswith("섭섭")
    assert not generate("", *rest).out.startswith("먹내")


def test_the_nearer_look_counts(generate: Generate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARNN_GENERATE_RAW", "1")
    assert generate("-n", "5", "--heat").code == 0
    monkeypatch.setenv("CHARNN_GENERATE_HEAT", "1")
    assert generate("-n", "5").code == 2
    assert generate("-n", "5", "--raw").code == 0


def test_turns_or_what_does_not_go_with_them_whichever_is_nearer(
    generate: Generate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"JSON": "1", "OUTPUT": "o.txt", "NUM_SAMPLES": "2", "TEMPS": "1,2"}
    for name, value in {**values, "PROMPT_FILE": "-", "ADAPT": "-"}.items():
        monkeypatch.setenv(f"CHARNN_GENERATE_{name}", value)
    turns = generate("-i", "-n", "5", "--seed", "1", stdin="섭섭\n".encode())
    assert (turns.code, turns.err) == (0, "story, seed 1\n")
    assert turns.out.startswith("섭섭")
    for name in ("OUTPUT", "TEMPS", "PROMPT_FILE", "ADAPT"):
        monkeypatch.delenv(f"CHARNN_GENERATE_{name}")
    monkeypatch.setenv("CHARNN_GENERATE_JSON", "0")
    monkeypatch.setenv("CHARNN_GENERATE_INTERACTIVE", "1")
    message = "--num-samples does not go with --interactive: leave one of them out"
    assert generate("-n", "5") == (2, "", f"charnn: {message}\n")
    lines = generate("-n", "5", "--json").out.splitlines()
    assert len(lines) == 2 and json.loads(lines[1])["index"] == 1


def test_a_prompt_is_read_once_for_all(generate: Generate, monkeypatch: pytest.MonkeyPatch) -> None:
    from charnn.model.stepper import Stepper

    read, reads = Stepper.read, []

    def counted(stepper: Stepper, tokens: Any, state: Any) -> Any:
        reads.append(len(tokens))
        return read(stepper, tokens, state)

    monkeypatch.setattr(Stepper, "read", counted)
    assert generate("가나다", "-n", "5", "--temps", "0.5,1", "--num-samples", "70").code == 0
    assert len(reads) == 1


def test_a_long_prompt_is_announced(generate: Generate, here: Path) -> None:
    (here / "prompt.txt").write_text("먹내 " * 20_000, encoding="utf-8")
    said = generate("--prompt-file", "prompt.txt", "-n", "5", "--no-prompt", "--seed", "1")
    assert (said.code, said.err) == (0, "reading 60,000 characters\nseed 1\n")


def test_heat_colours_nothing_but_a_terminal(generate: Generate) -> None:
    rest = ("먹내", "-n", "20", "--seed", "3")
    assert generate(*rest, "--heat") == generate(*rest)


@pytest.mark.parametrize("many", ["1", "3"])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_ctrl_c_keeps_what_was_written(
    generate: Generate,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    many: str,
    form: tuple[str, ...],
) -> None:
    from charnn.model.stepper import Stepper

    step, steps = Stepper.step_logits, []

    def interrupted(stepper: Stepper, tokens: Any, state: Any) -> Any:
        steps.append(tokens)
        if len(steps) == 20:
            raise KeyboardInterrupt
        return step(stepper, tokens, state)

    rest = ("-n", "500", "--seed", "3", "--num-samples", many, "--no-prompt", *form)
    whole = generate(*rest).out
    monkeypatch.setattr(Stepper, "step_logits", interrupted)
    assert generate(*rest, "-o", "out.txt") == (130, "", "seed 3\n")
    kept = (here / "out.txt").read_text("utf-8")
    if form:
        texts = [json.loads(line)["text"] for line in kept.splitlines()]
        wholes = [json.loads(line)["text"] for line in whole.splitlines()]
    else:
        texts, wholes = ([t.strip("\n") for t in w.split("─" * 24)] for w in (kept, whole))
    assert len(texts) == int(many)
    for text, complete in zip(texts, wholes, strict=True):
        assert text and complete.strip("\n").startswith(text.strip("\n"))


def test_json_says_everything(generate: Generate) -> None:
    said = generate("섭", "--json", "-n", "30", "--seed", "5", "--num-samples", "2", "--top-k", "9")
    lines = said.out.splitlines()
    assert [json.loads(line)["index"] for line in lines] == [0, 1]
    data = json.loads(lines[0])
    assert {name: data[name] for name in ("model", "ngram", "adapt", "prompt", "seed")} == {
        "model": "story",
        "ngram": True,
        "adapt": None,
        "prompt": "섭",
        "seed": 5,
    }
    assert 30 <= len(data["text"]) <= 33
    assert 0 < data["bits_per_char"] < 30
    assert data["options"] == {
        "temperature": 0.8,
        "top_k": 9,
        "top_p": 1.0,
        "min_p": 0.0,
        "repeat_penalty": 1.0,
        "length": 30,
        "stop": [],
        "acrostic": "",
        "initials": "",
        "include": [],
        "max_copy": 0,
    }
    assert list(data) == [
        *("model", "ngram", "adapt", "precision", "prompt", "seed"),
        *("text", "index", "bits_per_char", "options"),
    ]
    alone = generate("섭", "--json", "-n", "30", "--seed", "5", "--no-ngram")
    assert json.loads(alone.out)["ngram"] is False


def test_a_precision_may_be_chosen(generate: Generate) -> None:
    said = {name: generate("--json", "--precision", name) for name in ("auto", "fp32")}
    told = {name: json.loads(done.out)["precision"] for name, done in said.items()}
    assert told["fp32"] == "fp32"
    if products.numkong is None:
        wrong = generate("--precision", "bf16")
        assert "--precision bf16 needs numkong: pip install 'charnn[fast]'" in wrong.err
        return
    wanted = ("--json", "--precision", "bf16", "--seed", "5", "-n", "30")
    half = json.loads(generate(*wanted).out)
    assert half["precision"] == "bf16"
    several = generate(*wanted, "--num-samples", "3").out.splitlines()
    assert json.loads(several[0])["text"] == half["text"]


def test_a_precision_that_there_is_not_is_refused(generate: Generate) -> None:
    said = generate("--precision", "fp16")
    assert (said.code, said.out) == (2, "")
    assert said.err == "charnn: --precision must be one of auto, fp32, bf16, got fp16\n"


def test_json_has_no_infinity(generate: Generate) -> None:
    said = generate("--json", "-n", "20", "--seed", "5", "--temp", "inf")

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    data = json.loads(said.out, parse_constant=refuse)
    assert data["options"]["temperature"] == sys.float_info.max
    again = generate("--json", "-n", "20", "--seed", "5", "--temp", repr(sys.float_info.max))
    assert again == said


def test_json_tells_the_text_that_was_adapted_to(
    generate: Generate, here: Path, novella: Path
) -> None:
    (here / "diary.txt").write_text(novella.read_text("utf-8")[3000:3300], encoding="utf-8")
    said = generate("--json", "-n", "5", "--seed", "1", "--adapt", "diary.txt")
    assert (said.code, said.err) == (0, "reading diary.txt\nseed 1\n")
    assert json.loads(said.out)["adapt"] == "diary.txt"


def test_temperature_0_needs_no_chance(generate: Generate) -> None:
    texts = {generate("-n", "20", "--temp", "0", "--seed", str(seed)).out for seed in range(3)}
    assert len(texts) == 1


def test_stop_ends_before_it(generate: Generate) -> None:
    said = generate("-n", "300", "--seed", "1", "--stop", " ", "--stop", r"\n", "--json")
    assert not set(json.loads(said.out)["text"]) & {" ", "\n"}


PROMPTS = (
    "섭섭이는",
    "",
    " ",
    "English, 123",
    "𠮷野家 鿕 🙂‍↔️ ﷽",
    "ᄒᆞᆫ글 ㅎㅏㄴ ᅟᅠ",
    "\u1112\u1161\u11ab NFD, e\u0301",
    "줄\n둘\t탭",
    "\x00\ufeff\u2028",
    "긴 " * 300,
)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_any_prompt_comes_back_exactly(generate: Generate, prompt: str) -> None:
    said = generate("-n", "8", "--seed", "1", "--", prompt)
    assert (said.code, said.err) == (0, "seed 1\n")
    assert said.out.startswith(prompt)
    assert len(said.out.removesuffix("\n")) >= len(prompt)
    assert json.loads(generate("-n", "8", "--json", "--", prompt).out)["prompt"] == prompt


def test_the_ways_to_give_a_prompt(generate: Generate, here: Path) -> None:
    rest = ("-n", "20", "--seed", "1")
    first = generate("둘\n줄", *rest)
    (here / "prompt.txt").write_bytes("\ufeff둘\r\n줄".encode())
    assert generate("-p", "둘\n줄", *rest) == first
    assert generate("--prompt-file", "prompt.txt", *rest) == first
    assert generate("--prompt-file", "-", *rest, stdin="둘\r줄".encode()) == first


def test_line_ends_in_a_prompt_are_written_as_for_train(generate: Generate, here: Path) -> None:
    rest = ("-n", "20", "--seed", "1")
    first = generate("둘\n\t줄", *rest)
    assert generate(r"둘\n\t줄", *rest) == generate("-p", r"둘\n\t줄", *rest) == first
    (here / "prompt.txt").write_text(r"둘\n줄", encoding="utf-8")
    assert generate("--prompt-file", "prompt.txt", *rest).out.startswith(r"둘\n줄")


def test_stdin_is_not_read_unasked(generate: Generate) -> None:
    rest = ("-n", "20", "--seed", "1")
    assert generate(*rest, stdin=b"text") == generate(*rest)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("a", "-p", "b"), 2, "give the prompt once, got PROMPT and --prompt"),
        (("a", "--prompt-file", "b"), 2, "give the prompt once, got PROMPT and --prompt-file"),
        (
            ("--prompt-file", "gone.txt"),
            1,
            "prompt file gone.txt cannot be read: No such file or directory: name another with "
            "--prompt-file",
        ),
        (
            ("--prompt-file", "old.txt"),
            1,
            "prompt file old.txt is not UTF-8 (byte 0xBC at offset 0): save it as UTF-8",
        ),
    ],
)
def test_a_prompt_that_cannot_be_used(
    generate: Generate, here: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    (here / "old.txt").write_bytes("섭섭이".encode("cp949"))
    assert generate(*arguments) == (code, "", f"charnn: {message}\n")


def test_a_prompt_from_a_closed_stdin(generate: Generate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charnn.cli.generate._stdin", lambda: None)
    message = "prompt file - cannot be read: stdin is closed, name a file"
    assert generate("--prompt-file", "-") == (1, "", f"charnn: {message}\n")


def test_what_no_text_can_be_is_said_before_anything_is_written(
    generate: Generate, here: Path
) -> None:
    said = generate("-n", "3", "--include", "섭섭이는요", "-o", "out.txt")
    message = "--length must be >= 5 for include '섭섭이는요', got 3"
    assert said == (2, "", f"charnn: {message}\n")
    assert not (here / "out.txt").exists()


def test_a_run_without_its_ngram_model(generate: Generate, written: Path, here: Path) -> None:
    shutil.copytree(written, here / "torn")
    (here / "torn" / "ngram.safetensors").unlink()
    said = generate("-m", str(here / "torn"))
    assert (said.code, said.out) == (1, "")
    assert said.err.endswith(
        "ngram.safetensors is missing: restore it from a copy, or write with the network alone "
        "(--no-ngram)\n"
    )
    assert generate("-m", str(here / "torn"), "--no-ngram", "-n", "5").code == 0


def test_a_prompt_of_broken_bytes_leaves_no_file_behind(generate: Generate, here: Path) -> None:
    said = generate("a\udcff", "-o", "out.txt")
    message = "prompt must be valid Unicode, got a lone surrogate U+DCFF at character 1"
    assert said == (2, "", f"charnn: {message}; leave it out\n")
    assert not (here / "out.txt").exists()


def test_turns_with_a_closed_stdin(cli: Generate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charnn.cli.main._speak_utf8", lambda: setattr(sys, "stdin", None))
    message = "--interactive reads stdin, which is closed: leave --interactive out"
    assert cli("generate", "-i", "-m", "nowhere") == (1, "", f"charnn: {message}\n")


def test_a_file_gets_the_text_and_is_never_overwritten(generate: Generate, here: Path) -> None:
    rest = ("섭섭이는", "-n", "20", "--seed", "1")
    shown = generate(*rest)
    assert generate(*rest, "-o", "out.txt") == (0, "", "seed 1\n")
    assert (here / "out.txt").read_bytes().decode() == shown.out
    message = "out.txt is there already and is not overwritten: name another -o"
    assert generate("-n", "30", "-o", "out.txt") == (2, "", f"charnn: {message}\n")
    assert (here / "out.txt").read_bytes().decode() == shown.out


def test_a_file_that_cannot_be_written(generate: Generate) -> None:
    message = "cannot write no/out.txt: No such file or directory: name another -o"
    assert generate("-n", "5", "-o", "no/out.txt") == (1, "", f"charnn: {message}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--temp", "-1"), "--temp must be >= 0, got -1.0"),
        (("--temp", "nan"), "--temp must be >= 0, got nan"),
        (("--top-k", "-1"), "--top-k must be >= 0, got -1"),
        (("--top-p", "1.5"), "--top-p must be in [0, 1], got 1.5"),
        (("--min-p", "-0.1"), "--min-p must be in [0, 1], got -0.1"),
        (("--repeat-penalty", "0"), "--repeat-penalty must be > 0, got 0.0"),
        (("-n", "0"), "--length must be >= 1, got 0"),
        (("--num-samples", "0"), "--num-samples must be >= 1, got 0"),
        (
            ("--precision", "fp16", "--prompt-file", "gone.txt"),
            "--precision must be one of auto, fp32, bf16, got fp16",
        ),
        (
            ("--stop", "\udcff"),
            "--stop must be valid Unicode, got '\\udcff': leave the surrogate out",
        ),
        (("--seed", "-1"), "--seed must be >= 0, got -1"),
        (("--stop", ""), "--stop must not be an empty text; leave it out to stop at the length"),
        (("--temps", "0.5,-1"), "--temps must be >= 0, got -1.0"),
        (("--temps", "0.5,x"), "--temps must be numbers with commas between them, got '0.5,x'"),
        (("--temps", "1", "--temp", "1"), "give the temperature once, got --temp and --temps"),
        (("--heat", "--raw"), "--heat and --raw exclude each other: leave one of them out"),
        (("-i", "--json"), "--json does not go with --interactive: leave one of them out"),
        (("-i", "-o", "new"), "--output does not go with --interactive: leave one of them out"),
        (
            ("-i", "--num-samples", "2"),
            "--num-samples does not go with --interactive: leave one of them out",
        ),
        (("-i", "--temps", "1,2"), "--temps does not go with --interactive: leave one of them out"),
        (
            ("-i", "--prompt-file", "-"),
            "--prompt-file - does not go with --interactive: leave one of them out",
        ),
        (("-i", "--adapt", "-"), "--adapt - does not go with --interactive: leave one of them out"),
    ],
)
def test_values_are_checked_before_a_run_is_looked_for(
    cli: Callable[..., Any], arguments: tuple[str, ...], message: str
) -> None:
    assert cli("generate", "-m", "nowhere", *arguments) == (2, "", f"charnn: {message}\n")


def test_a_run_that_is_not_there(generate: Generate, cli: Callable[..., Any]) -> None:
    said = generate("-m", "stroy")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("charnn: run 'stroy' is not there: in ")
    assert said.err.endswith("there is story, perhaps 'story'?\n")
    nothing = "there is no run in 'checkpoints': train one with 'charnn train TEXT', or name the"
    assert cli("generate") == (1, "", f"charnn: {nothing} folder of runs with --checkpoints\n")


def test_a_run_by_its_path(
    cli: Callable[..., Any], generate: Generate, written: Path, here: Path
) -> None:
    rest = ("-n", "10", "--seed", "1")
    assert cli("generate", "-m", written, *rest) == generate("-m", "story", *rest)


def test_a_run_without_a_checkpoint(cli: Callable[..., Any], story: Path) -> None:
    for slot in ("best", "last", "best.prev", "last.prev"):
        if (story / slot).exists():
            (story / slot).rename(story / f"not-{slot}")
    message = "run story has no last checkpoint yet: let 'charnn train --resume story' go on until"
    assert cli("generate", "-m", "story") == (1, "", f"charnn: {message} it has saved one\n")


def test_a_damaged_run_is_refused(cli: Callable[..., Any], story: Path) -> None:
    for path in story.glob("*/weights.safetensors"):
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    said = cli("generate", "-n", "5")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("charnn: ") and said.err.count("\n") == 1
