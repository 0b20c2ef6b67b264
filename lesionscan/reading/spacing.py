"""Choice of the pixel spacing, and its meaning (PS3.3 10.7.1).

The functions take plain values, so that the rules can be read and tested without a file.
"""

import math
from dataclasses import dataclass

from lesionscan.codes import NoticeCode, notice
from lesionscan.radiograph import MAX_SPACING_MM, Notice, Spacing

MIN_SPACING_MM = 0.005
"""Dental sensors and fine film scanners reach 0.02 mm; much smaller values have a wrong unit."""

MAX_ASPECT = 4.0
"""Radiographs have square pixels, rarely 1:2 after subsampling; a larger ratio is wrong."""

MAX_MAGNIFICATION = 3.0
"""The object would be at a third of the source distance; skeletal films have 1.0 to 1.5."""

MAX_FIELD_MM = 2500.0
"""Stitched films of both legs or the whole spine reach 1.8 m."""

SAME_SPACING = 0.005
"""Relative difference up to which two tags agree: vendors round 0.1439 to 0.144."""

SAME_SHAPE = 0.02
"""Relative difference up to which two tags agree on the shape of a pixel: both are rounded."""

_SAME_FACTOR = 0.05
"""Relative difference up to which two tags agree on the magnification: both are estimates."""

_PLACEHOLDER = (1.0, 1.0)
"""Written if the spacing is unknown; neither detectors nor film scanners are so coarse."""

_SPACING_KEYWORDS = (
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "EstimatedRadiographicMagnificationFactor",
    "PixelAspectRatio",
)

Millimetres = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SpacingTags:
    """The spacing tags of one image as plain values; None if a tag is absent or empty.

    Attributes
    ----------
    pixel_spacing, imager_pixel_spacing, nominal_scanned_pixel_spacing
        (0028,0030), (0018,1164), (0018,2010): spacing of rows and columns in mm, unchecked.
    calibration_type
        (0028,0A02), "GEOMETRY" or "FIDUCIAL" if PixelSpacing was calibrated.
    magnification
        (0018,1114) EstimatedRadiographicMagnificationFactor.
    source_to_detector_mm, source_to_patient_mm
        (0018,1110), (0018,1111).
    pixel_aspect_ratio
        (0028,0034): height and width of a pixel, in any unit.
    unreadable
        Keywords of the tags that contain something other than numbers.
    shape
        Rows and columns of the image, None if unknown.
    """

    pixel_spacing: Millimetres | None = None
    imager_pixel_spacing: Millimetres | None = None
    nominal_scanned_pixel_spacing: Millimetres | None = None
    calibration_type: str | None = None
    magnification: float | None = None
    source_to_detector_mm: float | None = None
    source_to_patient_mm: float | None = None
    pixel_aspect_ratio: tuple[float, ...] | None = None
    unreadable: frozenset[str] = frozenset()
    shape: tuple[int, int] | None = None


def choose_spacing(tags: SpacingTags) -> tuple[Spacing | None, tuple[Notice, ...]]:
    """Return the most reliable spacing, or None, and notices for the user.

    In this order: PixelSpacing that is calibrated or differs from that of the detector (patient
    plane); the spacing of the detector, divided by the stated magnification if there is one; the
    spacing on a scanned film; PixelSpacing alone, whose plane is unknown according to the
    standard. PixelSpacing that is impossible for a patient in front of this detector is skipped.
    """
    notices = [
        notice(
            NoticeCode.BAD_SPACING,
            f"{keyword} holds something that is no number (a decimal comma or a unit, perhaps); "
            "it is ignored",
        )
        for keyword in _SPACING_KEYWORDS
        if keyword in tags.unreadable
    ]
    pixel = _believable("PixelSpacing", tags.pixel_spacing, tags.shape, notices)
    imager = _believable("ImagerPixelSpacing", tags.imager_pixel_spacing, tags.shape, notices)
    film = _believable(
        "NominalScannedPixelSpacing", tags.nominal_scanned_pixel_spacing, tags.shape, notices
    )

    if imager and film and not _same(imager, film):
        fault = "NominalScannedPixelSpacing contradicts ImagerPixelSpacing; it is ignored"
        notices.append(notice(NoticeCode.BAD_SPACING, fault))
    spacing = None
    uncalibrated = imager or film
    if pixel and uncalibrated:
        name = "ImagerPixelSpacing" if imager else "NominalScannedPixelSpacing"
        pixel = _in_patient(pixel, uncalibrated, name, notices)
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
    if spacing is not None and uncalibrated:
        _compare_magnification(tags, uncalibrated[0] / spacing.row_mm, spacing.source, notices)
    if spacing is None:
        notices.append(
            notice(
                NoticeCode.NO_SPACING, "the file gives no usable pixel spacing; sizes are in pixels"
            )
        )
    return spacing, tuple(notices)


def choose_aspect(tags: SpacingTags, spacing: Spacing | None) -> tuple[float, tuple[Notice, ...]]:
    """Return the height of a pixel divided by its width, and notices for the user.

    Parameters
    ----------
    tags
        The tags; PixelAspectRatio (PS3.3 C.7.6.3.1.7) is used if there is no spacing.
    spacing
        The spacing from `choose_spacing`.
    """
    stated, notices = _stated_aspect(tags.pixel_aspect_ratio)
    if spacing is not None:
        aspect = spacing.row_mm / spacing.column_mm
        if stated is not None and not math.isclose(stated, aspect, rel_tol=SAME_SHAPE):
            notices += (
                notice(
                    NoticeCode.BAD_SPACING,
                    f"PixelAspectRatio contradicts {spacing.source}; it is ignored",
                ),
            )
        return aspect, notices
    if stated is None or stated == 1.0:
        return 1.0, notices
    return stated, (
        *notices,
        notice(
            NoticeCode.PIXEL_ASPECT,
            f"PixelAspectRatio says that pixels are {stated:.4g} times as tall as wide; shapes are "
            "measured accordingly, sizes in pixels are those of the stored matrix",
        ),
    )


def users_spacing(
    mm: float | tuple[float, float], stated: Spacing | None, aspect: float
) -> tuple[Spacing, tuple[Notice, ...]]:
    """Return the spacing given by the user, which replaces that of the file.

    If the file states that pixels are not square, one number is the shorter side of a pixel: the
    longer one comes from skipped rows or columns. Two numbers are used as they are.

    Parameters
    ----------
    mm
        Spacing of rows and of columns in mm, or one number.
    stated
        The file's own spacing, or None.
    aspect
        Height of a pixel divided by its width, according to the file.
    """
    notices: list[Notice] = []
    is_square = math.isclose(aspect, 1.0, rel_tol=SAME_SHAPE)
    row_mm, column_mm = mm if isinstance(mm, tuple) else (mm, mm)
    if not (isinstance(mm, tuple) or is_square):
        longer_mm = mm * max(aspect, 1.0 / aspect)
        if longer_mm <= MAX_SPACING_MM:
            row_mm, column_mm = (longer_mm, mm) if aspect > 1.0 else (mm, longer_mm)
            source = "PixelAspectRatio" if stated is None else stated.source
            notices.append(
                notice(
                    NoticeCode.PIXEL_ASPECT,
                    f"{source} says that pixels are {aspect:.4g} times as tall as wide; your "
                    "spacing was taken for their shorter side (two numbers are taken as they are)",
                )
            )
    if stated is not None:
        if not _same((row_mm, column_mm), (stated.row_mm, stated.column_mm)):
            said = f"{stated.row_mm:.4g} x {stated.column_mm:.4g} mm ({stated.source})"
            notices.append(_overridden(said))
    elif aspect != 1.0 and not math.isclose(row_mm / column_mm, aspect, rel_tol=SAME_SHAPE):
        notices.append(_overridden(f"pixels {aspect:.4g} times as tall as wide (PixelAspectRatio)"))
    return Spacing(row_mm, column_mm, source="user", plane="undetermined"), tuple(notices)


def _overridden(said: str) -> Notice:
    return notice(NoticeCode.SPACING_OVERRIDDEN, f"the file states {said}; yours was taken")


def _stated_aspect(values: tuple[float, ...] | None) -> tuple[float | None, tuple[Notice, ...]]:
    """Return height divided by width from PixelAspectRatio, None if it is invalid."""
    if values is None:
        return None, ()
    if len(values) != 2:
        fault = f"holds {len(values)} numbers instead of two"
    elif not all(math.isfinite(value) and value > 0 for value in values):
        fault = "holds what is no length"
    elif max(values) > MAX_ASPECT * min(values):
        fault = "says that pixels are far from square"
    else:
        return values[0] / values[1], ()
    return None, (notice(NoticeCode.BAD_SPACING, f"PixelAspectRatio {fault}; it is ignored"),)


def _believable(
    keyword: str,
    values: Millimetres | None,
    shape: tuple[int, int] | None,
    notices: list[Notice],
) -> tuple[float, float] | None:
    """Return (row, column) spacing, or None and a notice with the tag and the fault."""
    if values is None:
        return None
    fault = _fault(values) or _too_large(values, shape)
    if fault is None:
        return values[0], values[1]
    notices.append(notice(NoticeCode.BAD_SPACING, f"{keyword} {fault}; it is ignored"))
    return None


def _fault(values: Millimetres) -> str | None:
    """Return why the numbers are not a valid spacing, None if they are."""
    if len(values) != 2:
        return f"holds {len(values)} numbers instead of two"
    if not all(math.isfinite(value) for value in values):
        return "is not a finite number"
    if min(values) <= 0:
        return f"is {min(values):g} mm, which is no distance"
    if min(values) < MIN_SPACING_MM or max(values) > MAX_SPACING_MM:
        return f"is outside {MIN_SPACING_MM:g} to {MAX_SPACING_MM:g} mm"
    if max(values) > MAX_ASPECT * min(values):
        return "says that pixels are far from square"
    if values == _PLACEHOLDER:
        return "is 1 x 1 mm, a placeholder of software that does not know it"
    return None


def _too_large(values: Millimetres, shape: tuple[int, int] | None) -> str | None:
    """Return why the image would be too large for a radiograph, None if it would not."""
    if shape is None:
        return None
    longest = max(count * value for count, value in zip(shape, values, strict=True))
    if longest <= MAX_FIELD_MM:
        return None
    return f"makes the picture {longest / 1000:.3g} m long; a radiograph has at most 2.5 m"


def _in_patient(
    pixel: tuple[float, float],
    uncalibrated: tuple[float, float],
    name: str,
    notices: list[Notice],
) -> tuple[float, float] | None:
    """Return PixelSpacing if it is possible for a patient in front of this detector, else None.

    The beam diverges, so a distance at the detector is never shorter than in the patient, and the
    ratio is the same along rows and columns.
    """
    if _same(pixel, uncalibrated):
        return pixel
    rows, columns = (there / here for there, here in zip(uncalibrated, pixel, strict=True))
    if min(rows, columns) < 1.0 / (1.0 + SAME_SPACING):
        fault = f"is larger than {name}, which no distance in the patient can be"
    elif not math.isclose(rows, columns, rel_tol=SAME_SHAPE):
        fault = f"gives pixels another shape than {name}"
    elif max(rows, columns) > MAX_MAGNIFICATION:
        fault = f"would mean a magnification of {max(rows, columns):.3g} beside {name}"
    else:
        return pixel
    notices.append(
        notice(
            NoticeCode.BAD_SPACING,
            f"PixelSpacing ({pixel[0]:g} x {pixel[1]:g} mm) {fault} ({uncalibrated[0]:g} x "
            f"{uncalibrated[1]:g} mm); it is ignored",
        )
    )
    return None


def _compare_magnification(
    tags: SpacingTags, found: float, source: str, notices: list[Notice]
) -> None:
    """Add notices for tags that state another magnification than the chosen spacing implies.

    DistanceSourceToDetector / DistanceSourceToPatient is the magnification too (PS3.3 C.8.11.5).
    """
    stated = {"EstimatedRadiographicMagnificationFactor": tags.magnification or 0.0}
    if tags.source_to_detector_mm and tags.source_to_patient_mm:
        factor = tags.source_to_detector_mm / tags.source_to_patient_mm
        stated["DistanceSourceToDetector over DistanceSourceToPatient"] = factor
    for name, factor in stated.items():
        is_stated = 1.0 < factor <= MAX_MAGNIFICATION
        if is_stated and found > 1.0 and not math.isclose(factor, found, rel_tol=_SAME_FACTOR):
            notices.append(
                notice(
                    NoticeCode.BAD_SPACING,
                    f"{name} is {factor:.3g}, but {source} means a magnification of {found:.3g}; "
                    "the latter is believed",
                )
            )


def _same(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Return whether two spacings agree within rounding."""
    return all(math.isclose(a, b, rel_tol=SAME_SPACING) for a, b in zip(one, other, strict=True))


def _at_detector(
    imager: tuple[float, float], magnification: float | None, notices: list[Notice]
) -> Spacing:
    """Return the spacing of the detector, or that in the patient if a magnification is stated.

    Devices write a factor of exactly 1 if they do not know it, so it is not used.
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
