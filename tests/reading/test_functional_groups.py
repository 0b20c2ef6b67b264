"""Functional groups of enhanced and multi-frame objects, and tags that are not numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from lesionscan.radiograph import Radiograph
from lesionscan.reading import open_radiographs, read_radiograph
from tests.reading.dicom_maker import dataset, ramp, save

FILM = ramp(12, rows=4, columns=6)


def item(**tags: Any) -> Dataset:  # noqa: ANN401 - whatever a DICOM tag may hold
    """Return an item of a sequence."""
    ds = Dataset()
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return ds


def group(**macros: Dataset) -> Dataset:
    """Return functional groups, each macro a sequence of one item."""
    return item(**{keyword: Sequence([macro]) for keyword, macro in macros.items()})


def films(tmp_path: Path, frames: int = 1, **tags: Any) -> list[Radiograph]:  # noqa: ANN401
    """Write a film with several equal frames, and read them."""
    ds = dataset(FILM, bits_stored=12, **tags)
    ds.PixelData *= frames
    ds.NumberOfFrames = frames
    with open_radiographs(save(ds, tmp_path / "a.dcm")) as opened:
        return [opened.read(number) for number in range(1, frames + 1)]


def spacing(film: Radiograph) -> tuple[float, float, str] | None:
    """Return the spacing of rows and columns, and its source."""
    stated = film.spacing
    return None if stated is None else (stated.row_mm, stated.column_mm, stated.source)


def test_shared_groups_hold_for_every_frame(tmp_path: Path) -> None:
    """Spacing, rescale and window in the shared groups apply to every frame."""
    shared = group(
        PixelMeasuresSequence=item(PixelSpacing=["0.2", "0.1"]),
        PixelValueTransformationSequence=item(RescaleSlope="2", RescaleIntercept="-100"),
        FrameVOILUTSequence=item(WindowCenter="500", WindowWidth="300"),
    )
    for film in films(tmp_path, 2, SharedFunctionalGroupsSequence=Sequence([shared])):
        assert spacing(film) == (0.2, 0.1, "PixelSpacing")
        np.testing.assert_array_equal(film.pixels, 2 * FILM - 100)
        assert film.acquisition["window_center"] == 500


def test_each_frame_has_its_own_groups(tmp_path: Path) -> None:
    """Per-frame groups take precedence over shared ones and the data set, with a notice."""
    frames = [
        group(
            PixelMeasuresSequence=item(PixelSpacing=[mm, mm]),
            PixelValueTransformationSequence=item(RescaleSlope=slope, RescaleIntercept="0"),
        )
        for mm, slope in (("0.1", "1"), ("0.3", "-1"))
    ]
    shared = group(PixelMeasuresSequence=item(PixelSpacing=["0.7", "0.7"]))
    one, other = films(
        tmp_path, 2, PixelSpacing=["0.9", "0.9"], RescaleSlope="5",
        PerFrameFunctionalGroupsSequence=Sequence(frames),
        SharedFunctionalGroupsSequence=Sequence([shared]),
    )  # fmt: skip
    assert (spacing(one), spacing(other)) == (
        (0.1, 0.1, "PixelSpacing"),
        (0.3, 0.3, "PixelSpacing"),
    )
    np.testing.assert_array_equal(one.pixels, FILM)
    np.testing.assert_array_equal(other.pixels, -FILM)
    said = " ".join(entry.message for entry in one.notices if entry.code == "header_irregular")
    assert "PixelSpacing of a functional group differs" in said
    assert "RescaleSlope of a functional group differs" in said


def test_the_detectors_spacing_stands_in_a_group(tmp_path: Path) -> None:
    """ImagerPixelSpacing is read from the frame pixel data properties of enhanced objects."""
    shared = group(FramePixelDataPropertiesSequence=item(ImagerPixelSpacing=["0.15", "0.15"]))
    (film,) = films(tmp_path, SharedFunctionalGroupsSequence=Sequence([shared]))
    assert spacing(film) == (0.15, 0.15, "ImagerPixelSpacing")


def test_groups_that_lack_a_frame_leave_the_data_set(tmp_path: Path) -> None:
    """The data set's tag is used if a group is missing, its macro is empty or it lacks the tag."""
    frames = [group(PixelMeasuresSequence=item(SliceThickness="1"))]
    for film in films(
        tmp_path, 2, PixelSpacing=["0.2", "0.2"],
        PerFrameFunctionalGroupsSequence=Sequence(frames),
        SharedFunctionalGroupsSequence=Sequence([item(PixelMeasuresSequence=Sequence([]))]),
    ):  # fmt: skip
        assert spacing(film) == (0.2, 0.2, "PixelSpacing")


def with_text(keyword: str, text: str, **tags: Any) -> Dataset:  # noqa: ANN401
    """Return a film with exactly this text in a tag."""
    ds = dataset(FILM, bits_stored=12, **tags)
    tag, data = Tag(tag_for_keyword(keyword) or 0), text.encode()
    data += b" " * (len(data) % 2)
    vr = "IS" if keyword == "PixelAspectRatio" else "DS"
    ds[tag] = RawDataElement(tag, vr, len(data), data, 0, False, True)
    return ds


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize(
    "keyword", ["PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"]
)
@pytest.mark.parametrize(
    "text",
    ["0,143\\0,143", "0.143 mm\\0.143 mm", "0.143/0.143", "0.143;0.143", "0.143x0.143", "0.1 0.1"],
)
def test_a_spacing_that_is_no_number_is_named(tmp_path: Path, keyword: str, text: str) -> None:
    """A spacing with decimal commas, units or wrong separators is reported without its text."""
    film = read_radiograph(save(with_text(keyword, text), tmp_path / "a.dcm"))
    assert film.spacing is None
    (message,) = (one.message for one in film.notices if one.code == "bad_spacing")
    assert message.startswith(f"{keyword} holds something that is no number")
    assert not any(text in one.message for one in film.notices)


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize(
    ("keyword", "text", "code"),
    [
        ("EstimatedRadiographicMagnificationFactor", "1,2", "bad_spacing"),
        ("PixelAspectRatio", "2:1", "bad_spacing"),
        ("RescaleSlope", "-1,0", "bad_rescale"),
        ("RescaleIntercept", "12 HU", "bad_rescale"),
        ("WindowWidth", "1,0", "bad_window"),
    ],
)
def test_other_tags_that_are_no_numbers_are_named(
    tmp_path: Path, keyword: str, text: str, code: str
) -> None:
    """Other tags that are not numbers are reported, and half a rescale is not applied."""
    slope = {} if keyword == "RescaleSlope" else {"RescaleSlope": "2"}
    rescaled = slope if code == "bad_rescale" else {}
    film = read_radiograph(save(with_text(keyword, text, **rescaled), tmp_path / "a.dcm"))
    (message,) = (one.message for one in film.notices if one.code == code)
    assert message.startswith(f"{keyword} holds something that is no number")
    np.testing.assert_array_equal(film.pixels, FILM)


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_text_in_a_group_is_named_too(tmp_path: Path) -> None:
    """Text in a group is reported, and the value of the data set is used instead."""
    measures = Dataset()
    measures[0x0028, 0x0030] = with_text("PixelSpacing", "0,1\\0,1").get_item("PixelSpacing")
    shared = group(PixelMeasuresSequence=measures)
    (film,) = films(
        tmp_path, SharedFunctionalGroupsSequence=Sequence([shared]), PixelSpacing=["0.2", "0.2"]
    )
    assert spacing(film) == (0.2, 0.2, "PixelSpacing")
    assert "PixelSpacing holds something" in " ".join(one.message for one in film.notices)
