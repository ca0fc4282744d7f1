"""What commands tell as JSON: exact for programs, safe on a terminal, the same data on both."""

import io
import json
import math

import pytest

from charnn.cli import as_json
from charnn.cli.as_json import json_text, show_json

DATA = {"characters": ["가", "\x1b[2J", "\x9b5m", "\u202e", "\x00", "\n"], "share": 0.5}


class Screen(io.StringIO):
    """A stdout that says whether it is a terminal."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("terminal", [True, False])
def test_it_is_the_same_data_everywhere(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, indent: int | None
) -> None:
    screen = Screen(terminal=terminal)
    monkeypatch.setattr(as_json.sys, "stdout", screen)
    show_json(DATA, indent=indent)
    shown = screen.getvalue()
    assert json.loads(shown) == DATA
    assert "가" in shown
    assert ("\x9b" in shown, "\u202e" in shown) == (not terminal, not terminal)
    assert ("\\u009b" in shown) is terminal
    if not terminal:
        assert shown == json_text(DATA, indent=indent) + "\n"


def test_a_name_that_is_no_utf_8_can_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"path": "무정\udcff.txt"})
    shown = capsys.readouterr().out
    assert shown == '{"path": "무정\\udcff.txt"}\n'
    assert json.loads(shown) == {"path": "무정\udcff.txt"}


def test_a_number_that_is_not_finite_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"bits": math.inf, "more": ({"bits": math.nan}, 1.5)})
    assert json.loads(capsys.readouterr().out) == {"bits": None, "more": [{"bits": None}, 1.5]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text({"bits": math.inf})
