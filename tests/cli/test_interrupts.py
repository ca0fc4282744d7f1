"""Signals: the first one asks, the second one does not."""

import signal

import pytest

from charnn.cli.interrupts import Interrupted, ending_signals, interrupts
from charnn.records import Control

SIGNALS = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}


@pytest.mark.parametrize("name", SIGNALS)
def test_before_there_is_anything_to_save_a_signal_ends_at_once(name: str) -> None:
    control = Control()
    with pytest.raises(Interrupted) as caught, interrupts(control):
        signal.raise_signal(getattr(signal, name))
        pytest.fail("the command went on")
    assert caught.value.exit_code == SIGNALS[name]
    assert not control.stopping


@pytest.mark.parametrize("name", SIGNALS)
def test_while_training_it_asks_to_stop_and_ends_the_command_behind(name: str) -> None:
    control, went_on = Control(), False
    with pytest.raises(Interrupted) as caught, interrupts(control) as state:
        state.saving = True
        signal.raise_signal(getattr(signal, name))
        went_on = control.stopping
    assert went_on
    assert caught.value.exit_code == SIGNALS[name]


def test_the_second_signal_does_not_wait() -> None:
    control = Control()
    with pytest.raises(Interrupted) as caught, interrupts(control) as state:
        state.saving = True
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("the command went on")
    assert caught.value.exit_code == 143


def test_the_handlers_of_before_are_put_back() -> None:
    before = [signal.getsignal(getattr(signal, name)) for name in SIGNALS]
    with interrupts(Control()):
        pass
    assert [signal.getsignal(getattr(signal, name)) for name in SIGNALS] == before


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupts(Control()):
            signal.raise_signal(signal.SIGHUP)
        with ending_signals(lambda error: pytest.fail(repr(error))):
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_error_passes_and_a_signal_that_was_heeded_is_not_forgotten() -> None:
    with pytest.raises(ZeroDivisionError), interrupts(Control()):
        raise ZeroDivisionError
