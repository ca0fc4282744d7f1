"""What is said after a run."""

from dataclasses import replace

import pytest

from charnn.records import Event, Finished, RunStarted, Sample
from charnn.view.report import Report


def reported(records):
    report = Report()
    for record in records:
        report = report.update(record)
    return report


def finished(reason="done", **changes):
    record = Finished(6000, reason, 3.61, 3.605, 5400, 300.0, "checkpoints/story")
    return replace(record, **changes)


def test_a_finished_run(training):
    lines = reported(training()).lines(60)
    assert lines[:5] == [
        "story: finished at step 6,000 after 5:00",
        "  validation   3.610 bits per character (best 3.605 at step 5,400)",
        "  run          checkpoints/story",
        "  write        charnn generate -m story --temp 1.0",
        "  last sample  step 6,000, temperature 1.0",
    ]
    assert lines[5].startswith("  저녁에 비가")
    assert len(lines) == 5 + 8 + 1 and lines[-1] == "  …"


def test_a_stopped_run_says_how_to_go_on(training):
    lines = reported([*training(1000), finished("stopped", step=1000)]).lines(with_sample=False)
    assert lines[0] == "story: stopped at step 1,000 of 6,000 after 5:00"
    assert "  go on        charnn train --resume story" in lines
    assert not any("sample" in line for line in lines)


@pytest.mark.parametrize(
    ("reason", "said", "resumable"),
    [("training", "still training", False), ("broken off", "broken off", True)],
)
def test_a_run_that_was_watched_before_its_end(training, reason, said, resumable):
    lines = reported([*training(1000), finished(reason, step=1000)]).lines(with_sample=False)
    assert lines[0] == f"story: {said} at step 1,000 of 6,000 after 5:00"
    assert ("  go on        charnn train --resume story" in lines) is resumable


@pytest.mark.parametrize("kind", [RunStarted, Event])
def test_the_end_of_a_session_before_is_not_that_of_this_one(training, kind):
    records = [*training(1000), finished("stopped", step=1000)]
    started = next(record for record in records if isinstance(record, RunStarted))
    begins = started if kind is RunStarted else Event("resumed", 1000, "going on", 50.0)
    assert reported([*records, begins]).lines() == []
    assert reported([*records, Event("warning", 1000, "late", 50.0)]).lines() != []


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/data/my runs/story", "'/data/my runs/story'"),
        ("/data/무정", "/data/무정"),
        ("checkpoints/story", "story"),
    ],
)
def test_a_run_is_named_so_that_the_command_finds_it(training, path, named):
    lines = reported([*training(100), finished(path=path)]).lines(with_sample=False)
    assert f"  write        charnn generate -m {named} --temp 1.0" in lines


def test_without_validation_nothing_is_made_up():
    lines = reported([finished(bits_per_char=None, best_step=None)]).lines()
    assert not any("validation" in line for line in lines)
    assert lines[0].startswith("story: finished at step 6,000")


def test_before_the_end_there_is_nothing_to_say(training):
    assert reported(training(1000)).lines() == []


def test_names_and_samples_are_safe(shown):
    sample = Sample(1, 0.8, "\x1b[2J", (("\u202e\n", 1.0),), 1, 0.0)
    lines = reported([sample, finished(path="a\nb\x07")]).lines(40)
    assert all(shown(line) for line in lines)


def test_plateau_is_explained(training):
    lines = reported([*training(3000), finished("plateau", step=3000)]).lines()
    assert "finished early, validation had stopped improving" in lines[0]
