"""Nothing that may identify a patient gets into results or onto the terminal."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.cli.command import files, lesionscan
from tests.reading.dicom_maker import SENTINEL, dataset, encode, plant_text, save

STORED = np.random.default_rng(5).integers(0, 4096, (96, 80))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of films, some damaged, with marker text wherever text can be stored."""
    folder = tmp_path_factory.mktemp("films")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of pydicom while the files are made
        for packing in ("explicit", "implicit", "jpeg2000", "deflated"):
            ds = dataset(STORED, bits_stored=12, packing=packing, WindowCenter=9, WindowWidth=3)
            plant_text(ds)
            save(ds, folder / f"{packing}.dcm")
        ds.Modality = SENTINEL
        save(ds, folder / "other_modality.dcm")
        ds = dataset(STORED, bits_stored=12, packing="jpeg_ls")
        plant_text(ds)
        data = save(ds, folder / "cut.dcm").read_bytes()
        (folder / "cut.dcm").write_bytes(data[:-500])
        codestream = encode(STORED.astype(np.uint16), 12, "jpeg_ls")
        start = data.index(codestream) + 60
        (folder / "damaged.dcm").write_bytes(data[:start] + bytes(900) + data[start + 900 :])
        ds = dataset(STORED, bits_stored=12)
        plant_text(ds)
        ds.PhotometricInterpretation = SENTINEL
        save(ds, folder / "no_polarity.dcm")
    grey = (STORED // 16).astype(np.uint8)
    tifffile.imwrite(folder / "a.tif", grey, description=SENTINEL, metadata=None)
    text = PngInfo()
    text.add_text("Description", SENTINEL)
    exif = Image.Exif()
    exif[0x010E] = SENTINEL
    Image.fromarray(grey).save(folder / "a.png", pnginfo=text, exif=exif)
    Image.fromarray(grey).save(folder / "a.jpg", comment=SENTINEL, exif=exif)
    return folder


def test_a_scan_says_nothing(films: Path, tmp_path: Path) -> None:
    """A scan leaks no text from the files, and only damaged or unsuitable films fail."""
    done = lesionscan("scan", films, "--out", tmp_path / "out", "--jobs", 2)
    assert done.returncode == 1
    results = files(tmp_path / "out")
    failed = {
        name.removesuffix(".json"): json.loads(data)["error"]["code"]
        for name, data in results.items()
        if name.endswith(".json") and name != "run.json" and b'"failed"' in data
    }
    assert failed == {
        "cut.dcm": "truncated",
        "damaged.dcm": "undecodable",
        "no_polarity.dcm": "bad_header",
        "other_modality.dcm": "not_a_radiograph",
    }
    told = {"the terminal": (done.stdout + done.stderr).encode(), **results}
    assert len(told) > 20
    leaks = [name for name, data in told.items() if SENTINEL.lower().encode() in data.lower()]
    assert leaks == []


@pytest.mark.slow
def test_inspecting_says_nothing(films: Path) -> None:
    """`inspect` prints no text from readable or unreadable films, whatever is allowed."""
    for film in sorted(films.iterdir()):
        done = lesionscan("inspect", film, "--keep-uids", "--allow-burned-in")
        assert done.returncode in (0, 1)
        assert SENTINEL.lower() not in (done.stdout + done.stderr).lower(), film.name


@pytest.mark.slow
def test_explaining_says_nothing(films: Path, tmp_path: Path) -> None:
    """`explain` leaks no text to the terminal or the picture, of readable or unreadable films."""
    for name in ("explicit.dcm", "damaged.dcm"):
        done = lesionscan("explain", films / name, "--out", tmp_path / "p.png", "--allow-burned-in")
        assert done.returncode == (0 if name == "explicit.dcm" else 1)
        assert SENTINEL.lower() not in (done.stdout + done.stderr).lower(), name
        assert SENTINEL.encode() not in (tmp_path / "p.png").read_bytes()


def test_comparing_says_nothing(films: Path, tmp_path: Path) -> None:
    """`compare` leaks no text, of films or of results, whether it can read them or not."""
    out = tmp_path / "out"
    said = []
    for name in ("jpeg2000.dcm", "damaged.dcm", "a.tif"):
        done = lesionscan("compare", films / "explicit.dcm", films / name, "--out", out,
                          "--ignore-headers", "--allow-burned-in")  # fmt: skip
        said.append(done.stdout + done.stderr)
    lesionscan("scan", films, "--out", tmp_path / "results", "--jobs", 2, "--allow-burned-in")
    both = [tmp_path / "results"] * 2
    done = lesionscan("compare", *both, "--out", out, "--ignore-headers", "--jobs", 2)
    said.append(done.stdout + done.stderr)
    told = {"the terminal": "".join(said).encode(), **files(out)}
    assert len(told) > 5
    leaks = [name for name, data in told.items() if SENTINEL.lower().encode() in data.lower()]
    assert leaks == []
