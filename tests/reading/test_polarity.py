"""Polarity: bone is bright where viewers show it bright, whichever tag inverts the film."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from lesionscan.radiograph import Radiograph
from lesionscan.reading import open_radiographs, read_radiograph
from lesionscan.reading.grayscale import Lut
from lesionscan.reading.polarity import Claims, Course, RawRelation, decide, lut_course
from lesionscan.settings import Polarity, Settings
from tests.reading.dicom_maker import dataset, ramp, save

UP = np.arange(4096)
DOWN = UP[::-1]
S_CURVE = np.rint(4095 / (1 + np.exp((UP / 4095 - 0.5) * 8))).astype(int)
FILM = ramp(12, rows=40, columns=50)
RAW: dict[str, Any] = {"PresentationIntentType": "FOR PROCESSING"}


def table(entries: NDArray[Any], *, first: int = 0, bits: int = 12) -> Dataset:
    """Return an item of a modality or VOI LUT sequence."""
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries), first, bits])
    item.add_new("LUTData", "US", [int(entry) for entry in entries])
    return item


def voi(*items: Dataset) -> dict[str, Any]:
    """Return the tags of VOI LUTs."""
    return {"VOILUTSequence": Sequence(items)}


def modality(item: Dataset) -> dict[str, Any]:
    """Return the tags of a modality LUT."""
    return {"ModalityLUTSequence": Sequence([item])}


def read(
    tmp_path: Path,
    stored: NDArray[Any],
    *,
    photometric: str = "MONOCHROME2",
    signed: bool = False,
    settings: Settings | None = None,
    **tags: Any,  # noqa: ANN401 - whatever a DICOM tag may hold
) -> Radiograph:
    """Write a film of 12 bits and read it."""
    ds = dataset(stored, bits_stored=12, photometric=photometric, signed=signed, **tags)
    return read_radiograph(save(ds, tmp_path / "a.dcm"), settings=settings)


def said(radiograph: Radiograph, code: str) -> str:
    """Return the messages with this code, joined."""
    return " ".join(one.message for one in radiograph.notices if one.code == code)


@pytest.mark.parametrize("entries", [DOWN, S_CURVE, np.where(UP == 0, 0, DOWN)])
def test_a_falling_voi_table_turns_monochrome2(tmp_path: Path, entries: NDArray[Any]) -> None:
    """A falling VOI LUT inverts: linear, curved, or with a black entry for padding."""
    film = read(tmp_path, 4095 - FILM, **voi(table(entries)))
    np.testing.assert_array_equal(film.pixels, FILM)
    assert "VOILUTSequence falls" in said(film, "polarity_turned")
    assert film.polarity_steps == (
        "VOILUTSequence falls, so that low values become high",
        "MONOCHROME2: not turned",
        "so bone is low after the modality transform",
    )


def test_a_falling_voi_table_and_monochrome1_turn_twice(tmp_path: Path) -> None:
    """A falling VOI LUT and MONOCHROME1 cancel each other out."""
    film = read(tmp_path, FILM, photometric="MONOCHROME1", **voi(table(DOWN)))
    np.testing.assert_array_equal(film.pixels, FILM)
    assert film.polarity_steps[-1] == "so bone is high after the modality transform"


def test_a_falling_voi_table_of_eight_bits_and_of_signed_values(tmp_path: Path) -> None:
    """A falling VOI LUT inverts if its entries have 8 bits, and if its input is signed."""
    film = read(tmp_path, 4095 - FILM, **voi(table(np.arange(255, -1, -1), first=1900, bits=8)))
    np.testing.assert_array_equal(film.pixels, FILM)
    signed = FILM - 2048
    film = read(tmp_path, -1 - signed, signed=True, **voi(table(DOWN, first=-2048)))
    np.testing.assert_array_equal(film.pixels, signed)


def test_a_rising_voi_table_changes_nothing(tmp_path: Path) -> None:
    """A rising VOI LUT changes no values and causes no notice."""
    film = read(tmp_path, FILM, **voi(table(UP)))
    np.testing.assert_array_equal(film.pixels, FILM)
    assert not {one.code for one in film.notices} & {"polarity_turned", "polarity_ambiguous"}


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("entries", [UP, DOWN, S_CURVE])
@pytest.mark.parametrize("polarity", ["auto", "bone-dark"])
def test_what_is_searched_is_bright_where_what_is_shown_is(
    tmp_path: Path, photometric: str, entries: NDArray[Any], polarity: Polarity
) -> None:
    """The grey values and the displayed image have the same polarity."""
    ds = dataset(FILM, bits_stored=12, photometric=photometric, **voi(table(entries)))
    path = save(ds, tmp_path / "a.dcm")
    with open_radiographs(path, settings=Settings(polarity=polarity)) as frames:
        shown, film = frames.show(1), frames.read(1)
    assert shown is not None
    assert np.corrcoef(shown.ravel(), film.pixels.ravel())[0, 1] > 0.8


def test_a_table_that_rises_and_falls_is_taken_as_for_most_pixels(tmp_path: Path) -> None:
    """A table that rises and falls is taken in its direction for most pixels, with a notice."""
    roof = np.minimum(UP, 4095 - UP) * 2
    film = read(tmp_path, FILM // 2, **voi(table(roof)))
    assert not said(film, "polarity_ambiguous"), "only its rising half is used"
    film = read(
        tmp_path, np.where(FILM < 1000, FILM // 2 + 1300, FILM // 2 + 2000), **voi(table(roof))
    )
    assert "VOILUTSequence both rises and falls" in said(film, "polarity_ambiguous")
    assert "taken as falling" in said(film, "polarity_ambiguous")
    assert film.polarity_steps[0].startswith("VOILUTSequence on the whole falls")


@pytest.mark.parametrize(
    "tags",
    [
        voi(table(DOWN), table(UP)),
        voi(table(DOWN)) | {"WindowCenter": 2000, "WindowWidth": 4000},
    ],
)
def test_a_choice_that_leads_elsewhere_is_said(tmp_path: Path, tags: dict[str, Any]) -> None:
    """If a second VOI LUT or a window has the other direction, the first is used, with a notice."""
    film = read(tmp_path, 4095 - FILM, **tags)
    np.testing.assert_array_equal(film.pixels, FILM)
    assert "first table of VOILUTSequence" in said(film, "polarity_ambiguous")


@pytest.mark.parametrize(
    ("photometric", "stored"), [("MONOCHROME2", 4095 - FILM), ("MONOCHROME1", FILM)]
)
@pytest.mark.parametrize(
    ("tag", "tags"),
    [
        ("RescaleSlope", {"RescaleSlope": "-1", "RescaleIntercept": "4095"}),
        ("ModalityLUTSequence", modality(table(DOWN))),
    ],
)
def test_a_falling_modality_transform_is_followed(
    tmp_path: Path, photometric: str, stored: NDArray[Any], tag: str, tags: dict[str, Any]
) -> None:
    """A falling modality transform inverts before PhotometricInterpretation is applied."""
    film = read(tmp_path, stored, photometric=photometric, **tags)
    np.testing.assert_array_equal(film.pixels, FILM)
    assert film.polarity_steps[0] == f"{tag} falls, so that low values become high"
    assert tag in said(film, "polarity_turned")


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"RescaleSlope": "-1", "RescaleIntercept": "4095"},
        modality(table(DOWN)),
        modality(table(UP)),
    ],
)
def test_the_sign_of_raw_values_is_that_of_stored_ones(
    tmp_path: Path, sign: int, tags: dict[str, Any]
) -> None:
    """PixelIntensityRelationshipSign applies to stored values, before the modality transform."""
    stored = FILM if sign == -1 else 4095 - FILM
    raw = RAW | {"PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipSign": sign}
    film = read(tmp_path, stored, **raw, **tags)
    np.testing.assert_array_equal(film.pixels, FILM)
    assert f"PixelIntensityRelationshipSign {sign}" in " ".join(film.polarity_steps)


def test_linear_raw_values_turned_by_their_slope(tmp_path: Path) -> None:
    """Linear raw values that their slope inverts give the same logarithm as others."""
    raw = RAW | {"PixelIntensityRelationship": "LIN", "PixelIntensityRelationshipSign": 1}
    plain = read(tmp_path, FILM, photometric="MONOCHROME1", **raw)
    turned = read(tmp_path, FILM, RescaleSlope="-1", RescaleIntercept="4095", **raw)
    np.testing.assert_allclose(turned.pixels, plain.pixels, rtol=1e-6)
    assert plain.pixels[0, 0] == plain.pixels.max()
    assert said(turned, "polarity_disagreement") == ""


def test_raw_values_without_relation_are_as_viewers_show_them(tmp_path: Path) -> None:
    """The VOI LUT of raw values without relation counts, although they are not displayed."""
    film = read(tmp_path, 4095 - FILM, **RAW, **voi(table(DOWN)))
    np.testing.assert_array_equal(film.pixels, FILM)
    assert "voi_lut_entries" not in film.acquisition
    with open_radiographs(tmp_path / "a.dcm") as frames:
        assert frames.show(1) is None


def test_the_users_word_turns_what_viewers_show(tmp_path: Path) -> None:
    """bone-dark refers to the displayed image, so it is applied after the VOI LUT."""
    settings = Settings(polarity="bone-dark")
    film = read(tmp_path, FILM, settings=settings, **voi(table(DOWN)))
    np.testing.assert_array_equal(film.pixels, FILM)
    assert "you say that bone is dark in viewers" in film.polarity_steps


def test_padding_has_no_say(tmp_path: Path) -> None:
    """Pixels of padding do not count for the direction of a table."""
    entries = np.where(UP < 100, 0, DOWN)
    stored = np.where(FILM > 3995, 0, 4095 - FILM)
    film = read(tmp_path, stored, PixelPaddingValue=0, **voi(table(entries)))
    np.testing.assert_array_equal(film.pixels[film.valid], FILM[film.valid])
    assert said(film, "polarity_ambiguous") == ""


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("modality_falls", [False, True])
@pytest.mark.parametrize("voi_falls", [None, False, True])
def test_turns_are_counted(
    photometric: str, voi_falls: bool | None, *, modality_falls: bool
) -> None:
    """After the modality transform only a falling VOI LUT and MONOCHROME1 invert."""
    claims = Claims(
        photometric,
        modality=Course("RescaleSlope", modality_falls),
        voi=None if voi_falls is None else Course("VOILUTSequence", voi_falls),
    )
    assert decide(claims, "auto").turned == ((photometric == "MONOCHROME1") != bool(voi_falls))
    assert decide(claims, "bone-dark").turned != decide(claims, "auto").turned


def test_a_sign_that_contradicts_the_viewers_is_said() -> None:
    """The sign of raw values is used if it contradicts PhotometricInterpretation, with a notice."""
    claims = Claims("MONOCHROME2", raw=True, relation=RawRelation(False, False))
    decision = decide(claims, "auto")
    assert decision.turned
    assert [one.code for one in decision.notices] == ["for_processing", "polarity_disagreement"]


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(("entries", "is_said"), [(DOWN, True), (UP, False), (UP[:1], False)])
def test_a_presentation_table_is_said_and_not_applied(
    tmp_path: Path, photometric: str, entries: NDArray[Any], *, is_said: bool
) -> None:
    """A falling PresentationLUTSequence is reported but not applied; nor does DCMTK apply it.

    It belongs in a presentation state.
    """
    stored = 4095 - FILM if photometric == "MONOCHROME1" else FILM
    sequence = {"PresentationLUTSequence": voi(table(entries))["VOILUTSequence"]}
    film = read(tmp_path, stored, photometric=photometric, **sequence)
    np.testing.assert_array_equal(film.pixels, FILM)
    assert ("PresentationLUTSequence falls" in said(film, "polarity_disagreement")) == is_said
    assert ("PresentationLUTSequence falls" in " ".join(film.polarity_steps)) == is_said


@pytest.mark.parametrize(("entries", "share"), [(256, "94%"), (4000, "2%"), (4096, "")])
def test_a_modality_table_that_ends_too_early(tmp_path: Path, entries: int, share: str) -> None:
    """Values beyond a modality LUT take its last entry, as in viewers; their share is reported."""
    film = read(tmp_path, FILM, **modality(table(UP[:entries])))
    np.testing.assert_array_equal(film.pixels, np.minimum(FILM, entries - 1))
    message = said(film, "bad_rescale")
    assert message == "" if not share else f"for 0 to {entries - 1} only, and {share}" in message


def test_a_presentation_table_that_is_none(tmp_path: Path) -> None:
    """A PresentationLUTSequence without a table is ignored, without a notice."""
    item = Dataset()
    item.LUTExplanation = "empty"
    film = read(tmp_path, FILM, PresentationLUTSequence=[item])
    np.testing.assert_array_equal(film.pixels, FILM)
    assert said(film, "polarity_disagreement") == ""


COLOURS = {
    "slope": {"RescaleSlope": "-1", "RescaleIntercept": "255"},
    "table": modality(table(DOWN)),
}


@pytest.mark.parametrize("transform", COLOURS)
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "PALETTE COLOR"])
def test_colours_have_no_modality_and_voi_transform(
    tmp_path: Path, photometric: str, transform: str
) -> None:
    """Modality and VOI transforms of colour images are not applied, as in viewers."""
    grey = np.arange(256).reshape(16, 16)
    chroma = np.full_like(grey, 128) if photometric == "YBR_FULL" else grey
    tags: dict[str, Any] = COLOURS[transform] | voi(table(DOWN))
    for name in ("Red", "Green", "Blue") if photometric == "PALETTE COLOR" else ():
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 8]
        tags[f"{name}PaletteColorLookupTableData"] = np.arange(256).astype(np.uint8).tobytes()
    stored = grey if photometric == "PALETTE COLOR" else np.dstack([grey, chroma, chroma])
    ds = dataset(stored, bits_stored=8, photometric=photometric, **tags)
    film = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(film.pixels, grey)
    assert "to colours; stored values are used as they are" in said(film, "bad_rescale")
    assert film.polarity_steps[0] == f"{photometric}: not turned"
    with open_radiographs(tmp_path / "a.dcm") as frames:
        assert frames.show(1) is None


def test_a_flat_table_leads_nowhere() -> None:
    """A table with a single value does not fall."""
    lut = Lut(0, 12, np.full(10, 7))
    assert lut_course("VOILUTSequence", lut, np.arange(10)) == Course("VOILUTSequence", False)
