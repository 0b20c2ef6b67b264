"""Event log of a run for other programs: one JSON object per line."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from lesionscan.files import open_ordinary
from lesionscan.results.atomic import OutputError, explain

_FIRST_BYTES = b'{"time": "'
_REMEDY = "name another file (--log-json)"


class EventLog:
    """Write events to an open file.

    Parameters
    ----------
    stream
        The file.
    path
        Its path, for error messages.
    """

    def __init__(self, stream: TextIO, path: Path) -> None:
        self._stream = stream
        self._path = path

    def write(self, event: str, **facts: str | float | bool | None) -> None:
        """Write an event with the time (ISO 8601, UTC), and flush.

        Raises
        ------
        lesionscan.results.atomic.OutputError
            If it cannot be written.
        """
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": time, "event": event, **facts}, ensure_ascii=False)
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except OSError as error:
            raise explain(error, self._path, otherwise=_REMEDY) from error


def _is_log(path: Path) -> bool:
    with open_ordinary(path) as stream:
        return stream.read(len(_FIRST_BYTES)) == _FIRST_BYTES


@contextmanager
def open_log(path: Path) -> Iterator[EventLog]:
    """Open a log; an existing log is overwritten.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        If it cannot be opened, or the file exists and is not a log.
    """
    try:
        if path.is_file() and path.stat().st_size and not _is_log(path):
            raise OutputError(f"{path} is not a log of lesionscan; {_REMEDY}")
        stream = path.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise explain(error, path, otherwise=_REMEDY) from error
    try:
        yield EventLog(stream, path)
    finally:
        with suppress(OSError):  # each line was flushed, and failures were reported
            stream.close()
