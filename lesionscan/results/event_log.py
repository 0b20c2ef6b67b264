"""What happens in a run, as it happens, for programs: one JSON object a line."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from lesionscan.files import open_ordinary
from lesionscan.results.atomic import OutputError, explain

_BEGINNING = b'{"time": "'
_REMEDY = "name another file (--log-json)"


class EventLog:
    """Appends events to an open file.

    Parameters
    ----------
    stream
        The file.
    path
        Its name, for what cannot be written.
    """

    def __init__(self, stream: TextIO, path: Path) -> None:
        self._stream = stream
        self._path = path

    def write(self, event: str, **facts: str | float | bool | None) -> None:
        """Write one event with the time (ISO 8601, UTC); readers see it at once.

        Raises
        ------
        lesionscan.results.atomic.OutputError
            When it cannot be written.
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
        return stream.read(len(_BEGINNING)) == _BEGINNING


@contextmanager
def open_log(path: Path) -> Iterator[EventLog]:
    """Open a log, an older one of that name is written over.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        When it cannot be opened, or a file of that name is no log.
    """
    try:
        if path.is_file() and path.stat().st_size and not _is_log(path):
            raise OutputError(f"{path} is no log of lesionscan; {_REMEDY}")
        stream = path.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise explain(error, path, otherwise=_REMEDY) from error
    try:
        yield EventLog(stream, path)
    finally:
        with suppress(OSError):  # every line was flushed; failures were reported then
            stream.close()
