"""Data as scripts, since a page opened from disk cannot fetch files."""

import json
import re
from dataclasses import fields, is_dataclass
from typing import Any

_CALL = re.compile(rb"lesionscan\.([a-z]+)\((.*)\);\n", re.DOTALL)


def call(function: str, value: Any) -> bytes:  # noqa: ANN401 - any JSON value, or a dataclass
    """Return a line of JavaScript that calls a function of the page.

    Parameters
    ----------
    function
        Name of the function.
    value
        Its argument, any JSON value; dataclasses become objects.
    """
    return b"lesionscan.%b(%b);\n" % (function.encode("ascii"), compact_json(value))


def compact_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value, or a dataclass
    """Return a value as JSON on one line, in ASCII, so that no character of a name ends the line.

    Parameters
    ----------
    value
        Any JSON value; dataclasses become objects.

    Raises
    ------
    ValueError
        If it contains a number that is not finite.
    """
    return json.dumps(
        value, ensure_ascii=True, allow_nan=False, separators=(",", ":"), default=_as_object
    ).encode("ascii")


def parse_call(line: bytes) -> tuple[str, bytes] | None:
    """Return the function and the argument of a line made by `call`.

    Parameters
    ----------
    line
        The line.

    Returns
    -------
    tuple or None
        Name, and bytes that should be JSON but are not checked; None if the line is not a call.
    """
    parts = _CALL.fullmatch(line)
    return None if parts is None else (parts[1].decode("ascii"), parts[2])


def _as_object(value: object) -> dict[str, Any]:
    """Return the fields of a dataclass in order, without the copies that `asdict` makes."""
    if not is_dataclass(value):
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")
    return {field.name: getattr(value, field.name) for field in fields(value)}
