"""A text that is edited, moved or deleted between stop and resume is noticed."""

import os
from pathlib import Path

import pytest

import charnn
from charnn.errors import TextError
from charnn.records import Control, Event, Preparing, StepRecord
from charnn.runs.run import Run
from charnn.training.changed import looks_of


class StopAtOnce(Control):
    def __call__(self, record):
        if isinstance(record, StepRecord):
            self.stop()


@pytest.fixture
def stopped(text, checkpoints):
    """A run that was stopped after its first step."""

    def stopped(texts=text, **options):
        control = StopAtOnce()
        sizes = {"steps": 4, "hidden": 8, "batch_size": 2, "seq_len": 8, "sample_length": 4}
        charnn.train(
            texts,
            run="stopped",
            checkpoints=checkpoints,
            threads=1,
            control=control,
            on_record=control,
            no_ngram=True,
            **sizes,
            **options,
        )
        return Run(checkpoints / "stopped")

    return stopped


@pytest.fixture
def go_on(checkpoints):
    """Resumes it: what was warned of, and whether the text was read."""

    def go_on(**options):
        records = []
        charnn.resume("stopped", checkpoints=checkpoints, on_record=records.append, **options)
        assert records[-1].reason == "done"
        warned = [r.message for r in records if isinstance(r, Event) and r.kind == "warning"]
        return warned, any(isinstance(record, Preparing) for record in records)

    return go_on


def test_a_text_that_is_as_it_was_is_not_even_read(stopped, go_on):
    stopped()
    assert go_on() == ([], False)


def test_a_text_that_was_only_touched_is_the_same(stopped, go_on, text):
    stopped()
    os.utime(text, ns=(1, 1))
    assert go_on() == ([], True)


def test_an_edited_text_is_noticed_and_the_old_tokens_go_on(stopped, go_on, text, story):
    stopped()
    text.write_text(story + "그리고 끝났다.", encoding="utf-8")
    assert go_on()[0] == [
        f"the text has changed since this run was begun, from {len(story):,} to {len(story) + 8:,} "
        "characters: going on with the tokens that are kept of it as it was; to learn the new one "
        "start a new run"
    ]


def test_an_edit_that_keeps_the_length_is_noticed_too(stopped, go_on, text, story):
    stopped()
    text.write_text(story.replace("가", "거"), encoding="utf-8")
    os.utime(text, ns=(1, 1))
    assert len(go_on()[0]) == 1


def test_a_deleted_text_is_noticed(stopped, go_on, text):
    stopped()
    text.unlink()
    assert go_on()[0] == [
        f"the text of this run cannot be read any more ({text} does not exist): going on with the "
        "tokens that are kept of it"
    ]


def test_a_text_that_became_something_else_is_noticed(stopped, go_on, text):
    stopped()
    text.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    (message,) = go_on()[0]
    assert message.startswith("the text of this run cannot be read any more (")


def test_a_moved_text_that_is_named_is_no_matter(stopped, go_on, text):
    stopped()
    moved = text.rename(text.with_name("moved.txt"))
    assert go_on(text=moved) == ([], True)


def test_another_text_in_its_place_is_refused(stopped, go_on, text, checkpoints):
    stopped()
    other = text.with_name("other.txt")
    other.write_text("다른 글이다. " * 50, encoding="utf-8")
    with pytest.raises(TextError) as error:
        go_on(text=other)
    assert str(error.value) == (
        f"{other} is not the text of run stopped: leave --text out to go on with the tokens that "
        "are kept of it, or start a new run on the other text"
    )
    assert Run(checkpoints / "stopped").last().step == 1


def test_a_new_file_in_a_folder_is_noticed(stopped, go_on, tmp_path, story):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text(story, encoding="utf-8")
    stopped(folder)
    (folder / "b.txt").write_text("새 글", encoding="utf-8")
    assert go_on()[0][0].startswith("the text has changed since this run was begun, from ")


def test_the_old_encoding_and_separator_are_used(stopped, go_on, text, story):
    plain = story.encode("cp949", "ignore")
    text.write_bytes(plain)
    stopped(encoding="cp949", document_separator="\n\n")
    os.utime(text, ns=(1, 1))
    assert go_on() == ([], True)


def test_pipes_are_not_waited_for(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs named pipes")
    os.mkfifo(tmp_path / "pipe")
    assert looks_of([str(tmp_path / "pipe")]) is None


def test_the_looks_of_a_text_are_its_names_sizes_and_times(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("글", encoding="utf-8")
    os.utime(path, ns=(5, 5))
    first = looks_of([str(path)])
    assert looks_of([str(path)]) == first
    os.utime(path, ns=(6, 6))
    assert looks_of([str(path)]) != first
    os.utime(path, ns=(5, 5))
    assert looks_of([str(Path(path).rename(tmp_path / "b.txt"))]) != first
