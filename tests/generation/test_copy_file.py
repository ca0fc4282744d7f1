"""The index of copies in a run's folder: kept, found, made again, refused."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

import charnn
from charnn.corpus.preparing import prepare_stream
from charnn.errors import OptionError, RunDamagedError, RunError
from charnn.generation import copy_file
from charnn.generation.copies import CopyIndex, index_tokens
from charnn.generation.copy_file import (
    COPIES,
    copies_arrays,
    copies_of,
    load_copies,
    waits_for_copies,
)
from charnn.records import Preparing
from charnn.runs import storage
from charnn.runs.layout import belongs, is_leftover
from charnn.runs.tensors import encode_tensors
from charnn.text.reading import open_texts

TEXT = "형식은 아모 말도 업시 先生을 보았다. 영채는 울었다.\n" * 20


@pytest.fixture
def stream(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    with open_texts((str(tmp_path / "text.txt"),)) as source:
        return prepare_stream(source, tmp_path / ".streams", kind="jamo")[0]


@pytest.fixture
def run(tmp_path, stream):
    corpus = {"sha256": stream.text_sha256, "stream": stream.key}
    (tmp_path / "novel").mkdir()
    config = SimpleNamespace(corpus=corpus, begun_from=None)
    return SimpleNamespace(name="novel", path=tmp_path / "novel", config=lambda: config)


def keep(run, copies, sha256):
    arrays = copies_arrays(copies, sha256)
    (run.path / COPIES).write_bytes(b"".join(encode_tensors(arrays)))


def same(left, right):
    return len(left.tables) == len(right.tables) and all(
        map(np.array_equal, left.tables, right.tables)
    )


def test_what_is_kept_is_found(run, stream):
    copies, note = copies_of(stream)
    assert note is None
    keep(run, copies, stream.text_sha256)
    assert same(load_copies(run), copies)


def test_the_training_part_alone_counts(stream):
    train = TEXT[: stream.parts["train"].characters]
    (table,) = copies_of(stream)[0].tables
    tokens = stream.tokenizer.encode(train)
    assert np.array_equal(table, index_tokens(tokens, stream.tokenizer, len(train)))


def test_without_a_file_it_is_made_of_the_tokens(run, stream):
    assert same(load_copies(run), copies_of(stream)[0])


def test_without_file_and_tokens_it_is_said(run, stream):
    (stream.folder / "stream.json").unlink()
    with pytest.raises(OptionError) as error:
        load_copies(run)
    assert str(error.value) == (
        "max_copy needs to know the training text, and run novel has neither copies.safetensors "
        "nor its tokens any more: leave max_copy out, or train again"
    )


def test_the_text_of_the_run_before_counts_too(run, stream):
    earlier = CopyIndex([np.full(8, 255, np.uint8), np.full(16, 1, np.uint8)])
    keep(run, earlier, stream.text_sha256)
    copies, note = copies_of(stream, run)
    assert note is None
    assert same(copies, CopyIndex([copies.tables[0], *earlier.tables]))
    (run.path / COPIES).unlink()
    (stream.folder / "stream.json").unlink()
    copies, note = copies_of(stream, run)
    assert len(copies.tables) == 1
    assert note == "max-copy will not know what run novel was trained on: it has no index"


def test_an_index_that_knew_an_earlier_text_is_not_made_again_without_it(run, stream):
    run.config().begun_from = "first"
    assert not waits_for_copies(run)
    with pytest.raises(OptionError) as error:
        load_copies(run)
    assert str(error.value) == (
        "max_copy needs to know all that run novel has learned from: copies.safetensors is gone, "
        "which knew what run first was trained on: leave max_copy out"
    )


def test_a_text_that_an_index_lacks_is_told_of_again(run, stream):
    own = copies_of(stream)[0]
    keep(run, own, stream.text_sha256)
    run.config().begun_from = "first"  # which had no index
    copies, note = copies_of(stream, run)
    assert same(copies, CopyIndex([*own.tables, *own.tables]))
    assert note == ("max-copy will not know what the run was trained on that novel was begun from")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"table.0": np.ones(8, np.uint8)}, "was altered: restore it from a copy, or delete it"),
        (
            {"text": np.zeros(32, np.uint8)},
            "belongs to another run: restore it from a copy, or delete it",
        ),
        ({"more": np.zeros(1)}, "is damaged: it is no index of copies; delete it"),
        ({"table.0": np.ones(8)}, "is damaged: it is no index of copies; delete it"),
        ({"table.0": np.ones(0, np.uint8)}, "is damaged: it is no index of copies; delete it"),
    ],
)
def test_what_is_no_index_of_this_run_is_refused(run, stream, changes, message):
    arrays = copies_arrays(copies_of(stream)[0], stream.text_sha256) | changes
    (run.path / COPIES).write_bytes(b"".join(encode_tensors(arrays)))
    with pytest.raises(RunDamagedError) as error:
        load_copies(run)
    assert str(error.value) == f"{run.path / COPIES} {message}"


def test_any_flipped_bit_of_the_tables_is_noticed(run, stream):
    keep(run, copies_of(stream)[0], stream.text_sha256)
    path = run.path / COPIES
    data = bytearray(path.read_bytes())
    for at in range(len(data) - 1, len(data) - 200, -17):
        data[at] ^= 4
        path.write_bytes(data)
        with pytest.raises(RunDamagedError):
            load_copies(run)
        data[at] ^= 4


def test_a_file_without_an_end_is_refused(run, stream):
    keep(run, copies_of(stream)[0], stream.text_sha256)
    path = run.path / COPIES
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(RunDamagedError):
        load_copies(run)


def test_a_trained_run_knows_its_text(written):
    assert (written / COPIES).is_file()
    model = charnn.load(written)
    training = (written.parents[1] / "story.txt").read_text("utf-8")[:2700]
    prompt = training[100:130]
    text = model.generate(prompt, max_copy=10, length=300, seed=1)
    assert len(text) == 300
    whole = prompt + text
    assert not any(whole[end - 11 : end] in training for end in range(31, len(whole) + 1))


# -- a text that is too long to be indexed when training begins ----------------------------------


@pytest.fixture
def long_text(monkeypatch):
    monkeypatch.setattr(copy_file, "INDEXED_AT_ONCE", 100)


@pytest.mark.usefixtures("long_text")
def test_a_long_text_is_indexed_when_somebody_asks(run, stream):
    assert copies_of(stream) == (None, None)
    assert waits_for_copies(run)
    told = []
    made = load_copies(run, told.append)
    tokens = len(stream.part("train"))
    assert told[-1] == Preparing("indexing the text for --max-copy", tokens, tokens, "tokens")
    assert (run.path / COPIES).is_file()
    assert not waits_for_copies(run)
    (stream.folder / "stream.json").unlink()
    assert same(load_copies(run), made)
    train = TEXT[: stream.parts["train"].characters]
    table = index_tokens(stream.tokenizer.encode(train), stream.tokenizer, len(train))
    assert same(made, CopyIndex([table]))


def test_a_folder_that_cannot_be_written_still_has_an_index(run, stream, monkeypatch):
    def refuse(path, data, **how):
        raise RunError("read-only")

    monkeypatch.setattr(copy_file, "replace_file", refuse)
    assert same(load_copies(run), copies_of(stream)[0])
    assert not (run.path / COPIES).exists()


@pytest.mark.usefixtures("long_text")
def test_a_run_begun_from_another_takes_its_text_along_at_once(run, stream):
    copies, note = copies_of(stream, run)
    assert note is None
    assert len(copies.tables) == 2
    assert (run.path / COPIES).is_file()  # made for it, and kept


def test_without_tokens_nobody_waits(run, stream, monkeypatch):
    corpus = {"sha256": stream.text_sha256, "stream": "../../etc"}
    monkeypatch.setattr(run, "config", lambda: SimpleNamespace(corpus=corpus, begun_from=None))
    assert not waits_for_copies(run)


def test_two_processes_that_keep_it_at_once_do_not_meet(run, stream, monkeypatch):
    """The other one writes, under a name of its own, while this one does."""
    real, others = storage.write_file, []

    def write_file(path, parts):
        others.append(path)
        if len(others) == 1:
            monkeypatch.setattr(os, "getpid", lambda: 1)
            load_copies(run)
            monkeypatch.undo()
        return real(path, parts)

    monkeypatch.setattr(storage, "write_file", write_file)
    assert same(load_copies(run), copies_of(stream)[0])
    assert len({path.name for path in others}) == 2
    assert all(belongs(path.name) and is_leftover(path.name) for path in others)
    assert [path.name for path in run.path.iterdir()] == [COPIES]
    assert same(load_copies(run), copies_of(stream)[0])
