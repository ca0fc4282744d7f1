"""The picture of the live view: drawn from journals, aligned on cells, the same every time."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from charnn.records import (
    Finished,
    PlanFixed,
    Record,
    RunStarted,
    Sample,
    StepRecord,
    Validation,
    to_json,
)
from charnn.view.dashboard import render
from charnn.view.keyline import Keyboard

SCRIPT = Path(__file__).parents[1] / "docs" / "picture.py"
PIECES = tuple((character, 2.5) for character in "형식은 <b>&가 영채를 a先生 ‘오늘’ …\n")
STARTED = RunStarted(
    run="tiny", path="checkpoints/tiny", corpus="무정", characters=900, tokenizer="char",
    vocab_size=90, cell="lstm", num_layers=1, hidden_size=8, embedding_size=8, parameters=900,
    device="cpu", precision="fp32", threads=1, seed=1,
)  # fmt: skip
PLAN = PlanFixed(
    total_steps=40, steps_per_epoch=10, batch_size=2, seq_len=8, learning_rate=0.01,
    warmup_steps=2, validate_every=10, sample_every=20, save_every=20, seconds=4.0,
)  # fmt: skip
FINISHED = Finished(40, "done", 4.0, 4.0, 40, 4.0, "checkpoints/tiny")


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("picture", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


picture = _load()
TEXT = f"{{{picture.SVG}}}text"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journals of a run of 40 steps with samples at steps 0, 20 and 40."""
    folder = tmp_path_factory.mktemp("run")
    metrics: list[Record] = [
        StepRecord(step, step / 10, 3.0, 8 - step / 10, 0.01, 0.5, 900.0, step / 10, 1.0, 10**8)
        for step in range(1, 41)
    ]
    metrics.insert(30, Validation(30, 3.0, 5.0, 2.0, 90, 90, True, True, 3.0))
    samples: list[Record] = [
        Sample(step, heat, "그", PIECES * 4, 1, step / 10)
        for step in (0, 20, 40)
        for heat in (0.5, 1)
    ]
    journals: dict[str, list[Record]] = {
        "events": [STARTED, PLAN, FINISHED],
        "metrics": metrics,
        "samples": samples,
    }
    for name, records in journals.items():
        lines = "".join(json.dumps(to_json(record)) + "\n" for record in records)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def svg(run: Path) -> str:
    """The picture of that run at its end."""
    drawn: str = picture.picture(picture.state_at(run), 80, 24, "charnn train")
    return drawn


def _matrix(svg: str) -> list[ElementTree.Element]:
    found = ElementTree.fromstring(svg).find(f".//{{{picture.SVG}}}g[@class='view-matrix']")
    assert found is not None
    return list(found)


def _cells(text: ElementTree.Element) -> tuple[float, float]:
    """The cell a text begins in and the one it ends before."""
    x, content = float(text.get("x", "nan")) / picture.CELL, text.text or ""
    if "wide" in text.get("class", ""):
        return x - 1, x + 1
    assert text.get("lengthAdjust") == "spacingAndGlyphs"
    assert float(text.get("textLength", "nan")) == pytest.approx(cell_len(content) * picture.CELL)
    return x, x + cell_len(content)


def _painted(svg: str) -> list[str]:
    """The lines of a picture, each text painted into the cells it begins in."""
    rows: dict[float, str] = {}
    for text in _matrix(svg):
        y, start = float(text.get("y", "nan")), _cells(text)[0]
        assert start == pytest.approx(round(start), abs=1e-3)
        before = rows.get(y, "")
        gap = round(start) - cell_len(before)
        assert gap >= 0
        rows[y] = before + " " * gap + (text.text or "").replace("\xa0", " ")
    return [rows[y].rstrip() for y in sorted(rows)]


def test_the_picture_has_every_character_on_the_cells_of_the_frame(run: Path, svg: str) -> None:
    frame = render(picture.state_at(run), 80, 24, 1e9, keyboard=Keyboard()).text()
    assert "형식은 <b>&가 영채를 a先生 ‘오늘’ …" in frame
    assert _painted(svg) == [line for line in frame.split("\n") if line]


def test_every_wide_character_stands_alone_in_the_middle_of_its_own_two_cells(svg: str) -> None:
    wide = [text for text in _matrix(svg) if re.search("[가-힣先生]", text.text or "")]
    assert len(wide) > 50
    for text in wide:
        middle = float(text.get("x", "nan")) / picture.CELL
        assert len(text.text or "") == 1
        assert middle == pytest.approx(round(middle), abs=1e-3)
        assert "wide" in text.get("class", "")
        assert text.get("textLength") is None
    assert re.search(r"\.wide \{[^}]*text-anchor: middle;", svg)


def test_the_picture_refers_to_nothing_outside_of_it(svg: str) -> None:
    assert re.findall(r"https?://[^\"']*", svg) == [picture.SVG]
    assert not re.search(r"url\(|@import|@font-face|href", svg)


@settings(max_examples=60)
@given(st.text(st.sampled_from("가힣 學a<&·─⣿…\u0301\U0001f600\U00020000")))
def test_a_text_in_pieces_is_the_text_on_the_same_cells(content: str) -> None:
    text = ElementTree.Element(TEXT, {"x": "126", "y": "20", "class": "view-r1"})
    text.text = content.replace(" ", "\xa0")
    pieces = list(picture._on_cells(text))
    assert "".join(piece.text for piece in pieces).replace("\xa0", "") == content.replace(" ", "")
    end = 10.0
    for piece in pieces:
        start, new_end = _cells(piece)
        assert start >= end - 1e-3
        end = new_end
    assert end <= 10 + cell_len(content) + 1e-3


def test_the_picture_is_the_same_every_time(run: Path, svg: str) -> None:
    assert picture.picture(picture.state_at(run), 80, 24, "charnn train") == svg


def test_an_earlier_step_is_shown_as_it_was_while_training(run: Path) -> None:
    state = picture.state_at(run, 40)
    assert (state.steps_done, state.finished) == (40, None)
    state = picture.state_at(run, 25)
    assert (state.steps_done, state.validation, state.writing.step) == (25, None, 20)


def test_only_a_finished_run_has_its_newest_samples_seen_whole(run: Path, svg: str) -> None:
    live = picture.picture(picture.state_at(run, 40), 80, 24, "charnn train")
    assert "▌" in live
    assert "▌" not in svg


def test_the_command_writes_the_picture(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "view.svg"
    said = CliRunner().invoke(picture.main, [str(run), "--at", "20", "-o", str(target)])
    assert (said.exit_code, said.output) == (0, "")
    assert "step\xa020\xa0of\xa040" in target.read_text("utf-8")


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    said = CliRunner().invoke(picture.main, [str(tmp_path), "-o", str(tmp_path / "view.svg")])
    assert said.exit_code == 1
    assert said.output == f"Error: {tmp_path} holds no run; name a folder that charnn train made\n"
    assert not (tmp_path / "view.svg").exists()
