"""Rows as JSON lines and as Markdown."""

import json

import pytest
from rows import append, made_by, markdown, read


def test_rows_come_back_as_they_were_kept(tmp_path):
    path = tmp_path / "rows.jsonl"
    append(path, {"text": "소설", "bits": 3.4})
    append(path, {"text": "b"})
    assert read(path, tmp_path / "none.jsonl") == [{"text": "소설", "bits": 3.4}, {"text": "b"}]


def test_no_path_keeps_nothing():
    append(None, {"text": "a"})


def test_a_line_that_was_cut_short_is_left_out_if_it_is_the_last(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a":', encoding="utf-8")
    assert read(path) == [{"a": 1}]
    path.write_text('{"a":\n{"a": 1}\n', encoding="utf-8")
    with pytest.raises(json.JSONDecodeError):
        read(path)


def test_a_table_has_as_many_bars_in_every_line():
    table = markdown(["text", "a", "b"], [["x", 1, 2.5], ["y", "", "-"]], left=2)
    assert table.splitlines()[1] == "|---|---|---:|"
    assert {line.count("|") for line in table.splitlines()} == {4}


def test_machines_and_commands_are_named_once():
    row = {"made_by": {"machine": "m", "versions": "v", "command": "python x"}}
    assert made_by([row, row, {}]) == "m\nv\n\n    python x"
