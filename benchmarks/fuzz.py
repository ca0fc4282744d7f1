"""Hostile texts and hostile run files, made up by Hypothesis for as long as is wanted.

    python benchmarks/fuzz.py                            # a minute of CPU time
    python benchmarks/fuzz.py --minutes 12 --seed 3
    python benchmarks/fuzz.py --only tokenizers archive
    python benchmarks/fuzz.py --guided --only archive    # by coverage, where atheris is installed

Each target is a property: what must hold whatever comes, above all that nothing but a refusal in
one line comes out. What breaks one is printed by Hypothesis in its smallest form, and the exit
code is 1. A short round of every target is part of the tests.
"""

import argparse
import io
import json
import os
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from charnn.corpus.batches import Batches
from charnn.corpus.tokenizers import (
    TOKENIZERS,
    Tokenizer,
    load_tokenizer,
    save_tokenizer,
    train_tokenizer,
)
from charnn.errors import CharnnError, RunError, TextError
from charnn.model.shapes import ModelShape, weight_shapes
from charnn.records import EVENT_KINDS, Event, Record, Sample, StepRecord
from charnn.runs.archive import read_directory
from charnn.runs.check import check_run
from charnn.runs.config import RunConfig
from charnn.runs.documents import decode_json, seal, unseal
from charnn.runs.export import export_run
from charnn.runs.journal_lines import decode_line, encode_line, read_journal
from charnn.runs.journals import Journals
from charnn.runs.layout import JOURNALS
from charnn.runs.manifest import Manifest
from charnn.runs.run import Run, create_run
from charnn.runs.saving import bind_run_files, save_checkpoint
from charnn.runs.tensors import decode_tensors, decode_weights, encode_tensors
from charnn.text.detection import detect_encoding
from charnn.text.encodings import decode_stream, text_encoding
from charnn.text.reading import open_texts
from charnn.view.display_text import SafeStream, safe_characters, safe_text

ROUND = 200  # examples that Hypothesis makes in one go
ENCODINGS = (
    *("utf-8", "utf-16", "utf-16-be", "utf-32", "cp949", "euc-kr", "johab", "iso2022_kr"),
    *("ascii", "latin-1", "cp1252", "shift_jis", "gb18030", "big5", "koi8-r", "hz", "utf-8-sig"),
)
CHARACTERS = (
    st.sampled_from("가각갛힣ㄱㅏㆍ한글 \n\r\t.,“”…「漢善鿕abz019~▁▅")
    | st.sampled_from("\u1100\u1112\u115f\u1160\u1161\u119e\u11a8\u11ff\ua960\ud7b0\ud7fb\u302e")
    | st.sampled_from(
        "\0\x07\x1b\x7f\x85\xad\u061c\u200b\u200d\u202e\u2028\u2029\u2066\ufeff\ufffd"
    )
    | st.sampled_from("\u0301\u20dd\ufe0f\u034f\u0903🙂👍\U0001f3fd\U0001f1f0\U00020000\U0010ffff")
    | st.characters(exclude_categories=("Cs",))
)
TEXTS = st.text(CHARACTERS, max_size=60) | st.text(CHARACTERS, max_size=12).map(lambda t: t * 9)
ANYTHING = TEXTS | st.lists(st.integers(0, 0x10FFFF).map(chr), max_size=20).map("".join)
BYTES = st.binary(max_size=120) | st.builds(
    lambda text, encoding: text.encode(encoding, "ignore"), TEXTS, st.sampled_from(ENCODINGS)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
CUTS = st.lists(st.integers(0, 600), max_size=6)
SHAPE = ModelShape(257, 3, 4, 1, "gru")


def main() -> None:
    """Run the targets in turn until the time is spent; a line for each."""
    from machine import heading  # noqa: PLC0415  tests load this file from elsewhere

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="of CPU time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--guided", action="store_true", help="one target, led by coverage")
    options = parser.parse_args()
    print(heading(), flush=True)
    if options.guided:
        guide(options.only[0], round(60 * options.minutes))
    print(f"\n{'target':<12}{'examples':>10}{'CPU s':>8}")
    share = 60 * options.minutes / len(options.only)
    sound = [try_target(name, share, options.seed) for name in options.only]
    sys.exit(not all(sound))


def guide(name: str, seconds: int) -> None:
    """Try one target on what reaches code that nothing has reached before; never returns."""
    import atheris  # noqa: PLC0415  nothing else needs it, and it is not among the tools

    for function in set(_functions()):
        atheris.instrument_func(function)
    test = settings(database=None, deadline=None)(given(**TARGETS[name].drawn)(TARGETS[name].holds))
    limits = [f"-max_total_time={seconds}", "-max_len=2048", "-len_control=0", "-rss_limit_mb=4096"]
    atheris.Setup([sys.argv[0], *limits], test.hypothesis.fuzz_one_input)
    atheris.Fuzz()


def _functions() -> Iterator[FunctionType]:
    """Every function and method of charnn that has been imported."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "charnn":
            classes = [item for item in vars(module).values() if isinstance(item, type)]
            for holder in (module, *classes):
                for item in vars(holder).values():
                    found = getattr(item, "__func__", item)
                    if isinstance(found, FunctionType) and found.__module__.startswith("charnn"):
                        yield found


def try_target(name: str, share: float, first: int) -> bool:
    """Try one target for so many seconds of CPU time; whether nothing was found."""
    number, spent, rounds, sound = 0, 0.0, 0, True
    while spent < share and sound:
        began = _cpu_seconds()
        try:
            number += run_target(name, ROUND, first * 1_000_000 + rounds)
        except Exception as error:
            notes = getattr(error, "__notes__", [])
            print(f"{name}: {type(error).__name__}: {error}", *notes, sep="\n")
            sound = False
        spent, rounds = spent + _cpu_seconds() - began, rounds + 1
    print(f"{name:<12}{number:>10,}{spent:>8.1f}", flush=True)
    return sound


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


def run_target(name: str, examples: int, number: int) -> int:
    """Try one target on so many examples; how many it came to.

    Args:
        name: one of TARGETS.
        examples: the most to make.
        number: the seed of the choice.

    Raises:
        Exception: what an example brought about.
    """
    target, count = TARGETS[name], 0
    options = settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        phases=[phase for phase in Phase if phase is not Phase.explain],
    )

    def call(**drawn: Any) -> None:
        nonlocal count
        count += 1
        target.holds(**drawn)

    seed(number)(options(given(**target.drawn)(call)))()
    return count


@dataclass(frozen=True)
class Target:
    """A property and what it is tried on."""

    holds: Callable[..., None]
    drawn: Mapping[str, st.SearchStrategy[Any]]


def check(condition: bool, what: str) -> None:
    """Raise if something does not hold."""
    if not condition:
        raise ValueError(what)


def refusal(error: CharnnError) -> None:
    """A refusal is one line for people."""
    check(bool(str(error)) and "\n" not in str(error), f"a refusal of many lines: {error!r}")


def reading(data: bytes, encoding: str, separator: str | None, size: int) -> None:
    """A file of any bytes is a text, the same however it is read, or is refused."""
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write(data)
        file.flush()
        try:
            with open_texts([file.name], encoding=encoding, document_separator=separator) as source:
                survey = source.survey()
                pieces = list(source.pieces())
                small = list(source.pieces(size))
        except TextError as error:
            refusal(error)
            return
    whole, again = ("".join(piece.text for piece in found) for found in (pieces, small))
    check(whole == again, "the text depends on the size of the pieces")
    check((len(whole), len(whole.encode())) == (survey.characters, survey.bytes), "miscounted")
    check("\r" not in whole, "a carriage return is left")
    check(all(len(piece.text) <= size for piece in small), "a piece is too long")


def encodings(data: bytes, encoding: str) -> None:
    """Bytes are decoded as Python does, or refused; their encoding is guessed without an error."""
    try:
        codec = text_encoding(encoding)
        text = "".join(decode_stream(io.BytesIO(data), "x", codec, 7))
        check(text == "".join(decode_stream(io.BytesIO(data), "x", codec)), "blocks matter")
    except CharnnError as error:
        refusal(error)
    try:
        found = detect_encoding(io.BytesIO(data), "x")
        text_encoding(found.encoding)
        if found.first_bad is None:
            data.decode(found.encoding)
    except TextError as error:
        refusal(error)


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    """A text cut into pieces, empty ones among them."""
    places = sorted(min(cut, len(text)) for cut in cuts)
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


def tokenizers(kind: str, learned: str, text: str, cuts: list[int], noise: list[int]) -> None:
    """Every text round-trips, whole or in pieces; every token may come where it does."""
    try:
        tokenizer = train_tokenizer(kind, lambda: pieces_of(learned, cuts))
    except TextError as error:
        refusal(error)
        return
    for written in (text, learned):
        tokens = tokenizer.encode(written)
        check(tokenizer.decode(tokens) == written, "no round trip")
        parts = list(tokenizer.encode_pieces(pieces_of(written, cuts)))
        together = np.concatenate([np.empty(0, tokenizer.dtype), *parts])
        check(np.array_equal(together, tokens), "the tokens depend on how the text comes")
        check(int(tokenizer.token_characters[tokens].sum()) == len(written), "miscounted")
        _write_out(tokenizer, tokens.tolist(), written)
    random = [number % tokenizer.vocab_size for number in noise]
    _write_out(tokenizer, random, tokenizer.decode(random), allowed=False)
    with tempfile.TemporaryDirectory() as folder:
        save_tokenizer(tokenizer, folder)
        check(load_tokenizer(folder).fingerprint == tokenizer.fingerprint, "saved otherwise")


def _write_out(tokenizer: Tokenizer, tokens: list[int], text: str, *, allowed: bool = True) -> None:
    decoder = tokenizer.decoder()
    shown = ""
    for token in tokens:
        mask = tokenizer.allowed(decoder.state)
        check(bool(mask[token]) or not allowed, f"token {token} is not allowed where it stands")
        check(bool(mask.any()), "nothing may come next")
        shown += decoder.push(token)
        check(text.startswith(shown), "what was shown is not taken back")
    check(shown + decoder.finish() == text, "another text token by token")


def saved_tokenizer(kind: str, learned: str, name: str, place: int, change: bytes) -> None:
    """A tokenizer whose files were altered works, or is refused."""
    try:
        tokenizer = train_tokenizer(kind, lambda: [learned])
    except TextError:
        return
    with tempfile.TemporaryDirectory() as folder:
        save_tokenizer(tokenizer, folder)
        path = Path(folder) / name
        if path.exists():
            data = path.read_bytes()
            at = place % (len(data) + 1)
            path.write_bytes(data[:at] + change + data[at + len(change) :])
        try:
            found = load_tokenizer(folder)
        except CharnnError as error:
            refusal(error)
            return
    check(found.decode(found.encode(learned)) == learned, "no round trip after an alteration")


def batches(tokens: list[int], rows: int, window: int, step: int) -> None:
    """Every window follows from its number; every token is read once an epoch."""
    array = np.array(tokens, dtype=np.uint16)
    try:
        made = Batches(array, rows, window)
    except TextError as error:
        refusal(error)
        return
    epoch = [made.window(number) for number in range(made.windows_per_epoch)]
    targets = np.concatenate([found.targets for found in epoch]).T.ravel()
    check(np.array_equal(targets, array[: len(targets)]), "the rows are not the text")
    check(len(array) - len(targets) < rows, "too much is left out")
    one, other = made.window(step), epoch[step % len(epoch)]
    check(np.array_equal(one.inputs, other.inputs), "a window depends on more than its number")


def display_text(text: str, cuts: list[int]) -> None:
    """What a terminal is shown has no control character, and does not depend on the pieces."""
    shown = safe_text(text)
    check(safe_text(shown) == shown, "safe text is altered")
    kinds = {unicodedata.category(mark) for mark in shown if mark != "\n"}
    check(not kinds & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Me"}, f"unsafe: {kinds}")
    stream = SafeStream()
    parts = [stream.push(part) for part in pieces_of(text, cuts)]
    check("".join(parts) + stream.finish() == shown, "a stream shows something else")
    check(sum(piece.characters for piece in safe_characters(text)) == len(text), "miscounted")
    shown.encode()


def documents(data: bytes, value: Any, place: int, change: bytes) -> None:
    """JSON from anybody is an object or refused; no altered byte of a sealed one passes."""
    try:
        decode_json(data, "x")
    except RunError as error:
        refusal(error)
    for reader in (RunConfig.from_json, Manifest.from_json):
        try:
            reader(value if isinstance(value, dict) else {"step": value}, "x")
        except RunError as error:
            refusal(error)
    try:
        sealed = seal({"value": value})
    except ValueError:  # not a number
        return
    at = place % len(sealed)
    altered = sealed[:at] + change + sealed[at + len(change) :]
    try:
        found = unseal(altered, "x")
    except RunError as error:
        refusal(error)
        return
    check(altered == sealed, f"an alteration passed: {found}")


def nested(config: Any, changes: list[tuple[list[int], Any]]) -> None:
    """A configuration with anything in any place is one that can be, or is refused."""
    data = json.loads(json.dumps(_config().to_json()))
    for path, value in changes:
        place = data
        for number in path:
            keys = list(place)
            if not keys:
                break
            key = keys[number % len(keys)]
            if not isinstance(place[key], dict):
                place[key] = value
                break
            place = place[key]
        else:
            place[str(config)[:9]] = value
    try:
        found = RunConfig.from_json(data, "x")
    except RunError as error:
        refusal(error)
        return
    found.to_json()


def _config() -> RunConfig:
    tokenizer = train_tokenizer("byte", list)
    return RunConfig(
        charnn="0",
        created="",
        corpus={"name": "x"},
        tokenizer={
            "kind": "byte",
            "vocab_size": tokenizer.vocab_size,
            "fingerprint": tokenizer.fingerprint,
        },
        model=SHAPE,
    )


def tensors(data: bytes, header: Any, place: int, change: bytes) -> None:
    """Arrays from anybody are no larger than their file, or are refused."""
    text = json.dumps(header).encode()
    sound = b"".join(encode_tensors({n: np.ones(s, "f4") for n, s in weight_shapes(SHAPE).items()}))
    at = place % len(sound)
    for file in (
        data,
        len(text).to_bytes(8, "little") + text + data,
        sound[:at] + change + sound[at + len(change) :],
        sound[:at],
    ):
        for reader in (decode_tensors, lambda bad, where: decode_weights(bad, SHAPE, where)):
            try:
                arrays = reader(file, "x")
            except RunError as error:
                refusal(error)
                continue
            check(sum(array.nbytes for array in arrays.values()) <= len(file), "made of nothing")


def journals(data: bytes, records: list[Record], cut: int) -> None:
    """Lines come back as they were written, torn ones not at all, others are refused."""
    lines = [encode_line(record) for record in records]
    for record, line in zip(records, lines, strict=True):
        check(repr(decode_line(line, "x")) == repr(record), "another record")
    whole = b"".join(lines)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.jsonl"
        path.write_bytes(whole[: min(cut, len(whole))])
        ends = [line.end for line in read_journal(path)]
        check(len(ends) == whole[: min(cut, len(whole))].count(b"\n"), "a line is lost")
        path.write_bytes(data + b"\n" + whole)
        try:
            for line in read_journal(path):
                encode_line(line.record)
        except RunError as error:
            refusal(error)


def archive(place: int, change: bytes, cut: int, noise: bytes) -> None:
    """A run in one file that was altered is read with the same content, or is refused."""
    sound = _exported()
    at = place % len(sound)
    altered = sound[:at] + change + sound[at + len(change) :]
    for data in (altered, sound[: cut % len(sound)], noise, noise + sound[-60:], sound + noise):
        try:
            read_directory(io.BytesIO(data), "x")  # type: ignore[arg-type]
        except RunError as error:
            refusal(error)
        if data is not altered:
            continue
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            found = is_noticed(Run(Path(file.name)))
        check(found != (data == sound), "an alteration passed, or a sound run was refused")


def is_noticed(run: Run) -> bool:
    """Whether a check or a reader of all there is has something to say."""
    try:
        noticed = any(finding.problem for finding in check_run(run))
        for name in JOURNALS:
            list(run.records(name))
        run.tokenizer()
        run.chosen().weights(run.config().model)
    except CharnnError as error:
        refusal(error)
        return True
    return noticed


def run_folder(file: int, place: int, change: bytes, cut: bool) -> None:
    """A run folder with one file altered is read with the same content, or is refused."""
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        run = _make_run(Path(folder))
        files = sorted(path for path in run.path.rglob("*") if path.is_file())
        path = files[file % len(files)]
        data = path.read_bytes()
        at = place % (len(data) + 1)
        altered = data[:at] if cut else data[:at] + change + data[at + len(change) :]
        path.write_bytes(altered)
        found = is_noticed(run)
        grown = path.name in JOURNALS and altered.startswith(data)  # as if training went on
        if altered == data or not grown:
            check(found != (altered == data), "an alteration passed, or a sound run was refused")


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _make_run(folder: Path) -> Run:
    tokenizer = train_tokenizer("byte", list)
    run = create_run(folder, "novel", _config(), tokenizer)
    with Journals(run.path, {}) as journal:
        journal.append(StepRecord(1, 0.5, 2.5, 3.5, 1e-3, 0.5, 1e5, 1.0, None, 9))
        journal.append(Sample(1, 0.8, "가", (("무", 2.5),), 7, 2.0))
        marks = journal.marks()
    weights = {name: np.ones(size, np.float32) for name, size in weight_shapes(SHAPE).items()}
    files: dict[str, dict[str, Any]] = {"weights.safetensors": weights}
    bound = bind_run_files(run.path)
    shared: dict[str, Any] = {"run_files": bound, "journals": marks, "scores": {}}
    save_checkpoint(run.path, "best", files, step=1, **shared)
    files |= {"trainer.safetensors": {"a": np.ones(9)}, "trainer.json": {"step": 1}}
    save_checkpoint(run.path, "last", files, step=1, **shared)
    return run


_made: list[bytes] = []


def _exported() -> bytes:
    """A run in one file, made once."""
    if not _made:
        with tempfile.TemporaryDirectory(dir=_memory()) as folder:
            export_run(_make_run(Path(folder)), Path(folder) / "x")
            _made.append((Path(folder) / "x").read_bytes())
    return _made[0]


NUMBERS = st.floats() | st.integers(-(2**60), 2**60).map(float)
RECORDS = st.builds(
    StepRecord,
    *(st.integers(-(2**60), 2**60), NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    *(NUMBERS, st.none() | NUMBERS, st.integers(0, 2**60)),
) | st.builds(Event, st.sampled_from(EVENT_KINDS), st.integers(0, 9), ANYTHING, NUMBERS)
PLACE, CHANGE = st.integers(0, 1 << 16), st.binary(min_size=1, max_size=4)
KINDS = st.sampled_from(list(TOKENIZERS))
TARGETS = {
    "reading": Target(
        reading,
        {
            "data": BYTES,
            "encoding": st.sampled_from(ENCODINGS),
            "separator": st.none() | st.text(CHARACTERS, min_size=1, max_size=3),
            "size": st.integers(1, 20),
        },
    ),
    "encodings": Target(encodings, {"data": BYTES, "encoding": st.sampled_from(ENCODINGS)}),
    "tokenizers": Target(
        tokenizers,
        {
            "kind": KINDS,
            "learned": TEXTS,
            "text": TEXTS,
            "cuts": CUTS,
            "noise": st.lists(st.integers(0, 1 << 16), max_size=30),
        },
    ),
    "tokenizer": Target(
        saved_tokenizer,
        {
            "kind": KINDS,
            "learned": TEXTS,
            "name": st.sampled_from(["tokenizer.json", "subword.model"]),
            "place": PLACE,
            "change": CHANGE,
        },
    ),
    "batches": Target(
        batches,
        {
            "tokens": st.lists(st.integers(0, 65535), max_size=80),
            "rows": st.integers(1, 9),
            "window": st.integers(1, 30),
            "step": st.integers(0, 1 << 40),
        },
    ),
    "display": Target(display_text, {"text": ANYTHING, "cuts": CUTS}),
    "documents": Target(
        documents, {"data": BYTES, "value": JSON, "place": PLACE, "change": CHANGE}
    ),
    "config": Target(
        nested,
        {
            "config": st.text(max_size=9),
            "changes": st.lists(st.tuples(st.lists(st.integers(0, 9), max_size=3), JSON)),
        },
    ),
    "tensors": Target(tensors, {"data": BYTES, "header": JSON, "place": PLACE, "change": CHANGE}),
    "journals": Target(
        journals,
        {"data": BYTES, "records": st.lists(RECORDS, max_size=4), "cut": st.integers(0, 2000)},
    ),
    "archive": Target(
        archive, {"place": PLACE, "change": CHANGE, "cut": PLACE, "noise": st.binary(max_size=80)}
    ),
    "folder": Target(
        run_folder,
        {"file": st.integers(0, 99), "place": PLACE, "change": CHANGE, "cut": st.booleans()},
    ),
}


if __name__ == "__main__":
    main()
