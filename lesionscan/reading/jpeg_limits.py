"""What a JPEG codestream may hold: bounded before a decoder walks it.

A scan of nothing takes a few hundred bytes and costs a pass over the whole picture; an empty
comment takes four bytes and costs an object.
"""

from lesionscan.reading.codes import ErrorCode, UnreadableFileError

_SCAN = b"\xff\xda"
_MOST_SCANS = 200
"""Progressive JPEGs have about ten; the finest script for three channels has under 200."""
_MOST_SEGMENTS = 10_000
"""Before the first scan; a colour profile takes at most 255."""


def check_jpeg(data: bytes) -> None:
    """Refuse more scans or header segments than an encoder writes.

    Parameters
    ----------
    data
        The codestream, or something else, which is left to its decoder.

    Raises
    ------
    UnreadableFileError
        `too_large`.
    """
    # the marker cannot occur inside entropy-coded data (ITU-T T.81 B.1.1.5)
    if data.count(_SCAN, _first_scan(data)) > _MOST_SCANS:
        raise _too_many("scans")


def _first_scan(data: bytes) -> int:
    """Return where the first scan starts, or the data end (ITU-T T.81 B.1.1.4)."""
    at = 2
    for _ in range(_MOST_SEGMENTS):
        marker = data[at : at + 2]
        if marker == _SCAN or len(marker) < 2 or marker[0] != 0xFF:
            return at
        is_fill = marker[1] == 0xFF
        at += 1 if is_fill else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise _too_many("segments")


def _too_many(what: str) -> UnreadableFileError:
    return UnreadableFileError(
        ErrorCode.TOO_LARGE,
        f"the JPEG data hold more {what} than a radiograph's; save the picture again",
    )
