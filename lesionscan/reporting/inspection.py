"""Describe how a file was read, for users and bug reports.

Of the header, only attributes without patient data are included (`lesionscan.reading.acquisition`).
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.codes import NoticeCode
from lesionscan.detection.pipeline import Findings, NormalisedFilm
from lesionscan.png import encode_png
from lesionscan.radiograph import Radiograph
from lesionscan.reporting.drawing import LEFT_OUT, text_height, tinted, titled

Fact = tuple[str, str]


def inspection(film: NormalisedFilm, findings: Findings) -> list[Fact]:
    """Describe how a file was read, as pairs of a name and a sentence.

    Parameters
    ----------
    film
        The radiograph, normalised for the search.
    findings
        The findings of the search.
    """
    radiograph = findings.radiograph
    notices = (*radiograph.notices, *findings.notices)
    return [
        *_picture(radiograph),
        *_field(radiograph, film),
        ("bone", _bone(findings)),
        *_facts(radiograph),
        *((f"! {notice.code}", notice.message) for notice in notices),
    ]


def _bone(findings: Findings) -> str:
    if not findings.assessed:
        return "none outlined with confidence, so the film is not searched"
    shown = sum(candidate.shown for candidate in findings.candidates)
    return f"outlined, so the film is searched; {shown} candidate{'' if shown == 1 else 's'} shown"


def _picture(radiograph: Radiograph) -> Iterator[Fact]:
    rows, columns = radiograph.shape
    acquisition = radiograph.acquisition
    size = f"{rows} rows, {columns} columns"
    if "bits_stored" in acquisition:
        size += f", {acquisition['bits_stored']} bits stored"
    if radiograph.frames > 1:
        size += f"; picture {radiograph.frame} of {radiograph.frames}"
    yield "picture", size
    if "transfer_syntax" in acquisition:
        yield "packed as", str(acquisition["transfer_syntax"])
    stated = radiograph.photometric_interpretation or "not stated in the file"
    yield "polarity", f"{stated}: {_POLARITY[radiograph.polarity]}"
    if radiograph.polarity_steps:
        yield "decided by", "; ".join(radiograph.polarity_steps)
    low, high = float(radiograph.pixels.min()), float(radiograph.pixels.max())
    yield "grey values", f"{low:g} to {high:g} after the modality transform, bone bright"
    yield "shown by viewers", _display(radiograph)
    yield "pixel spacing", _spacing(radiograph)


_POLARITY = {
    "stated": "bone made bright as the file states",
    "assumed": "bone ASSUMED to be bright; change it with --polarity",
    "user": "bone made bright as set with --polarity",
}


def _display(radiograph: Radiograph) -> str:
    facts = radiograph.acquisition
    if "voi_lut_entries" in facts:
        return f"VOI LUT of {facts['voi_lut_entries']} entries, {facts['voi_lut_bits']} bits"
    if "window_center" not in facts:
        bad = any(one.code == NoticeCode.BAD_WINDOW for one in radiograph.notices)
        return "its window cannot be used" if bad else "no window stated"
    window = f"window {facts['window_center']} / {facts['window_width']}"
    more = f", the first of {facts['windows']}" if facts["windows"] != 1 else ""
    return f"{window}, {facts['voi_lut_function']}{more}"


def _spacing(radiograph: Radiograph) -> str:
    spacing = radiograph.spacing
    if spacing is None:
        bad = any(one.code == NoticeCode.BAD_SPACING for one in radiograph.notices)
        stated = "none that is plausible" if bad else "none stated"
        aspect = ""
        if radiograph.pixel_aspect != 1.0:
            aspect = f"; pixels are {radiograph.pixel_aspect:.4g} times as tall as wide"
        return f"{stated}: sizes in pixels only (set it with --spacing MM){aspect}"
    planes = {
        "patient": "in the patient",
        "detector": "at the detector: sizes in the patient are smaller",
        "film": "on the scanned film: sizes in the patient are smaller",
        "undetermined": "the plane is not stated",
    }
    calibrated = ", calibrated" if spacing.calibrated else ""
    size = f"{spacing.row_mm:g} x {spacing.column_mm:g} mm (rows x columns)"
    return f"{size} from {spacing.source}{calibrated}; {planes[spacing.plane]}"


def _field(radiograph: Radiograph, film: NormalisedFilm) -> Iterator[Fact]:
    valid = float(radiograph.valid.mean())
    if valid < 1:
        yield "image data", f"{valid:.1%} of the pixels; the rest is padding or hidden"
    covered = float((film.field.opaque & film.field.exposed).mean())
    found = f"{float(film.field.exposed.mean()):.1%} of the picture"
    yield "exposed field", f"{found}; markers and metal cover {covered:.1%}"


def _facts(radiograph: Radiograph) -> Iterator[Fact]:
    shown = {"bits_stored", "transfer_syntax", "windows", "window_center", "window_width"}
    shown |= {"voi_lut_function", "voi_lut_entries", "voi_lut_bits"}
    for name, value in sorted(radiograph.acquisition.items()):
        if name not in shown:
            yield name.replace("_", " "), str(value)


def inspection_png(film: NormalisedFilm, shown: NDArray[np.uint8] | None) -> bytes:
    """Draw a film as viewers show it, as it is searched, and the part that is searched.

    Parameters
    ----------
    film
        The normalised film.
    shown
        uint8 (rows, cols), as viewers show it; None if the file does not say.

    Returns
    -------
    bytes
        A PNG, the titled pictures side by side on the working grid; the excluded part is blue.
    """
    grey = np.rint(film.small * 255).astype(np.uint8)
    searched = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    # half transparent: dark regions and white letters stay visible under the tint
    searched = tinted(searched, ~film.field.usable, LEFT_OUT, 0.5)
    panels = {"as it is searched": grey, "blue: left out": searched}
    if shown is not None:
        shown = np.asarray(cv2.resize(shown, grey.shape[::-1], interpolation=cv2.INTER_AREA))
        panels = {"as viewers show it": shown, **panels}
    height = text_height(*grey.shape)
    return encode_png(np.hstack([titled(one, [title], height) for title, one in panels.items()]))
