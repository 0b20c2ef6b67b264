"""Facts about an exposure that are copied from a DICOM header: numbers and defined terms.

Nothing else is copied. In practice even a coded field can contain a patient's name, so a value is
copied only if it is a defined term of the standard, and a number only in a plausible range.
"""

import re
from collections.abc import Callable

from lesionscan.codes import NoticeCode, notice
from lesionscan.radiograph import Fact, Notice

# PS3.16 Annex L, table L-1, and the enumerated terms of the CR Series module (PS3.3 C.8.1.1),
# bones and joints in full. Compared without blanks, underscores and case.
_BODY_PART_TERMS = """
    ABDOMEN ABDOMENPELVIS ACJOINT ANKLE ARM BACK BREAST CALCANEUS CALF CHEST CHESTABDOMEN
    CHESTABDPELVIS CLAVICLE COCCYX CSPINE CTSPINE ELBOW EXTREMITY FACE FEMUR FIBULA FINGER FOOT
    FOREARM HAND HEAD HEADNECK HEART HIP HUMERUS ILIUM JAW KNEE LEG LOWERLEG LOWERLIMB LSPINE
    LSSPINE LUNG MANDIBLE MAXILLA NECK NECKCHEST NOSE ORBIT PATELLA PELVIS RADIUS RADIUSULNA RIB
    SCAPULA SHOULDER SIJOINT SKULL SPINE SSPINE STERNUM THIGH THUMB TIBIA TIBIAFIBULA TLSPINE
    TMJOINT TOE TSPINE ULNA UPPERARM UPPERLIMB WHOLEBODY WRIST ZYGOMA
"""
BODY_PARTS = frozenset(_BODY_PART_TERMS.split())

# PS3.3 C.8.1.1 (CR) and C.8.7.1 View Position.
VIEW_POSITIONS = frozenset({"AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO"})

# keyword -> fact name, terms. The names are the keywords in snake_case.
_CODED: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("BodyPartExamined", "body_part_examined", BODY_PARTS),
    ("ViewPosition", "view_position", VIEW_POSITIONS),
    ("Laterality", "laterality", frozenset("RL")),
    ("ImageLaterality", "image_laterality", frozenset("RLUB")),
    (
        "PresentationIntentType",
        "presentation_intent_type",
        frozenset({"FOR PRESENTATION", "FOR PROCESSING"}),
    ),
    ("LossyImageCompression", "lossy_image_compression", frozenset({"00", "01"})),
    (
        "LossyImageCompressionMethod",
        "lossy_image_compression_method",
        # PS3.3 C.7.6.1.1.5.1
        frozenset(["ISO_10918_1", "ISO_14495_1", "ISO_15444_1", "ISO_15444_15", "ISO_18181_1"]),
    ),
    (
        "PixelIntensityRelationship",
        "pixel_intensity_relationship",
        frozenset({"LIN", "LOG", "DISP"}),
    ),
    ("PresentationLUTShape", "presentation_lut_shape", frozenset({"IDENTITY", "INVERSE"})),
    ("BurnedInAnnotation", "burned_in_annotation", frozenset({"YES", "NO"})),
)

# keyword -> fact name, least and largest plausible value (kV, mAs, mA, ms, mm).
_NUMBERS: tuple[tuple[str, str, float, float], ...] = (
    ("KVP", "kvp", 10, 500),
    ("Exposure", "exposure", 0, 10_000),
    ("XRayTubeCurrent", "x_ray_tube_current", 0, 10_000),
    ("ExposureTime", "exposure_time", 0, 100_000),
    ("DistanceSourceToDetector", "distance_source_to_detector", 100, 10_000),
    ("DistanceSourceToPatient", "distance_source_to_patient", 100, 10_000),
    ("LossyImageCompressionRatio", "lossy_image_compression_ratio", 1, 1000),
    ("PixelIntensityRelationshipSign", "pixel_intensity_relationship_sign", -1, 1),
)


# keyword -> fact name; a value that does not have the form of a UID may be a name.
_UIDS = {
    "StudyInstanceUID": "study_instance_uid",
    "SeriesInstanceUID": "series_instance_uid",
    "SOPInstanceUID": "sop_instance_uid",
}
_UID = re.compile(r"[0-9.]{1,64}")


def acquisition_facts(
    code: Callable[[str], str | None], number: Callable[[str], float | None]
) -> tuple[dict[str, Fact], tuple[Notice, ...]]:
    """Collect the facts that may be shown, and a notice for each value that may not be.

    Parameters
    ----------
    code, number
        Return the value of a DICOM keyword as text or as a number, None if there is none.

    Returns
    -------
    facts
        Keyed by the DICOM keyword in snake_case.
    notices
        `non_standard_value`, naming the keyword and never the value.
    """
    facts: dict[str, Fact] = {}
    rejected: list[str] = []
    for keyword, name, terms in _CODED:
        text = code(keyword)
        if not text:
            continue
        term = _matching_term(text, terms)
        if term is None:
            rejected.append(keyword)
        else:
            facts[name] = term
    for keyword, name, least, largest in _NUMBERS:
        value = number(keyword)
        if value is None:
            continue
        if least <= value <= largest:  # False for NaN as well
            facts[name] = whole_or_not(value)
        else:
            rejected.append(keyword)
    return facts, tuple(
        notice(
            NoticeCode.NON_STANDARD_VALUE,
            f"{keyword} holds none of the values that the DICOM standard gives it; it is left out",
        )
        for keyword in rejected
    )


_DIRECTIONS = re.compile(r"[APRLHF]{1,3}")


def orientation(codes: Callable[[str], tuple[str, ...]]) -> dict[str, Fact]:
    """Return the patient orientation along rows and columns, if the file states both.

    Parameters
    ----------
    codes
        Returns all values of a DICOM keyword as texts.
    """
    # PS3.3 C.7.6.1.1.1: letters for anatomical directions; anything else may be a name
    said = codes("PatientOrientation")
    if len(said) != 2 or not all(_DIRECTIONS.fullmatch(one) for one in said):
        return {}
    return {"patient_orientation": "\\".join(said)}


def whole_or_not(value: float) -> Fact:
    """Convert a finite number to an integer, if it is a whole number of ordinary size."""
    return int(value) if value.is_integer() and abs(value) < 1e9 else value


def uids(code: Callable[[str], str | None]) -> dict[str, Fact]:
    """Return the UIDs, which can be traced to a patient; used only if the user requests it.

    Parameters
    ----------
    code
        Returns the value of a DICOM keyword as text, None if there is none.
    """
    found = ((name, code(keyword)) for keyword, name in _UIDS.items())
    return {name: value for name, value in found if value and _UID.fullmatch(value)}


def _matching_term(text: str, terms: frozenset[str]) -> str | None:
    """Return the standard's spelling of `text`, whatever its case, blanks and underscores."""
    plain = text.upper().strip()
    if plain in terms:
        return plain
    plain = plain.replace(" ", "").replace("_", "").replace("-", "")
    return plain if plain in terms else None
