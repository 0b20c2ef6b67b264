"""Data in scripts: a page that was opened from disk may not fetch files."""

import json
import re
from dataclasses import fields, is_dataclass
from typing import Any

_CALL = re.compile(rb"lesionscan\.([a-z]+)\((.*)\);\n", re.DOTALL)


def call(function: str, said: Any) -> bytes:  # noqa: ANN401 - any JSON value, or a dataclass
    """Return a line of JavaScript that hands the page a value.

    Parameters
    ----------
    function
        Name of the page's function that takes it.
    said
        What JSON can say; dataclasses become objects.
    """
    return b"lesionscan.%b(%b);\n" % (function.encode("ascii"), compact_json(said))


def compact_json(said: Any) -> bytes:  # noqa: ANN401 - any JSON value, or a dataclass
    """Return a value as JSON on one line, in ASCII, so that no letter of a name can end the line.

    Parameters
    ----------
    said
        What JSON can say; dataclasses become objects.

    Raises
    ------
    ValueError
        When it holds a number that is not finite.
    """
    return json.dumps(
        said, ensure_ascii=True, allow_nan=False, separators=(",", ":"), default=_as_object
    ).encode("ascii")


def parse_call(line: bytes) -> tuple[str, bytes] | None:
    """Return the function of a line that `call` has made, and what it is handed.

    Parameters
    ----------
    line
        The line.

    Returns
    -------
    tuple or None
        Name, and bytes that should be JSON but are not checked; None where the line is no call.
    """
    parts = _CALL.fullmatch(line)
    return None if parts is None else (parts[1].decode("ascii"), parts[2])


def _as_object(value: object) -> dict[str, Any]:
    """Return a dataclass's fields, in their order; not `asdict`, which copies every list."""
    if not is_dataclass(value):
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")
    return {field.name: getattr(value, field.name) for field in fields(value)}
