"""The first signal asks, the second does not wait."""

import os
import signal

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
        os.kill(os.getpid(), signal.SIGINT)


def test_the_old_handlers_come_back() -> None:
    """After the run, Ctrl-C does what it did before."""
    before = signal.getsignal(signal.SIGINT)
    with StopSignals(lambda: None):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
