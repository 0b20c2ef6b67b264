"""Write records as JSON with a seal: a hash that shows whether the file was changed afterwards."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel


def to_json(record: BaseModel | Mapping[str, Any]) -> bytes:
    """Return a record as JSON: UTF-8, two spaces per level, arrays of numbers on one line.

    Parameters
    ----------
    record
        The record, or its `model_dump(mode="json")`.
    """
    value = record.model_dump(mode="json") if isinstance(record, BaseModel) else record
    return (_layout(value, 0) + "\n").encode("utf-8")


def sealed_json(record: BaseModel | Mapping[str, Any]) -> bytes:
    """Return a record as JSON, with its seal filled in.

    Parameters
    ----------
    record
        As in `to_json`; its seal is empty.
    """
    unsealed = to_json(record)
    return unsealed.replace(_seal(b""), _seal(sha256_of(unsealed).encode("ascii")), 1)


def is_sealed(data: bytes) -> bool:
    """Return whether the bytes of a JSON file are unchanged since `sealed_json`."""
    sealed = _SEALED.search(data)
    if sealed is None:
        return False
    unsealed = data[: sealed.start()] + _seal(b"") + data[sealed.end() :]
    return sealed[1].decode("ascii") == sha256_of(unsealed)


def seal_in(data: bytes) -> str:
    """Return the seal in the bytes of a JSON file; "" without one."""
    sealed = _SEALED.search(data)
    return "" if sealed is None else sealed[1].decode("ascii")


def _seal(value: bytes) -> bytes:
    # unique in the file, because quotation marks in text are escaped
    return b'"seal_sha256": "' + value + b'"'


_SEALED = re.compile(_seal(rb"([0-9a-f]{64})"))


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _layout(value: Any, level: int) -> str:  # noqa: ANN401 - any JSON value
    pad, end = "  " * (level + 1), "  " * level
    if isinstance(value, dict) and value:
        entries = (f"{pad}{_text(key)}: {_layout(item, level + 1)}" for key, item in value.items())
        return "{\n" + ",\n".join(entries) + f"\n{end}}}"
    if isinstance(value, list) and value and isinstance(value[0], dict):  # then all are
        return "[\n" + ",\n".join(pad + _layout(item, level + 1) for item in value) + f"\n{end}]"
    return _text(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, float) and math.isfinite(value):
        return float.__repr__(value)  # the same as the encoder's, in an eighth of the time
    return _ENCODER.encode(value)
