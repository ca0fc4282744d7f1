"""Keys: what they ask of the control, and that the keyboard is left as it was found."""

import io
import threading

import pytest

from charnn.records import Control
from charnn.view.keys import LENGTHS, TEMPERATURES, Keys


@pytest.fixture
def control():
    return Control()


def keys_of(control, keyboard=None, **options):
    return Keys(control, keyboard or io.StringIO(), on_key=lambda: None, **options)


def test_stopping_pausing_and_sampling(control):
    keys = keys_of(control)
    assert keys.press("p") and control.paused
    assert keys.press(" ") and not control.paused
    assert keys.press("S") and control.take_sample_request()
    assert keys.press("q") and control.stopping


def test_temperatures_go_round(control):
    keys = keys_of(control)
    seen = []
    for _ in TEMPERATURES:
        keys.press("t")
        seen.append(control.temperature)
    assert sorted(seen) == list(TEMPERATURES)
    control.temperature = 0.85
    keys.press("t")
    assert control.temperature == 0.9


def test_lengths_stay_between_the_least_and_the_most(control):
    keys = keys_of(control)
    for key, end in (("+", LENGTHS[-1]), ("-", LENGTHS[0])):
        for _ in range(20):
            assert keys.press(key)
        assert control.sample_length == end
    assert keys.press("=") and control.sample_length == LENGTHS[1]
    assert keys.press("_") and control.sample_length == LENGTHS[0]


def test_a_korean_layout_reaches_the_same_keys(control):
    keys = keys_of(control)
    assert keys.press("ㅔ") and control.paused
    assert keys.press("ㄴ") and control.take_sample_request()
    assert keys.press("ㅅ") and control.temperature == 0.9
    assert keys.press("ㅂ") and control.stopping


def test_help_and_redrawing_are_for_the_view(control):
    keys = keys_of(control)
    assert keys.press("?") and keys.help_open
    assert keys.press("h") and not keys.help_open
    assert not keys.take_redraw_request()
    assert keys.press("\x0c") and keys.take_redraw_request() and not keys.take_redraw_request()


def test_other_keys_mean_nothing(control):
    assert not any(keys_of(control).press(key) for key in "xyz가\r\n\x00")


def test_a_watcher_cannot_ask_for_samples(control):
    keys = keys_of(control, watching=True)
    assert not any(keys.press(key) for key in "st+-")
    assert not control.take_sample_request()
    assert keys.press("q") and control.stopping


def test_keys_are_read_from_a_terminal_and_it_is_restored(make_pty, control):
    pseudo = make_pty()
    before = pseudo.attributes()
    pressed = threading.Semaphore(0)
    keys = Keys(control, pseudo.out, on_key=pressed.release)
    keys.open()
    assert keys.available
    assert pseudo.attributes() != before
    pseudo.type("\x1b[A\x1bOPx")  # arrows, function keys and strangers do nothing
    pseudo.type("p")
    assert pressed.acquire(timeout=60)
    assert control.paused and not control.stopping
    keys.open()
    keys.close()
    assert pseudo.attributes() == before
    keys.close()
    keys.open()
    pseudo.type("q")
    assert pressed.acquire(timeout=60)
    keys.close()
    assert control.stopping
    assert pseudo.attributes() == before


def test_a_keyboard_that_hangs_up_ends_the_reading(make_pty, control):
    pseudo = make_pty()
    keys = Keys(control, pseudo.out, on_key=lambda: None)
    keys.open()
    pseudo.type("\x04")
    keys.close()


@pytest.mark.parametrize("keyboard", [io.StringIO("q"), None])
def test_without_a_terminal_nothing_is_read(control, keyboard):
    keys = Keys(control, keyboard, on_key=lambda: None)
    keys.open()
    keys.close()
    assert not keys.available and not control.stopping


def test_a_job_in_the_background_reads_nothing(make_pty, control, monkeypatch):
    pseudo = make_pty()
    before = pseudo.attributes()
    monkeypatch.setattr("charnn.view.keys.in_foreground", lambda descriptor: False)
    keys = Keys(control, pseudo.out, on_key=lambda: None)
    keys.open()
    assert pseudo.attributes() == before
    keys.close()
