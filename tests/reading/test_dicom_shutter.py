"""Shutters and collimators: applied if plausible, otherwise ignored with a notice."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lesionscan.radiograph import BoolImage, Radiograph
from lesionscan.reading import read_radiograph
from tests.reading.dicom_maker import dataset, save

ROWS, COLUMNS = 60, 80


def picture() -> NDArray[np.int64]:
    """Return noise in rows 10 to 49 and columns 20 to 69 with flat grey around it."""
    stored = np.full((ROWS, COLUMNS), 100)
    stored[10:50, 20:70] = np.random.default_rng(1).integers(0, 4096, (40, 50))
    return stored


def read(tmp_path: Path, stored: NDArray[np.int64] | None = None, **tags: Any) -> Radiograph:  # noqa: ANN401
    """Read the picture with these tags."""
    ds = dataset(picture() if stored is None else stored, bits_stored=12, **tags)
    return read_radiograph(save(ds, tmp_path / "a.dcm"))


def rectangle(kind: str, upper: int, lower: int, left: int, right: int) -> dict[str, Any]:
    """Return the tags of a rectangle; rows and columns count from 1, as in the standard."""
    return {
        f"{kind}Shape": "RECTANGULAR",
        f"{kind}UpperHorizontalEdge": upper,
        f"{kind}LowerHorizontalEdge": lower,
        f"{kind}LeftVerticalEdge": left,
        f"{kind}RightVerticalEdge": right,
    }


def said(radiograph: Radiograph) -> dict[str, str]:
    """Return the notices about the stated field."""
    codes = ("field_stated", "bad_field")
    return {n.code: n.message for n in radiograph.notices if n.code in codes}


@pytest.mark.parametrize("kind", ["Shutter", "Collimator"])
def test_a_rectangle_leaves_its_inside(tmp_path: Path, kind: str) -> None:
    """Pixels outside a rectangle are not valid, with a notice; its edges belong to the inside."""
    radiograph = read(tmp_path, **rectangle(kind, 11, 50, 21, 70))
    expected = np.zeros((ROWS, COLUMNS), np.bool_)
    expected[10:50, 20:70] = True
    np.testing.assert_array_equal(radiograph.valid, expected)
    assert said(radiograph) == {
        "field_stated": f"what lies outside the {kind.lower()} that the file states is left out: "
        "58.3% of the picture"
    }


def disk(row: float, column: float, radius: float) -> BoolImage:
    """Return a disk; row and column count from 1."""
    rows, columns = np.indices((ROWS, COLUMNS)) + 1
    return np.asarray(np.hypot(rows - row, columns - column) <= radius, np.bool_)


def test_a_circle_leaves_its_inside(tmp_path: Path) -> None:
    """A circle is given by its centre as row and column, and its radius in pixels."""
    radiograph = read(
        tmp_path, ShutterShape="CIRCULAR", CenterOfCircularShutter=[30, 45],
        RadiusOfCircularShutter=20,
    )  # fmt: skip
    np.testing.assert_array_equal(radiograph.valid, disk(30, 45, 20))


def test_a_polygon_leaves_its_inside(tmp_path: Path) -> None:
    """A polygon is given by its corners as rows and columns; here it equals a rectangle."""
    corners = [11, 21, 11, 70, 50, 70, 50, 21]
    radiograph = read(tmp_path, ShutterShape="POLYGONAL", VerticesOfThePolygonalShutter=corners)
    same = read(tmp_path, **rectangle("Shutter", 11, 50, 21, 70))
    np.testing.assert_array_equal(radiograph.valid, same.valid)


@pytest.mark.parametrize("shape", ["CIRCULAR", "POLYGONAL"])
def test_a_collimator_of_any_shape(tmp_path: Path, shape: str) -> None:
    """The tags of a circular or polygonal collimator have the same meaning as a shutter's."""
    tags: dict[str, Any] = {
        "CenterOfCircular{}": [30, 45],
        "RadiusOfCircular{}": 60,
        "VerticesOfThePolygonal{}": [8, 18, 8, 73, 53, 73, 53, 18],
    }
    shutter, collimator = (
        read(
            tmp_path,
            **dict[str, Any](
                {f"{kind}Shape": shape, **{name.format(kind): tags[name] for name in tags}}
            ),
        )
        for kind in ("Shutter", "Collimator")
    )
    np.testing.assert_array_equal(collimator.valid, shutter.valid)
    assert (shape == "CIRCULAR") == bool(shutter.valid.all())


def test_several_shapes_hide_together(tmp_path: Path) -> None:
    """With a rectangle and a circle, only pixels inside both stay valid."""
    tags = rectangle("Shutter", 11, 50, 21, 70) | {
        "ShutterShape": ["RECTANGULAR", "CIRCULAR"],
        "CenterOfCircularShutter": [30, 45],
        "RadiusOfCircularShutter": 22,
    }
    radiograph = read(tmp_path, **tags)
    expected = disk(30, 45, 22)
    expected[:10] = expected[50:] = False
    np.testing.assert_array_equal(radiograph.valid, expected)


def test_edges_just_beyond_the_picture_hide_nothing(tmp_path: Path) -> None:
    """Edges at 0 or one past the end, as devices write for an open side, hide nothing."""
    radiograph = read(tmp_path, **rectangle("Shutter", 0, ROWS + 1, 0, COLUMNS + 1))
    assert radiograph.valid.all()
    assert said(radiograph) == {}


@pytest.mark.parametrize(
    ("tags", "fault"),
    [
        (rectangle("Shutter", -184, 184, 907, 1299), "lies beyond the picture"),
        (rectangle("Shutter", 50, 11, 21, 70), "leaves nothing of the picture"),
        (rectangle("Shutter", 20, 22, 21, 70), "leaves nothing of the picture"),
        ({"ShutterShape": "RECTANGULAR"}, "is not complete"),
        ({"ShutterShape": "CIRCULAR", "RadiusOfCircularShutter": 9}, "is not complete"),
        (
            {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [1, 1, 9, 9]},
            "is not complete",
        ),
        (
            {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [9, 9] * 1001},
            "has too many corners",
        ),
        ({"ShutterShape": "BITMAP"}, "has none of the shapes"),
    ],
)
def test_what_cannot_be_true_is_ignored(tmp_path: Path, tags: dict[str, Any], fault: str) -> None:
    """An impossible or incomplete shutter is ignored, and a notice gives the reason."""
    radiograph = read(tmp_path, **tags)
    assert radiograph.valid.all()
    assert fault in said(radiograph)["bad_field"]


def test_a_collimator_over_exposed_parts_is_ignored(tmp_path: Path) -> None:
    """A collimator is ignored if the film was exposed outside it; a shutter is applied.

    Such a collimator belongs to another image.
    """
    noise = np.random.default_rng(2).integers(0, 4096, (ROWS, COLUMNS))
    radiograph = read(tmp_path, noise, **rectangle("Collimator", 11, 50, 21, 70))
    assert radiograph.valid.all()
    assert "was exposed" in said(radiograph)["bad_field"]
    # a shutter hides pixels on purpose, whatever they show
    assert not read(tmp_path, noise, **rectangle("Shutter", 11, 50, 21, 70)).valid.all()


def test_padding_stays_out(tmp_path: Path) -> None:
    """Pixels outside the shutter and pixels of padding are both not valid."""
    radiograph = read(
        tmp_path, PixelPaddingValue=int(picture()[20, 30]), **rectangle("Shutter", 11, 50, 21, 70)
    )
    assert not radiograph.valid[20, 30]
    assert not radiograph.valid[0, 0]
