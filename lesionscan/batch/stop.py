"""Handle Ctrl-C and SIGTERM between films.

The first signal only sets a flag: films in progress are finished, and the summaries are written. A
second one raises KeyboardInterrupt, after which signals are ignored. Programs that start others
(`uv run`, `srun`) may deliver one signal twice.
"""

import signal
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

_ONE_SIGNAL_SECONDS = 0.5


class StopSignals:
    """Context manager that handles SIGINT and SIGTERM (main thread only).

    Parameters
    ----------
    announce
        Called once, from the signal handler, when the first signal arrives.

    Attributes
    ----------
    signal_number
        Number of the first signal, or None.
    """

    def __init__(self, announce: Callable[[], None]) -> None:
        self.signal_number: int | None = None
        self._first = 0.0
        self._announce = announce
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def requested(self) -> bool:
        """Return whether a signal has arrived."""
        return self.signal_number is not None

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the API
        if self.signal_number is None:
            self.signal_number, self._first = number, time.monotonic()
            self._announce()
        elif time.monotonic() - self._first > _ONE_SIGNAL_SECONDS:
            for handled in self._before:
                signal.signal(handled, signal.SIG_IGN)
            raise KeyboardInterrupt
