"""Which view is chosen where."""

import io

import pytest

from charnn.errors import OptionError
from charnn.records import Control
from charnn.view.base import NoView
from charnn.view.live import LiveView
from charnn.view.plain import PlainView
from charnn.view.terminal_lines import TerminalLines
from charnn.view.views import make_view

XTERM = {"TERM": "xterm-256color"}


@pytest.mark.parametrize(
    ("ui", "environ", "expected"),
    [
        ("auto", XTERM, LiveView),
        ("live", XTERM, LiveView),
        ("plain", XTERM, TerminalLines),
        ("none", XTERM, NoView),
        ("auto", {}, TerminalLines),
        ("auto", {"TERM": "dumb"}, TerminalLines),
        ("live", {"TERM": "dumb"}, TerminalLines),
        ("auto", {**XTERM, "CI": "true"}, TerminalLines),
        ("auto", {**XTERM, "CI": "false"}, LiveView),
        ("live", {**XTERM, "CI": "true"}, LiveView),
    ],
)
def test_on_a_terminal(make_pty, ui, environ, expected):
    with make_view(ui, Control(), stream=make_pty().out, environ=environ) as view:
        assert type(view) is expected


@pytest.mark.parametrize(("ui", "expected"), [
    ("auto", PlainView), ("live", PlainView), ("plain", PlainView), ("none", NoView),
])  # fmt: skip
def test_elsewhere(tmp_path, ui, expected):
    assert type(make_view(ui, Control(), stream=io.StringIO(), environ=XTERM)) is expected
    with (tmp_path / "log").open("w", encoding="utf-8") as stream:
        assert type(make_view(ui, Control(), stream=stream, environ=XTERM)) is expected


def test_a_job_in_the_background_gets_plain_lines(make_pty, monkeypatch):
    monkeypatch.setattr("charnn.view.terminal.in_foreground", lambda descriptor: False)
    with make_view("auto", Control(), stream=make_pty().out, environ=XTERM) as view:
        assert type(view) is TerminalLines


def test_an_unknown_ui_is_refused():
    with pytest.raises(
        OptionError, match=r"^ui must be one of auto, live, plain, none, got 'web'$"
    ):
        make_view("web", Control())


def test_nothing_is_shown_where_nothing_is_wanted(capsys, training):
    with make_view("none", Control()) as view:
        for record in training():
            view.show(record)
    assert capsys.readouterr() == ("", "")


def test_plain_lines_on_a_terminal_come_from_a_thread(make_pty, training, monkeypatch):
    monkeypatch.setattr("charnn.view.terminal_lines._JOIN_SECONDS", 60.0)  # on a busy machine
    pseudo = make_pty(80, 24)
    with make_view("plain", Control(), stream=pseudo.out, environ=XTERM) as view:
        for record in training():
            view.show(record)
    view.close()
    text = pseudo.wait_for(lambda received: "write        charnn generate" in received)
    assert "\x1b[2m   0:30\x1b[0m  checkpoint saved at step 600" in text


def test_too_many_steps_take_no_place_from_the_rest(make_pty, training, monkeypatch):
    monkeypatch.setattr("charnn.view.terminal_lines._RECORDS_KEPT", 50)
    pseudo = make_pty(read=False)
    pseudo.fill()
    with make_view(
        "plain", Control(), stream=pseudo.out, environ={**XTERM, "NO_COLOR": "1"}
    ) as view:
        for record in training():
            view.show(record)
        pseudo.start_reading()
        text = pseudo.wait_for(lambda received: "write        charnn generate" in received)
        assert not view.gone
    assert "    run  story in checkpoints/story" in text
    assert text.count("in validation") == 21
    assert text.count("sample at step") == 48
    assert text.count("checkpoint saved") == 10


def test_plain_lines_without_colour(make_pty, training):
    pseudo = make_pty()
    environ = {**XTERM, "NO_COLOR": "1"}
    with make_view("plain", Control(), stream=pseudo.out, environ=environ) as view:
        view.show(training(20)[1])
    assert "\x1b" not in pseudo.wait_for(lambda received: "seed 1" in received)


def test_plain_lines_wait_for_nobody(make_pty, training, monkeypatch):
    monkeypatch.setattr("charnn.view.terminal_lines._JOIN_SECONDS", 0.1)
    pseudo = make_pty(read=False)
    pseudo.fill()
    with make_view("plain", Control(), stream=pseudo.out, environ=XTERM) as view:
        for record in training():
            view.show(record)
    pseudo.start_reading()
