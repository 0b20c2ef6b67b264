"""The first signal requests a stop; the second interrupts at once."""

import os
import signal
import time

import pytest

from lesionscan.batch.stop import StopSignals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted(number: signal.Signals) -> None:
    """The first signal is announced once and recorded, without an exception."""
    said: list[str] = []
    with StopSignals(lambda: said.append("stopping")) as stop:
        assert not stop.requested()
        os.kill(os.getpid(), number)
        assert stop.requested()
        assert stop.signal_number == number
    assert said == ["stopping"]


def test_the_second_signal_interrupts() -> None:
    """A second signal raises KeyboardInterrupt."""
    with pytest.raises(KeyboardInterrupt), StopSignals(lambda: None):  # noqa: PT012
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.6)
        os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_handed_on_twice_is_one() -> None:
    """Two signals in quick succession count as one.

    A parent program may forward the signal that the terminal sent to both.
    """
    with StopSignals(lambda: None) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested()


def test_after_the_second_signal_there_is_nothing_to_ask_for() -> None:
    """A third signal is ignored, and the old handlers are restored afterwards."""
    before = signal.getsignal(signal.SIGINT)
    with StopSignals(lambda: None):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.6)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_old_handlers_come_back() -> None:
    """The old signal handlers are restored at the end."""
    before = signal.getsignal(signal.SIGINT)
    with StopSignals(lambda: None):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
