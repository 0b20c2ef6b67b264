"""How a DICOM file asks to be shown: its VOI LUT, or else its first window (PS3.3 C.11.2).

For people only, never for the analysis. Written down in every way that devices have found: empty,
misspelt, several, or as wide as nothing; what cannot be used is said and left out.
"""

from typing import Literal

from lesionscan.codes import NoticeCode, notice
from lesionscan.radiograph import Fact, Notice
from lesionscan.reading.acquisition import whole_or_not
from lesionscan.reading.dicom_file import DicomFile, Tags
from lesionscan.reading.dicom_greys import is_raw
from lesionscan.reading.dicom_lut import read_lut
from lesionscan.reading.grayscale import Greys, Lut, Window

Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]

_FUNCTIONS: dict[str, Function] = {
    "": "LINEAR",  # the default
    "LINEAR": "LINEAR",
    "LINEAREXACT": "LINEAR_EXACT",
    "SIGMOID": "SIGMOID",
}
"""By the tag's value in capitals, without blanks, underscores and hyphens."""


def find_voi(file: DicomFile, greys: Greys, notices: list[Notice]) -> Window | Lut | None:
    """Return the VOI transform that a file asks for, None where there is none that can be used.

    Raw values (For Processing) have none: their window belongs to another picture.

    Parameters
    ----------
    file
        The file; of several windows or tables the first is taken, a table before a window.
    greys
        What it will be applied to: grey values after the modality transform.
    notices
        Takes `bad_window` for each transform that cannot be used.
    """
    if is_raw(file.tags):
        return None
    item = file.tags.sequence_item("VOILUTSequence")
    if item is not None:
        try:
            return read_lut(item, file, signed=greys.low < 0, name="VOI LUT")
        except ValueError as fault:
            notices.append(_unusable(fault))
    try:
        return _first_window(file.tags)
    except ValueError as fault:
        notices.append(_unusable(fault))
        return None


def voi_facts(tags: Tags, voi: Window | Lut | None) -> dict[str, Fact]:
    """Return what to tell about how a picture is shown, keyed by the DICOM keyword."""
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
        When it cannot be used.
    """
    centre, width = tags.number("WindowCenter"), tags.number("WindowWidth")
    if centre is None or width is None:
        return None
    stated = (tags.code("VOILUTFunction") or "").upper()
    function = _FUNCTIONS.get("".join(char for char in stated if char not in " _-"))
    if function is None:
        raise ValueError("VOILUTFunction holds none of the standard's terms")
    return Window(centre, width, function)
