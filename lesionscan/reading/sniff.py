"""Detects file formats by content, never by name."""

import struct
from pathlib import Path
from typing import Literal, TypeAlias

from lesionscan.files import open_ordinary

FileFormat: TypeAlias = Literal["dicom", "png", "jpeg", "tiff"]

HEAD_BYTES = 132
"""Enough to detect every format: a DICOM file has "DICM" at byte 128 (PS3.10 7.1)."""

KNOWN_ENDINGS = frozenset(
    {".dcm", ".dicom", ".ima", ".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff"}
)

_MAGIC: tuple[tuple[bytes, FileFormat], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),  # BigTIFF
    (b"MM\x00+", "tiff"),
)


def file_format(head: bytes) -> FileFormat | None:
    """Return the format of a file that starts with `head`, None if it is not an image.

    Parameters
    ----------
    head
        The first :data:`HEAD_BYTES` bytes, or fewer if the file is shorter.
    """
    # A DICOM preamble may contain a TIFF header (PS3.10 7.1), so DICM is checked first.
    if head[128:132] == b"DICM":
        return "dicom"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    return "dicom" if starts_like_data_set(head) else None


def starts_like_data_set(head: bytes) -> bool:
    """Return whether `head` could be a DICOM data set without a preamble.

    Such a file starts with an element of group 0002 (file meta) or 0008 (identification), whose
    element number and length are small; text and random bytes do not.
    """
    if len(head) < 8:
        return False
    for order in "<>":
        group, element = struct.unpack_from(f"{order}HH", head)
        if group not in (0x0002, 0x0008) or element > 0x0070:
            continue
        if head[4:6].isalpha() and head[4:6].isupper():  # explicit VR (PS3.5 7.1.2)
            return True
        if order == "<":  # implicit VR is always little endian (PS3.5 7.1.3)
            (length,) = struct.unpack_from("<L", head, 4)
            return bool(length <= 0x1000)
    return False


def looks_like_image(path: Path) -> bool:
    """Return whether a file in a scanned folder is worth trying to read.

    True for the usual extensions and for files whose content is DICOM, PNG, JPEG or TIFF (hospital
    exports often have no extension). At most :data:`HEAD_BYTES` bytes are read. False for a file
    that cannot be opened, for a DICOMDIR, and for macOS metadata files ("._knee.dcm").
    """
    if path.name.upper() == "DICOMDIR" or path.name.startswith("._"):
        return False
    if path.suffix.lower() in KNOWN_ENDINGS:
        return True
    try:
        with open_ordinary(path) as stream:
            return file_format(stream.read(HEAD_BYTES)) is not None
    except OSError:
        return False
