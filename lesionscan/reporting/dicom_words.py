"""Codes and equipment data shared by the report and the segmentation.

The available dictionaries have no code for a lytic lesion: a candidate is coded as a lesion
(SNOMED CT 52988006), with a private code for its kind.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from lesionscan.reading.dicom_tags import Tags, silenced_pydicom
from lesionscan.results.record import CandidateRecord, ResultRecord

SCHEME = "99LESIONSCAN"
"""Designator of lesionscan's codes; private ones begin with 99 (PS3.16 8)."""

CATEGORY = Code("49755003", "SCT", "Morphologically Abnormal Structure")
FINDING = Code("52988006", "SCT", "Lesion")
BONE = Code("272673000", "SCT", "Bone")
FAMILY: Code = codes.cid7162.ArtificialIntelligence

_THIRD = Code("third_of_bone", SCHEME, "Third of the long bone")
_THIRDS = {
    "proximal_third": codes.SCT.Proximal,
    "middle_third": Code("middle_third", SCHEME, "Middle third"),
    "distal_third": codes.SCT.Distal,
    "end_third": Code("end_third", SCHEME, "End third, direction not known"),
}
_POSITION = Code("across_bone", SCHEME, "Position across the bone")
_POSITIONS = {
    "central": codes.SCT.Central,
    "eccentric": codes.SCT.Eccentric,
    "cortical": Code("cortical", SCHEME, "In the cortex"),
    "surface": codes.SCT.Surface,
}
_SCALLOPING = Code("endosteal_scall", SCHEME, "Endosteal scalloping")
_SCALLOPINGS = {
    "none": Code("none", SCHEME, "None"),
    "under_half": Code("under_half", SCHEME, "Up to half of the cortex"),
    "over_half": Code("over_half", SCHEME, "Over half of the cortex"),
}
_SIDES = {"R": Code("24028007", "SCT", "Right"), "L": Code("7771000", "SCT", "Left")}
_ANATOMY_SCHEMES = ("SCT", "SRT", "FMA")


@dataclass(frozen=True, slots=True)
class Maker:
    """Version and parameters of the program that made a result.

    Attributes
    ----------
    version
        Version of the program.
    parameters
        Everything else that a result depends on, by name.
    """

    version: str
    parameters: Mapping[str, str]

    @classmethod
    def of(cls, result: ResultRecord) -> "Maker":
        """Return the maker stated in a result."""
        tool = result.tool
        names = ("settings_sha256", "scorer_sha256")
        return cls(version=tool.version, parameters={name: getattr(tool, name) for name in names})

    @property
    def serial(self) -> str:
        """Substitute for a serial number, which a program does not have: identifies the scorer."""
        return self.parameters["scorer_sha256"][:16]

    @property
    def equipment(self) -> Mapping[str, Any]:
        """Arguments of highdicom that describe the equipment and the series."""
        return {
            "instance_number": 1,
            "manufacturer": "lesionscan",
            "manufacturer_model_name": "lesionscan",
            "software_versions": self.version,
            "device_serial_number": self.serial,
            "series_description": "lesionscan candidates, research only",
            "content_qualification": "RESEARCH",
        }


def tracking_id(candidate: CandidateRecord) -> str:
    """Return the tracking identifier of a candidate, the same in every object."""
    return f"candidate {candidate.id}"


def evaluations(candidate: CandidateRecord) -> Iterator[tuple[Code, Code]]:
    """Yield (property, value) of a candidate's location and cortex; unknown values are left out.

    Codes are from SNOMED CT if it has them (PS3.16 CID 2 and CID 3491).
    """
    place = candidate.location
    properties: tuple[tuple[Code, Mapping[str, Code], str | None], ...] = (
        (_THIRD, _THIRDS, None if place is None else place.third),
        (_POSITION, _POSITIONS, None if place is None else place.position),
        (_SCALLOPING, _SCALLOPINGS, candidate.scalloping_band),
    )
    for name, words, word in properties:
        if word is not None:
            yield name, words[word]


def site(tags: Tags) -> Code:
    """Return the anatomy coded in the film, or bone."""
    with silenced_pydicom(tags.irregular):
        region = tags.sequence_item("AnatomicRegionSequence")
        if region is None:
            return BONE
        value, meaning = region.code("CodeValue"), region.code("CodeMeaning")
        scheme = region.code("CodingSchemeDesignator")
    if not value or not meaning or scheme not in _ANATOMY_SCHEMES:
        return BONE
    fits = len(value) <= 16 and len(meaning) <= 64  # SH and LO (PS3.5 6.2)
    return Code(value, scheme, meaning) if fits else BONE


def side(result: ResultRecord) -> Code | None:
    """Return right or left; None if the film states neither or both."""
    return _SIDES.get(result.side or "")
