"""PNG, JPEG and TIFF files in installed packages, compared with Pillow and tifffile.

Most are photographs, plots and micrographs. Each must be refused for an expected reason, or have
the values that Pillow or tifffile reads.
"""

from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from lesionscan.radiograph import Radiograph
from tests.reading.test_corpora import outcomes

_PACKAGES = (
    "imageio",
    "matplotlib",
    "networkx",
    "pillow",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "sympy",
    "tifffile",
)
_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff")

EXPECTED = {
    "colour_photograph",  # its channels differ
    "not_a_radiograph",  # black and white
    "no_pixels",  # transparent everywhere
    "multi_frame",  # a volume
}
"""Codes of expected refusals of intact images that are not radiographs."""

DEEPER = {"scikit-image/chessboard_RGB.png"}
"""Images with 16 bits per channel, of which Pillow keeps 8."""


@cache
def files() -> dict[str, Path]:
    """Return the files by package and name, without duplicates."""
    contents: dict[bytes, tuple[str, Path]] = {}
    for package in _PACKAGES:
        for path in _files_of(package):
            contents.setdefault(path.read_bytes(), (f"{package}/{path.name}", path))
    return dict(contents.values())


def _files_of(package: str) -> Iterator[Path]:
    try:
        listed = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        return
    for one in listed:
        path = Path(str(one.locate()))
        if path.suffix.lower() in _ENDINGS and path.is_file():
            yield path


def test_the_corpus_is_there() -> None:
    """The packages contain over 30 files, so the test below is not empty."""
    assert len(files()) > 30


def theirs(path: Path) -> list[NDArray[Any]]:
    """Return the grey images of a file as read by Pillow or tifffile, as float64."""
    if path.suffix.lower().startswith(".tif"):
        with tifffile.TiffFile(path) as file:
            return [_grey(page.asarray(), file.pages.first) for page in file.pages]
    with Image.open(path) as picture:
        array = np.asarray(picture.convert("RGBA") if picture.mode == "P" else picture)
    return [_grey(array, None)]


def _grey(array: NDArray[Any], page: tifffile.TiffPage | None) -> NDArray[Any]:
    if page is not None and page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        array = np.iinfo(array.dtype).max - array
    if array.ndim == 3:
        array = array[..., 0] if array.shape[2] < 3 else array[..., :3].mean(axis=2)
    return array.astype(np.float64)


@pytest.mark.parametrize("name", files())
def test_values_are_those_of_the_package_at_home(name: str) -> None:
    """Each image has the values of Pillow or tifffile, or is refused for an expected reason."""
    path = files()[name]
    read = outcomes(path)
    refused = {one for one in read if isinstance(one, str)}
    assert refused <= EXPECTED
    films = [one for one in read if isinstance(one, Radiograph)]
    if refused or not films:
        return
    for ours, other in zip(films, theirs(path), strict=True):
        scale = 257 if name in DEEPER else 1
        apart = np.abs(ours.pixels.astype(np.float64) / scale - other)[ours.valid]
        assert apart.max() <= 1.0, apart.max()
