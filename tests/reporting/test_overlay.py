"""Pictures show the film, the outlines and the numbers, and cover no lesion."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lesionscan.detection.pipeline import Findings
from lesionscan.detection.signs import Sign
from lesionscan.radiograph import Spacing
from lesionscan.reporting.caption import caption_words, reason_words, scale_bar
from lesionscan.reporting.conversion import ok_record
from lesionscan.reporting.drawing import broken, text_size
from lesionscan.reporting.overlay import (
    bone_png,
    display_scale,
    grey_window,
    labels_png,
    overlay_png,
    to_grey,
)
from lesionscan.reporting.tags import place_tags
from lesionscan.results.record import ImageRecord
from lesionscan.settings import Settings
from tests.reporting.made import Disk, Film, displayed_of, make_findings

AMBER = np.array((0, 176, 255))


def decode(data: bytes) -> NDArray[np.uint8]:
    """Return a PNG's pixels as stored."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return np.asarray(picture)


def overlaid(findings: Findings) -> bytes:
    """Return the overlay of findings."""
    record = ok_record(findings, file="a.png", sha256=None)
    return overlay_png(record, displayed_of(findings))


def amber(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return a mask of the pixels in the colour of the outlines."""
    return np.asarray(np.abs(picture.astype(int) - AMBER).sum(axis=2) < 60)


def test_labels_keep_the_stored_matrix_and_the_ids() -> None:
    """The label image has 16 bits, the size of the film and each candidate's id."""
    findings = make_findings()
    labels = decode(labels_png(findings))
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(labels, findings.labels)


def test_the_bone_picture_is_the_bone_mask() -> None:
    """The bone picture has 8 bits and the size of the film: 255 on bone, 0 elsewhere."""
    findings = make_findings()
    bone = decode(bone_png(findings))
    assert bone.dtype == np.uint8
    np.testing.assert_array_equal(bone, np.where(findings.bone, 255, 0))


@pytest.mark.parametrize(
    ("rows", "columns", "long_side"), [(256, 200, 900), (1000, 1200, 1200), (4000, 3000, 1600)]
)
def test_small_films_grow_and_large_ones_shrink(rows: int, columns: int, long_side: int) -> None:
    """The long side of the drawn film is between 900 and 1600 pixels."""
    assert round(display_scale(rows, columns, at_most_px=1600) * max(rows, columns)) == long_side


@pytest.mark.parametrize("rows", [256, 1200])
def test_only_shown_candidates_are_outlined(rows: int) -> None:
    """A shown candidate has an amber outline all round; one below the threshold has none."""
    disks = (Disk(rows // 2, 100, 14, 0.9), Disk(rows // 5, 100, 10, 0.2))
    film = Film(rows=rows, columns=200, disks=disks)
    scale = display_scale(rows, 200, at_most_px=1600)
    picture = amber(decode(overlaid(make_findings(film))))
    left = (picture.shape[1] - round(200 * scale)) // 2  # narrow films have black margins
    for disk, outlined in zip(disks, (True, False), strict=True):
        centre = (round(disk.row * scale), left + round(disk.column * scale))
        reach = round((disk.radius + 8) * scale)
        near = picture[centre[0] - reach : centre[0] + reach, centre[1] - reach : centre[1] + reach]
        quadrants = [
            half.any() for part in np.array_split(near, 2) for half in np.array_split(part, 2, 1)
        ]
        assert all(quadrants) == outlined
        assert any(quadrants) == outlined


@pytest.mark.parametrize("rows", [256, 600, 3000])
def test_nothing_is_drawn_on_a_candidate(rows: int) -> None:
    """Inside the shown candidates the picture is the unchanged film."""
    unit = rows // 50
    disks = tuple(
        Disk(rows // 2 + step * 3 * unit, rows // 3, unit, 0.9) for step in (-3, -2, -1, 0, 1, 2, 3)
    )
    film = Film(rows=rows, columns=2 * rows // 3, disks=disks)
    drawn = make_findings(film)
    scale = display_scale(rows, film.columns, at_most_px=1600)
    picture = decode(overlaid(drawn)).astype(int)
    size = (round(film.columns * scale), round(rows * scale))
    inside = cv2.resize((drawn.labels > 0).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    inside = cv2.erode(inside, np.ones((3, 3), np.uint8))
    plain = displayed_of(drawn)
    change = np.abs(picture[: size[1], : size[0]] - plain[:, :, None]).max(axis=2)
    assert inside.any()
    assert change[inside > 0].max() <= 8  # smoothing at the edge of the halo


def test_the_caption_says_what_was_found_and_what_it_is_not() -> None:
    """The caption gives the counts and the disclaimer, or says that bone was not assessed."""
    words = caption_words(make_findings().candidates, assessed=True)
    assert words[0] == "2 candidates (1 shown)"
    assert "not a diagnosis" in " ".join(words)
    words = caption_words((), assessed=False)
    assert words[0] == "not assessed: bone mask confidence low"


def test_the_strip_says_why_the_best_candidate_is_shown() -> None:
    """The strip lists the best shown candidate's first three signs; nothing if none is shown."""
    candidates = make_findings().candidates
    assert reason_words(candidates) == (
        "1:  + network: clearly suggests a lesion (mean 0.70)   + brighter bone on all sides   "
        "- beside a marker or metal"
    )
    many = tuple(Sign("shape", "against", f"sign {rank}") for rank in range(1, 6))
    words = reason_words((replace(candidates[0], signs=many),))
    assert words == "1:  - sign 1   - sign 2   - sign 3"
    assert reason_words(make_findings(Film(disks=(Disk(150, 100, 14, 0.2),))).candidates) == ""
    assert reason_words(()) == ""


def test_long_reasons_are_broken_into_lines() -> None:
    """No line is wider than the strip, and no word is lost."""
    text = "1:  + " + "enclosed on all sides   - " * 6
    lines = broken(text, 400, 14)
    assert len(lines) > 2
    assert all(text_size(line, 14)[0] <= 400 for line in lines)
    assert " ".join(lines).split() == text.split()


def spaced(spacing: Spacing | None) -> ImageRecord:
    """Return the image record of a film with a spacing."""
    image = ok_record(make_findings(Film(spacing=spacing)), file="a.png", sha256=None).image
    assert image is not None
    return image


def test_the_scale_bar_is_as_long_as_it_says() -> None:
    """20 mm at 0.5 mm per column, enlarged twofold, are 80 display pixels."""
    image = spaced(Spacing(0.25, 0.5, "ImagerPixelSpacing", "detector"))
    assert scale_bar(image, 2.0, 100.0) == (80.0, "20 mm at the detector")


def test_no_scale_bar_where_a_millimetre_does_not_fit_or_is_not_known() -> None:
    """There is no scale bar if 1 mm is longer than the strip, or the spacing is unknown."""
    assert scale_bar(spaced(Spacing(0.01, 0.01, "user", "patient")), 1.0, 50.0) is None
    assert scale_bar(spaced(None), 1.0, 50.0) is None


def test_spacing_adds_a_line_to_the_strip() -> None:
    """The strip of a film with known spacing is taller: it has a scale bar."""
    plain = decode(overlaid(make_findings()))
    spaced = decode(overlaid(make_findings(Film(spacing=Spacing(0.1, 0.1, "user", "patient")))))
    assert spaced.shape[0] > plain.shape[0]


@pytest.mark.parametrize(("rows", "columns"), [(600, 30), (30, 600), (1, 900), (900, 1), (8, 8)])
def test_odd_shapes_are_overlaid(rows: int, columns: int) -> None:
    """Very narrow and very small films get an overlay."""
    disks = (Disk(rows // 2, columns // 2, 0, 0.9),)
    picture = decode(overlaid(make_findings(Film(rows=rows, columns=columns, disks=disks))))
    assert picture.ndim == 3
    assert max(picture.shape) >= 480


def test_a_crowded_film_keeps_its_numbers_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of a hundred candidates on a small film are inside the picture."""
    numbers: list[str] = []

    def written(
        canvas: NDArray[np.uint8], text: str, origin: tuple[int, int], height: int, *_: object
    ) -> None:
        width, tall = text_size(text, height)
        assert 0 <= origin[0] <= canvas.shape[1] - width
        assert tall <= origin[1] < canvas.shape[0]
        numbers.append(text)

    monkeypatch.setattr("lesionscan.reporting.tags.write_text", written)
    disks = tuple(
        Disk(8 + 15 * row, 8 + 18 * col, 5, 0.9) for row in range(10) for col in range(10)
    )
    overlaid(make_findings(Film(rows=160, columns=176, disks=disks)))
    assert len(set(numbers)) == 100


def test_tags_never_cover_each_other() -> None:
    """Two tags for the same outline are placed apart, and not on the outlined region."""
    canvas = np.zeros((400, 400, 3), np.uint8)
    taken = np.zeros((400, 400), np.uint8)
    outline = np.array([(190, 190), (210, 190), (210, 210), (190, 210)], np.int32)
    taken[190:211, 190:211] = 255
    before = int((taken > 0).sum())
    place_tags(canvas, taken=taken, outlines=[outline], texts=["8"], height_px=12)
    one_tag = int((taken > 0).sum()) - before
    place_tags(canvas, taken=taken, outlines=[outline], texts=["8"], height_px=12)
    assert int((taken > 0).sum()) == before + 2 * one_tag
    assert not canvas[195:206, 195:206].any()


def test_grey_is_stretched_inside_the_field() -> None:
    """A white marker outside the field does not reduce the film's contrast."""
    image = np.full((50, 50), 0.4, np.float32)
    image[:, 25:] = 0.6
    image[:5] = 1.0
    exposed = np.ones(image.shape, np.bool_)
    exposed[:5] = False
    grey = to_grey(image, grey_window(image, exposed))
    assert (grey[20, 0], grey[20, 40], grey[0, 0]) == (0, 255, 255)


def test_a_blank_film_is_mid_grey() -> None:
    """A film of one value is mid-grey instead of amplified noise, exposed or not."""
    blank = np.full((20, 20), 0.3, np.float32)
    assert {*to_grey(blank, grey_window(blank, np.zeros((20, 20), np.bool_))).ravel().tolist()} == {
        128
    }


def test_the_same_findings_give_the_same_picture() -> None:
    """The bytes of an overlay depend only on the findings."""
    assert overlaid(make_findings()) == overlaid(make_findings())


def test_the_picture_is_no_larger_than_the_settings_say() -> None:
    """Without the caption, the long side is at most `overlay_max_px`."""
    film = Film(rows=400, columns=1000, settings=Settings(overlay_max_px=500))
    assert decode(overlaid(make_findings(film))).shape[1] == 500
