"""VOI transform of a DICOM file for display: the VOI LUT, or else the first window (PS3.3 C.11.2).

It is used for display only, never for the search, but a falling table affects the polarity. Devices
also write empty, misspelt or several windows, or windows of zero width; one that cannot be used is
ignored, with a notice.
"""

from contextlib import suppress
from typing import Literal

from lesionscan.codes import NoticeCode, notice
from lesionscan.radiograph import BoolImage, Fact, Notice
from lesionscan.reading.acquisition import whole_or_not
from lesionscan.reading.dicom_file import DicomFile
from lesionscan.reading.dicom_lut import read_lut
from lesionscan.reading.dicom_tags import Tags
from lesionscan.reading.grayscale import Greys, Lut, Window
from lesionscan.reading.polarity import Course, lut_course

_SEQUENCE = "VOILUTSequence"

_MOST_TABLES = 16
"""Largest number of tables; files offer two or three."""

Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]

_FUNCTIONS: dict[str, Function] = {
    "": "LINEAR",  # the default
    "LINEAR": "LINEAR",
    "LINEAREXACT": "LINEAR_EXACT",
    "SIGMOID": "SIGMOID",
}
"""By the tag's value in capitals, without blanks, underscores and hyphens."""


def find_voi(file: DicomFile, greys: Greys, notices: list[Notice]) -> Window | Lut | None:
    """Return the VOI transform of a file, None if there is none that can be used.

    Parameters
    ----------
    file
        The file. The first window or table is used, and a table is preferred to a window.
    greys
        Grey values after the modality transform, to which it will be applied.
    notices
        Receives `bad_window` for each transform that cannot be used.
    """
    item = file.tags.sequence_item(_SEQUENCE)
    if item is not None:
        try:
            return _table(item, file, greys)
        except ValueError as fault:
            notices.append(_unusable(fault))
    try:
        return _first_window(file.tags)
    except ValueError as fault:
        notices.append(_unusable(fault))
        return None


def voi_course(
    file: DicomFile, greys: Greys, valid: BoolImage, voi: Window | Lut | None
) -> tuple[Course | None, bool]:
    """Return the course of the VOI LUT, and whether another table or window has the opposite one.

    Parameters
    ----------
    file
        The file.
    greys
        Grey values after the modality transform.
    valid
        Pixels with image data; only their values count.
    voi
        From `find_voi`; a window never swaps dark and bright.
    """
    if not isinstance(voi, Lut):
        return None, False
    values = greys.values[valid]
    course = lut_course(_SEQUENCE, voi, values)
    if course.falls and file.tags.number("WindowCenter") is not None:
        return course, True
    for item in file.tags.sequence_items(_SEQUENCE)[1:_MOST_TABLES]:
        with suppress(ValueError):  # one that cannot be used does not count
            other = lut_course(_SEQUENCE, _table(item, file, greys), values)
            if other.falls != course.falls:
                return course, True
    return course, False


def presentation_falls(file: DicomFile) -> bool:
    """Return whether the table of a PresentationLUTSequence (PS3.3 C.11.4) falls.

    Parameters
    ----------
    file
        The file; False for a table that cannot be used.
    """
    item = file.tags.sequence_item("PresentationLUTSequence")
    if item is None:
        return False
    with suppress(ValueError):
        entries = read_lut(item, file, signed=False, name="presentation LUT").entries
        return bool(entries[-1] < entries[0])
    return False


def _table(item: Tags, file: DicomFile, greys: Greys) -> Lut:
    return read_lut(item, file, signed=greys.low < 0, name="VOI LUT")


def voi_facts(tags: Tags, voi: Window | Lut | None) -> dict[str, Fact]:
    """Return what is reported about the display of an image, keyed by DICOM keyword."""
    if voi is None:
        return {}
    if isinstance(voi, Lut):
        return {"voi_lut_entries": int(voi.entries.size), "voi_lut_bits": voi.bits}
    return {
        "window_center": whole_or_not(voi.centre),
        "window_width": whole_or_not(voi.width),
        "voi_lut_function": voi.function,
        "windows": len(tags.numbers("WindowCenter") or ()),
    }


def _unusable(fault: ValueError) -> Notice:
    return notice(NoticeCode.BAD_WINDOW, f"{fault}; pictures for people are stretched instead")


def _first_window(tags: Tags) -> Window | None:
    """Return the first window.

    Raises
    ------
    ValueError
        If it cannot be used.
    """
    centre, width = tags.number("WindowCenter"), tags.number("WindowWidth")
    for keyword, value in (("WindowCenter", centre), ("WindowWidth", width)):
        if value is None and keyword in tags.irregular:
            raise ValueError(f"{keyword} holds something that is no number")
    if centre is None or width is None:
        return None
    stated = (tags.code("VOILUTFunction") or "").upper()
    function = _FUNCTIONS.get("".join(char for char in stated if char not in " _-"))
    if function is None:
        raise ValueError("VOILUTFunction holds none of the standard's terms")
    return Window(centre, width, function)
