"""Which pixel spacing to believe, and what it means (PS3.3 10.7.1).

Works on plain values, so that the rules can be read and tested without a file.
"""

import math
from dataclasses import dataclass

from lesionscan.codes import NoticeCode, notice
from lesionscan.radiograph import MAX_SPACING_MM, Notice, Spacing

MIN_SPACING_MM = 0.005
"""Dental sensors and fine film scanners reach 0.02 mm; anything much finer is a wrong unit."""

MAX_ASPECT = 4.0
"""Radiographs have square pixels, rarely 1:2 after subsampling; more is a wrong tag."""

MAX_MAGNIFICATION = 3.0
"""The object would be at a third of the source distance; a skeletal film has 1.0 to 1.5."""

SAME_SPACING = 0.005
"""Relative difference up to which two tags say the same: vendors round 0.1439 to 0.144."""

Millimetres = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SpacingTags:
    """The spacing tags of one image as plain values; None where a tag is absent or empty.

    Attributes
    ----------
    pixel_spacing, imager_pixel_spacing, nominal_scanned_pixel_spacing
        (0028,0030), (0018,1164), (0018,2010): row and column distance in mm, as found.
    calibration_type
        (0028,0A02), "GEOMETRY" or "FIDUCIAL" when PixelSpacing was calibrated.
    magnification
        (0018,1114) EstimatedRadiographicMagnificationFactor.
    """

    pixel_spacing: Millimetres | None = None
    imager_pixel_spacing: Millimetres | None = None
    nominal_scanned_pixel_spacing: Millimetres | None = None
    calibration_type: str | None = None
    magnification: float | None = None


def choose_spacing(tags: SpacingTags) -> tuple[Spacing | None, tuple[Notice, ...]]:
    """Return the spacing that can be believed, or None, and what the user should know.

    The ladder: PixelSpacing that is calibrated or differs from the detector's (patient plane);
    the detector's spacing, divided by the tagged magnification where there is one; the spacing on
    a scanned film; PixelSpacing alone, of which the standard says that its plane cannot be known.
    """
    notices: list[Notice] = []
    pixel = _believable("PixelSpacing", tags.pixel_spacing, notices)
    imager = _believable("ImagerPixelSpacing", tags.imager_pixel_spacing, notices)
    film = _believable("NominalScannedPixelSpacing", tags.nominal_scanned_pixel_spacing, notices)

    spacing = None
    uncalibrated = imager or film
    if pixel and (
        tags.calibration_type in ("GEOMETRY", "FIDUCIAL")
        or (uncalibrated and not _same(pixel, uncalibrated))
    ):
        spacing = Spacing(*pixel, source="PixelSpacing", plane="patient", calibrated=True)
    elif imager:
        spacing = _at_detector(imager, tags.magnification, notices)
    elif film:
        spacing = Spacing(*film, source="NominalScannedPixelSpacing", plane="film")
    elif pixel:
        spacing = Spacing(*pixel, source="PixelSpacing", plane="undetermined")
    if spacing is None:
        notices.append(
            notice(
                NoticeCode.NO_SPACING, "the file gives no usable pixel spacing; sizes are in pixels"
            )
        )
    return spacing, tuple(notices)


def _believable(
    keyword: str, values: Millimetres | None, notices: list[Notice]
) -> tuple[float, float] | None:
    """Return (row, column) spacing, or None with a notice that names the tag and the fault."""
    if values is None:
        return None
    if len(values) != 2:
        fault = f"holds {len(values)} numbers instead of two"
    elif not all(math.isfinite(value) for value in values):
        fault = "is not a finite number"
    elif min(values) <= 0:
        fault = f"is {min(values):g} mm, which is no distance"
    elif min(values) < MIN_SPACING_MM or max(values) > MAX_SPACING_MM:
        fault = f"is outside {MIN_SPACING_MM:g} to {MAX_SPACING_MM:g} mm"
    elif max(values) > MAX_ASPECT * min(values):
        fault = "says that pixels are far from square"
    else:
        return values[0], values[1]
    notices.append(notice(NoticeCode.BAD_SPACING, f"{keyword} {fault}; it is ignored"))
    return None


def _same(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Return whether two spacings agree within the vendors' rounding."""
    return all(math.isclose(a, b, rel_tol=SAME_SPACING) for a, b in zip(one, other, strict=True))


def _at_detector(
    imager: tuple[float, float], magnification: float | None, notices: list[Notice]
) -> Spacing:
    """Return the detector's spacing, moved to the patient where the magnification is tagged.

    A factor of exactly 1 is what devices write when they do not know it, so it corrects nothing.
    """
    if magnification is not None and 1.0 < magnification <= MAX_MAGNIFICATION:
        notices.append(
            notice(
                NoticeCode.MAGNIFICATION_CORRECTED,
                f"ImagerPixelSpacing was divided by the stated magnification {magnification:g}; "
                "sizes are estimates in the patient",
            )
        )
        return Spacing(
            imager[0] / magnification,
            imager[1] / magnification,
            source="ImagerPixelSpacing/EstimatedRadiographicMagnificationFactor",
            plane="patient",
        )
    if magnification is not None and magnification != 1.0:
        notices.append(
            notice(
                NoticeCode.BAD_SPACING,
                "EstimatedRadiographicMagnificationFactor is outside 1 to "
                f"{MAX_MAGNIFICATION:g}; it is ignored",
            )
        )
    return Spacing(*imager, source="ImagerPixelSpacing", plane="detector")
