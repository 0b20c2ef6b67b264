"""The image that viewers should display for a DICOM file, also compared with DCMTK."""

import itertools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from lesionscan.radiograph import Radiograph
from lesionscan.reading import UnreadableFileError, open_radiographs, read_radiograph
from lesionscan.settings import Settings
from tests.reading.dicom_maker import dataset, ramp, save

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "dicom"
DCMTK = shutil.which("dcmj2pnm")
needs_dcmtk = pytest.mark.skipif(DCMTK is None, reason="dcmj2pnm (Debian: dcmtk) is not installed")


def read(tmp_path: Path, *, bits: int = 12, **tags: Any) -> Radiograph:  # noqa: ANN401
    """Read a ramp with these tags."""
    return read_radiograph(save(dataset(ramp(bits), bits_stored=bits, **tags), tmp_path / "a.dcm"))


def shown(path: Path, settings: Settings | None = None) -> NDArray[np.uint8] | None:
    """Return the displayed image of a file."""
    with open_radiographs(path, settings=settings) as frames:
        return frames.show(1)


def shown_ramp(tmp_path: Path, **tags: Any) -> NDArray[np.uint8] | None:  # noqa: ANN401
    """Return the displayed image of the ramp with these tags."""
    read(tmp_path, **tags)
    return shown(tmp_path / "a.dcm")


def bad_windows(radiograph: Radiograph) -> list[str]:
    """Return the messages about windows that cannot be used."""
    return [entry.message for entry in radiograph.notices if entry.code == "bad_window"]


def voi_table(entries: NDArray[np.uint16], *, first: int = 0, bits: int = 16) -> Sequence:
    """Return a VOI LUT Sequence."""
    item = Dataset()
    item.LUTDescriptor = [entries.size % 65536, first, bits]
    item["LUTDescriptor"].VR = "US"
    item.LUTData = entries.tolist()
    item["LUTData"].VR = "US"
    return Sequence([item])


def test_the_first_window_is_shown_and_told(tmp_path: Path) -> None:
    """The first of two windows is displayed and reported; it does not clip the grey values."""
    radiograph = read(tmp_path, WindowCenter=[1000, 2048], WindowWidth=[101, 4096])
    picture = shown(tmp_path / "a.dcm")
    assert picture is not None
    stored = ramp(12)
    assert (picture[stored <= 950] == 0).all()
    assert (picture[stored >= 1050] == 255).all()
    np.testing.assert_array_equal(radiograph.pixels, stored)
    facts = {name: radiograph.acquisition[name] for name in ("window_center", "window_width")}
    assert facts == {"window_center": 1000, "window_width": 101}
    assert radiograph.acquisition["voi_lut_function"] == "LINEAR"
    assert radiograph.acquisition["windows"] == 2


@pytest.mark.parametrize(
    ("written", "meant"),
    [("LINEAR EXACT", "LINEAR_EXACT"), ("linear_exact", "LINEAR_EXACT"), ("Sigmoid", "SIGMOID")],
)
def test_a_misspelt_function_is_understood(tmp_path: Path, written: str, meant: str) -> None:
    """VOILUTFunction is recognised regardless of case, blanks and underscores."""
    ds = dataset(ramp(12), bits_stored=12, WindowCenter=1000, WindowWidth=100)
    ds.add(DataElement("VOILUTFunction", "CS", written, validation_mode=IGNORE))
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    assert radiograph.acquisition["voi_lut_function"] == meant


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({}, None),
        ({"WindowCenter": "", "WindowWidth": ""}, None),
        ({"WindowCenter": 1000}, None),
        ({"WindowCenter": 1000, "WindowWidth": 0}, "width 0 cannot be used"),
        ({"WindowCenter": 1000, "WindowWidth": -3}, "width -3 cannot be used"),
        (
            {"WindowCenter": 1, "WindowWidth": 9, "VOILUTFunction": "MR SMITH"},
            "none of the standard's terms",
        ),
    ],
)
def test_no_window_that_can_be_used(tmp_path: Path, tags: dict[str, Any], said: str | None) -> None:
    """Without a usable window there is no displayed image; only a wrong tag is reported."""
    radiograph = read(tmp_path, **tags)
    assert shown(tmp_path / "a.dcm") is None
    assert "window_center" not in radiograph.acquisition
    messages = bad_windows(radiograph)
    assert len(messages) == (said is not None)
    assert said is None or said in messages[0]
    assert "SMITH" not in " ".join(messages)


def test_a_voi_table_comes_before_a_window(tmp_path: Path) -> None:
    """A VOI LUT, which the manufacturer designed, takes precedence over a window."""
    entries = np.linspace(65535, 0, 4096).round().astype(np.uint16)
    radiograph = read(
        tmp_path, VOILUTSequence=voi_table(entries), WindowCenter=2048, WindowWidth=4096
    )
    picture = shown(tmp_path / "a.dcm")
    assert picture is not None
    assert (picture[0, 0], picture[-1, -1]) == (255, 0)
    assert radiograph.acquisition["voi_lut_entries"] == 4096
    assert radiograph.acquisition["voi_lut_bits"] == 16


@pytest.mark.parametrize("descriptor", [[4096, 0], [4096, 0, 7], [8192, 0, 16]])
def test_a_window_stands_in_for_a_broken_table(tmp_path: Path, descriptor: list[int]) -> None:
    """A VOI LUT that cannot be used is reported, and the window is used instead."""
    sequence = voi_table(np.arange(4096, dtype=np.uint16))
    sequence[0].LUTDescriptor = descriptor
    radiograph = read(tmp_path, VOILUTSequence=sequence, WindowCenter=1000, WindowWidth=100)
    assert radiograph.acquisition["window_center"] == 1000
    assert "VOI LUT" in bad_windows(radiograph)[0]


def test_raw_values_have_no_display_picture(tmp_path: Path) -> None:
    """For Processing values are not displayed: their window belongs to another image."""
    tags = {"PresentationIntentType": "FOR PROCESSING", "WindowCenter": 1000, "WindowWidth": 100}
    assert shown_ramp(tmp_path, **tags) is None


def test_dark_bone_is_shown_bright_too(tmp_path: Path) -> None:
    """The user's polarity applies to both the grey values and the displayed image."""
    path = save(
        dataset(ramp(12), bits_stored=12, WindowCenter=2048, WindowWidth=4096), tmp_path / "a.dcm"
    )
    settings = Settings(polarity="bone-dark")
    dark = read_radiograph(path, settings=settings)
    assert dark.polarity == "user"
    np.testing.assert_array_equal(dark.pixels, 4095 - ramp(12))
    bright, turned = shown(path), shown(path, settings)
    assert bright is not None
    assert turned is not None
    assert np.abs(255 - bright.astype(int) - turned).max() <= 1


def by_dcmtk(path: Path, option: str) -> NDArray[np.uint8] | None:
    """Return the image that DCMTK displays; None if it cannot."""
    out = path.with_suffix(".pgm")
    command = [str(DCMTK), "--write-raw-pnm", option, "1", "--no-overlays", str(path), str(out)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode or not out.is_file():
        return None
    data = out.read_bytes()
    kind, size, full, pixels = data.split(b"\n", 3)
    assert (kind, full) == (b"P5", b"255")
    columns, rows = (int(number) for number in size.split())
    return np.frombuffer(pixels, np.uint8).reshape(rows, columns)


def cases() -> Iterator[tuple[str, Dataset]]:
    """Yield files of every depth, sign, function, polarity and modality transform, with names."""
    functions = ("LINEAR", "SIGMOID")  # DCMTK 3.6.7 does not support LINEAR_EXACT
    every = itertools.product(
        (8, 10, 12, 14, 15, 16), (False, True), functions, ("MONOCHROME1", "MONOCHROME2")
    )
    for number, (bits, signed, function, photometric) in enumerate(every):
        low = -(1 << bits - 1) if signed else 0
        tags: dict[str, Any] = {
            "VOILUTFunction": function,
            "WindowCenter": low + round(0.4 * (1 << bits)),
            "WindowWidth": round(0.5 * (1 << bits)),
        }
        for rescaled in (False, True):
            if rescaled:
                tags |= {"RescaleSlope": 2, "RescaleIntercept": -100}
                tags["WindowCenter"] = 2 * tags["WindowCenter"] - 100
                tags["WindowWidth"] *= 2
            packing = ("explicit", "implicit", "big_endian", "rle", "jpeg_lossless")[number % 5]
            name = f"{bits}_{signed}_{function}_{photometric}_{rescaled}"
            yield name, dataset(
                ramp(bits, signed=signed, rows=40, columns=50), bits_stored=bits, signed=signed,
                photometric=photometric, packing=packing, **tags,
            )  # fmt: skip


@needs_dcmtk
def test_windows_are_shown_as_dcmtk_shows_them(tmp_path: Path) -> None:
    """On 96 generated files no pixel differs from DCMTK by more than 1 of 255."""
    compared = 0
    for name, ds in cases():
        path = save(ds, tmp_path / f"{name}.dcm")
        theirs, ours = by_dcmtk(path, "+Wi"), shown(path)
        assert theirs is not None, name
        assert ours is not None, name
        assert np.abs(theirs.astype(int) - ours).max() <= 1, name
        compared += 1
    assert compared == 96


@needs_dcmtk
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_tables_are_shown_as_dcmtk_shows_them(tmp_path: Path, bits: int, photometric: str) -> None:
    """VOI LUTs of 8 to 16 bits, shorter than the range, differ from DCMTK by at most 1 of 255."""
    entries = (np.linspace(0, 1, 3000) ** 2 * ((1 << bits) - 1)).round().astype(np.uint16)
    path = save(
        dataset(
            ramp(12, rows=40, columns=50), bits_stored=12, photometric=photometric,
            VOILUTSequence=voi_table(entries, first=300, bits=bits),
        ),
        tmp_path / "a.dcm",
    )  # fmt: skip
    theirs, ours = by_dcmtk(path, "+Wl"), shown(path)
    assert theirs is not None
    assert ours is not None
    assert np.abs(theirs.astype(int) - ours).max() <= 1


@pytest.mark.slow
@needs_dcmtk
@pytest.mark.skipif(not REAL.is_dir(), reason="shared/data/dicom is not here")
def test_real_files_are_shown_as_dcmtk_shows_them(tmp_path: Path) -> None:
    """Real files with a window or VOI LUT that both can read differ by at most 1 of 255.

    Where a lossy codec overshoots the stored range, DCMTK wraps, which swaps black and white: eight
    pixels of RG3_JPLY, which are dark in its lossless version. Ours are clipped.
    """
    compared = []
    for source in sorted(REAL.glob("*.dcm")):
        try:
            ours, picture = read_radiograph(source), shown(source)
        except UnreadableFileError:
            continue
        if picture is None:
            continue
        path = tmp_path / source.name
        path.write_bytes(source.read_bytes())
        table = "voi_lut_entries" in ours.acquisition
        theirs = by_dcmtk(path, "+Wl" if table else "+Wi")
        if theirs is None:
            continue
        apart = np.abs(theirs.astype(int) - picture) > 1
        if source.name == "RG3_JPLY.dcm":
            assert apart.sum() == 8
            assert (ours.pixels[apart] == 0).all()
            assert (read_radiograph(REAL / "RG3_JPLL.dcm").pixels[apart] <= 3).all()
        else:
            assert not apart.any(), source.name
        compared.append(source.stem)
    assert set(compared) >= {"RG2_JPLL", "RG2_JPLY", "RG2_RLE", "RG3_JPLL", "RG3_JPLY", "vlut_04"}
