"""The structured report has the values of the JSON, and states what it is."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from lesionscan.radiograph import Spacing
from tests.reporting.dicom_films import (
    THREE,
    comments,
    groups,
    inside,
    needs_dsrdump,
    read,
    searched,
)
from tests.reporting.made import Film

pytest.importorskip("highdicom", reason="needs the extra dicom")


def test_every_outline_comes_back_as_the_candidate(tmp_path: Path) -> None:
    """Filled outlines of the shown candidates equal their pixels in the label image."""
    film = searched(tmp_path)
    found = groups(film.report())
    assert [group.tracking_identifier for group in found] == ["candidate 1", "candidate 2"]
    for number, group in enumerate(found, start=1):
        points = group.roi.value
        np.testing.assert_array_equal(points[0], points[-1])
        np.testing.assert_array_equal(inside(points, film.labels.shape), film.labels == number)


@pytest.mark.parametrize(
    ("spacing", "suffixes", "units"),
    [
        (None, ("px", "px"), ("{pixels}", "{pixels}")),
        (Spacing(0.143, 0.143, "ImagerPixelSpacing", "detector"), ("mm2", "mm"), ("mm2", "mm")),
    ],
)
def test_every_number_comes_back(
    tmp_path: Path, spacing: Spacing | None, suffixes: tuple[str, str], units: tuple[str, str]
) -> None:
    """Measurements equal those of the JSON, in mm if the JSON has mm, else in pixels."""
    film = searched(tmp_path, Film(disks=THREE.disks, spacing=spacing))
    for candidate, group in zip(film.result["candidates"], groups(film.report()), strict=False):
        said = {one.name.meaning: (one.value, one.unit.value) for one in group.get_measurements()}
        area, length = suffixes
        assert said == {
            "Score, not a probability": (candidate["score"], "1"),
            "Area": (candidate[f"area_{area}"], units[0]),
            "Diameter of the disk of the same area": (
                candidate[f"equivalent_diameter_{length}"],
                units[1],
            ),
            "Long axis": (candidate[f"feret_max_{length}"], units[1]),
            "Perimeter": (candidate[f"perimeter_{length}"], units[1]),
            "Width of transition zone": (candidate[f"margin_width_{length}"], units[1]),
            "Circularity": (candidate["circularity"], "1"),
            "Eccentricity": (candidate["eccentricity"], "1"),
            "Solidity": (candidate["solidity"], "1"),
            "Contrast on a grey scale of 0 to 1": (candidate["contrast"], "1"),
            "Contrast to noise": (candidate["contrast_to_noise"], "1"),
            "Width across bone / width of bone": (candidate["lesion_to_bone_width"], "1"),
            "Share of cortex gone inside": (candidate["endosteal_scalloping"], "1"),
            "Length of break of cortex": (candidate[f"cortex_break_{length}"], units[1]),
            "Width of bone / width expected": (candidate["bone_expansion"], "1"),
        }


def test_what_was_not_measured_is_left_out(tmp_path: Path) -> None:
    """A null in the JSON gives no measurement."""
    film = searched(tmp_path)
    film.result["candidates"][0] |= {"margin_width_px": None, "lesion_to_bone_width": None}
    names = {one.name.meaning for one in groups(film.report())[0].get_measurements()}
    assert names.isdisjoint({"Width of transition zone", "Width across bone / width of bone"})


def test_place_and_cortex_are_coded(tmp_path: Path) -> None:
    """Location and cortex have SNOMED CT codes if these exist, else our own; unknown is omitted."""
    film = searched(tmp_path)
    film.result["candidates"][1] |= {"location": None, "scalloping_band": None}
    said = [
        {
            one.name.meaning: (one.value.scheme_designator, one.value.value)
            for one in group.get_qualitative_evaluations()
            if one.name.scheme_designator == "99LESIONSCAN"
        }
        for group in groups(film.report())
    ]
    kind = {"Kind of finding": ("99LESIONSCAN", "lytic_candidate")}
    assert said[0] == {
        **kind,
        "Third of the long bone": ("99LESIONSCAN", "middle_third"),
        "Position across the bone": ("SCT", "255380003"),
        "Endosteal scalloping": ("99LESIONSCAN", "under_half"),
    }
    assert said[1] == kind


@pytest.mark.parametrize(
    ("third", "code"), [("proximal_third", "40415009"), ("distal_third", "46053002")]
)
def test_proximal_and_distal_have_codes(tmp_path: Path, third: str, code: str) -> None:
    """The proximal and distal third have the codes of PS3.16 CID 2."""
    film = searched(tmp_path)
    film.result["candidates"][0]["location"]["third"] = third
    evaluations = groups(film.report())[0].get_qualitative_evaluations()
    assert code in {one.value.value for one in evaluations}


def test_the_report_says_what_it_is(tmp_path: Path) -> None:
    """Status flags, disclaimer, software, doubts and signs are in the report."""
    film = searched(tmp_path)
    report = read(film.report())
    assert report.SOPClassUID.name == "Comprehensive SR Storage"
    flags = (report.CompletionFlag, report.PreliminaryFlag, report.VerificationFlag)
    assert flags == ("COMPLETE", "PRELIMINARY", "UNVERIFIED")
    assert report.ContentQualification == "RESEARCH"
    scheme = report.CodingSchemeIdentificationSequence[0]
    assert scheme.CodingSchemeDesignator == "99LESIONSCAN"
    assert comments(report.ContentSequence) == [
        "Research use only; not a diagnosis.",
        "2 of 3 ranked candidates are reported.",
        "The film has no plausible spacing: sizes are in pixels.",
    ]
    group = groups(film.report())[1][0].ContentSequence
    assert comments(group) == [
        "Doubts about these numbers: touches_bone_edge.",
        "for: network: clearly suggests a lesion (mean 0.70)",
        "for: brighter bone on all sides",
        "against: beside a marker or metal",
        "place: middle third of a long bone",
    ]
    texts = {item.TextValue for item in group if item.ValueType == "TEXT"}
    tool = film.result["tool"]
    assert {
        tool["version"],
        f"settings_sha256={tool['settings_sha256']}",
        f"scorer_sha256={tool['scorer_sha256']}",
    } <= texts


def test_the_plane_of_the_millimetres_is_told(tmp_path: Path) -> None:
    """The report states that its millimetres refer to the plane of the detector."""
    spacing = Spacing(0.143, 0.143, "ImagerPixelSpacing", "detector")
    film = searched(tmp_path, Film(disks=THREE.disks, spacing=spacing))
    told = comments(read(film.report()).ContentSequence)[-1]
    assert told == (
        "Millimetres refer to the plane: detector (ImagerPixelSpacing, not calibrated for "
        "magnification)."
    )


def test_a_film_that_was_not_assessed_is_told(tmp_path: Path) -> None:
    """The report says that the film was not searched, rather than that nothing was found."""
    film = searched(tmp_path, Film(assessed=False))
    told = comments(read(film.report()).ContentSequence)
    assert any("was not searched" in text for text in told)


def test_a_long_outline_is_written_whole(tmp_path: Path) -> None:
    """An outline too long for explicit VR is complete: the report uses implicit VR."""
    film = searched(tmp_path)
    teeth = [[row, 2 * tooth + row % 2] for tooth in range(3000) for row in (0, 1, 2)]
    film.result["candidates"][0]["contour_px"] = teeth
    data = film.report()
    assert read(data).file_meta.TransferSyntaxUID.name == "Implicit VR Little Endian"
    points = groups(data)[0].roi.value
    assert len(points) > 8191
    assert {(row, column) for column, row in (points - 0.5).astype(int).tolist()} <= {
        (row, column) for row, column in teeth
    }


@pytest.mark.parametrize(
    ("contour", "points"),
    [
        ([[3, 7]], [[7.5, 3.5], [7.5, 3.5]]),
        ([[0, 0], [0, 1], [0, 2], [1, 2], [2, 2], [2, 1], [2, 0], [1, 0]],
         [[0.5, 0.5], [2.5, 0.5], [2.5, 2.5], [0.5, 2.5], [0.5, 0.5]]),
        ([[5, 1], [5, 2], [5, 3], [5, 2]], [[1.5, 5.5], [3.5, 5.5], [1.5, 5.5]]),
    ],
)  # fmt: skip
def test_outlines_of_known_shapes(contour: list[list[int]], points: list[list[float]]) -> None:
    """The outlines of a pixel, a square and a line are closed and have the expected points."""
    from lesionscan.reporting.dicom_report import outline

    np.testing.assert_array_equal(outline(contour), points)


@needs_dsrdump
def test_another_program_reads_the_report(tmp_path: Path) -> None:
    """Dsrdump of DCMTK reads the report without errors, and prints a measurement."""
    path = tmp_path / "report.dcm"
    path.write_bytes(searched(tmp_path).report())
    done = subprocess.run(["dsrdump", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert '(,,"Score, not a probability")="0.9"' in done.stdout
    assert "UNVERIFIED" in done.stdout
