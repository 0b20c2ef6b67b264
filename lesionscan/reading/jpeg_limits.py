"""Limit on the segments of a JPEG codestream, checked before a decoder makes objects of them."""

from lesionscan.codes import ErrorCode
from lesionscan.reading.errors import UnreadableFileError

_SCAN = b"\xff\xda"
_MOST_SEGMENTS = 10_000
"""Segments before the first scan; a colour profile takes at most 255."""


def check_jpeg(data: bytes) -> None:
    """Refuse more header segments than an encoder writes (an empty one takes four bytes).

    Parameters
    ----------
    data
        The codestream; other data are left to their decoder.

    Raises
    ------
    UnreadableFileError
        `too_large`.
    """
    at = 2
    for _ in range(_MOST_SEGMENTS):
        marker = data[at : at + 2]
        if marker == _SCAN or len(marker) < 2 or marker[0] != 0xFF:
            return
        is_fill = marker[1] == 0xFF
        at += 1 if is_fill else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise UnreadableFileError(
        ErrorCode.TOO_LARGE,
        "the JPEG data hold more segments than a radiograph's; save the picture again",
    )
