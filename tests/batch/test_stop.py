"""The first signal asks, the second does not wait."""

import os
import signal
import time

import pytest

from lesionscan.batch.stop import StopSignals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted(number: signal.Signals) -> None:
    """A signal is announced once and kept; nothing is raised."""
    said: list[str] = []
    with StopSignals(lambda: said.append("stopping")) as stop:
        assert not stop.requested()
        os.kill(os.getpid(), number)
        assert stop.requested()
        assert stop.signal_number == number
    assert said == ["stopping"]


def test_the_second_signal_interrupts() -> None:
    """Whoever asks twice does not want to wait."""
    with pytest.raises(KeyboardInterrupt), StopSignals(lambda: None):  # noqa: PT012
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.6)
        os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_handed_on_twice_is_one() -> None:
    """A program that started this one sends on what the terminal has sent to both."""
    with StopSignals(lambda: None) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested()


def test_after_the_second_signal_there_is_nothing_to_ask_for() -> None:
    """A third does not disturb the end of the workers; then the old handlers are back."""
    before = signal.getsignal(signal.SIGINT)
    with StopSignals(lambda: None):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.6)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_old_handlers_come_back() -> None:
    """After the run, Ctrl-C does what it did before."""
    before = signal.getsignal(signal.SIGINT)
    with StopSignals(lambda: None):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
