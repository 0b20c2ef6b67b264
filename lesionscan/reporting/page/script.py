"""Data in scripts: a page that was opened from disk may not fetch files."""

import json
from typing import Any


def call(function: str, said: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return a line of JavaScript that hands the page a value.

    It is ASCII, so that no letter of a file name can end the line.

    Parameters
    ----------
    function
        Name of the page's function that takes it.
    said
        What JSON can say.
    """
    value = json.dumps(said, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return f"lesionscan.{function}({value});\n".encode("ascii")
