"""Files: DICOM in every transfer syntax, PNG masks, truth folders, sample images."""

import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image

from lesionscan.simulation.dicom_file import (
    TransferSyntax,
    dicom_bytes,
    without_comments,
    write_dicom,
)
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.phantom import make_phantom
from lesionscan.simulation.phantom_folder import phantom_film
from lesionscan.simulation.samples import SAMPLES, write_samples
from lesionscan.simulation.truth_folder import write_truth_folder

REPOSITORY = Path(__file__).resolve().parents[2]
COMMITTED = REPOSITORY / "sample_images"
PHANTOM = make_phantom("hand", 3, lesions=2, long_side_px=200, film=Film(bits=12, laterality="L"))
UIDS = {
    "native": "1.2.840.10008.1.2.1",
    "rle": "1.2.840.10008.1.2.5",
    "jpeg-ls": "1.2.840.10008.1.2.4.80",
    "jpeg2000": "1.2.840.10008.1.2.4.90",
}


def _pixels(dataset: pydicom.Dataset) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """Decode one frame, with imagecodecs where pydicom would need optional plugins."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in (UIDS["native"], UIDS["rle"]):
        return np.asarray(dataset.pixel_array, dtype=np.uint16)
    frame = next(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=1))
    decode = imagecodecs.jpegls_decode if syntax == UIDS["jpeg-ls"] else imagecodecs.jpeg2k_decode
    return np.asarray(decode(frame), dtype=np.uint16)


@pytest.mark.parametrize("syntax", list(UIDS))
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_every_transfer_syntax_gives_the_pixels_back(syntax: TransferSyntax, bits: int) -> None:
    """Pixels are read back unchanged, with every transfer syntax and bit depth."""
    phantom = replace(
        PHANTOM,
        film=replace(PHANTOM.film, bits=bits),
        stored=(PHANTOM.stored * (2.0**bits - 1) / 4095).astype(np.uint16),
    )
    dataset = pydicom.dcmread(io.BytesIO(dicom_bytes(phantom, transfer_syntax=syntax)))
    assert dataset.file_meta.TransferSyntaxUID == UIDS[syntax]
    assert (dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit) == (16, bits, bits - 1)
    assert np.array_equal(_pixels(dataset), phantom.stored)


def test_a_file_says_what_it_shows() -> None:
    """The tags give body part, view, side and spacing, and a phantom as the patient."""
    dataset = pydicom.dcmread(io.BytesIO(dicom_bytes(PHANTOM)))
    assert dataset.Modality == "CR"
    assert dataset.BodyPartExamined == "HAND"
    assert dataset.ViewPosition == "PA"
    assert dataset.KVP == PHANTOM.kv == 55
    assert dataset.ImageLaterality == "L"
    assert str(dataset.PatientName) == "Phantom^Hand"
    assert dataset.PhotometricInterpretation == "MONOCHROME2"
    assert [float(v) for v in dataset.ImagerPixelSpacing] == pytest.approx(
        [PHANTOM.spacing_mm] * 2, abs=1e-5
    )


def test_spacing_can_be_left_out() -> None:
    """A file that is written without spacing has neither of the spacing tags."""
    dataset = pydicom.dcmread(io.BytesIO(dicom_bytes(PHANTOM, spacing_tag="none")))
    assert "ImagerPixelSpacing" not in dataset
    assert "PixelSpacing" not in dataset


def test_bytes_do_not_name_software_versions() -> None:
    """The file contains neither the name of pydicom nor that of OpenJPEG."""
    for syntax in ("native", "jpeg2000"):
        data = dicom_bytes(PHANTOM, transfer_syntax=syntax)
        assert b"PYDICOM" not in data.upper()
        assert b"OPENJPEG" not in data.upper()


def test_different_pictures_have_different_uids(tmp_path: Path) -> None:
    """Different phantoms have different UIDs, and a written file has the bytes of `dicom_bytes`."""
    other = make_phantom("hand", 4, long_side_px=200)
    write_dicom(tmp_path / "a.dcm", PHANTOM)
    assert (tmp_path / "a.dcm").read_bytes() == dicom_bytes(PHANTOM)
    one, two = (pydicom.dcmread(io.BytesIO(dicom_bytes(p))) for p in (PHANTOM, other))
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert re.fullmatch(r"2\.25\.[1-9]\d{1,38}", one.SOPInstanceUID)


def test_unknown_forms_are_refused() -> None:
    """Unknown transfer syntaxes and spacing tags are refused and named."""
    with pytest.raises(ValueError, match="unknown transfer syntax 'zip'; known: native"):
        dicom_bytes(PHANTOM, transfer_syntax="zip")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown spacing tag 'PixelSize'"):
        dicom_bytes(PHANTOM, spacing_tag="PixelSize")  # type: ignore[arg-type]


def test_only_whole_codestreams_lose_their_comments() -> None:
    """Bytes that are not JPEG 2000, or end within the header, are refused."""
    with pytest.raises(ValueError, match="not a JPEG 2000 codestream"):
        without_comments(b"\x89PNG")
    with pytest.raises(ValueError, match="its main header has no end"):
        without_comments(b"\xff\x4f\xff\x51\x00\x10")


def test_a_truth_folder_holds_images_masks_and_index(tmp_path: Path) -> None:
    """The index lists the phantom, and the masks are its lesion labels and its bone."""
    index = write_truth_folder(tmp_path, [phantom_film("one", PHANTOM)])
    (entry,) = json.loads(index.read_text(encoding="utf-8"))
    assert entry["name"] == "one"
    assert entry["lesions"] == len(PHANTOM.planted) == len(entry["lesion_facts"])
    assert (tmp_path / entry["file"]).is_file()
    with Image.open(tmp_path / "masks" / "one.lesions.png") as opened:
        assert np.array_equal(np.asarray(opened), PHANTOM.lesions)
    with Image.open(tmp_path / "masks" / "one.bone.png") as opened:
        assert np.array_equal(np.asarray(opened) == 255, PHANTOM.bone)
    labels = {fact["label"] for fact in entry["lesion_facts"]}
    assert labels == set(np.unique(PHANTOM.lesions)) - {0}


def test_names_are_plain_and_differ(tmp_path: Path) -> None:
    """A name that is empty, hidden, outside the folder or used twice is refused."""
    for name in ("", "../a", "a/b", ".hidden"):
        with pytest.raises(ValueError, match="is not a plain file name"):
            phantom_film(name, PHANTOM)
    twice = [phantom_film("a", PHANTOM), phantom_film("a", PHANTOM)]
    with pytest.raises(ValueError, match="two films are named 'a'"):
        write_truth_folder(tmp_path, twice)


@pytest.mark.slow
def test_sample_images_are_made_again(tmp_path: Path) -> None:
    """The recipes reproduce the committed sample images: films by bytes, masks by pixels."""
    write_samples(tmp_path)
    made, committed = (
        {
            path.relative_to(folder).as_posix(): _content(path)
            for path in sorted(folder.rglob("*"))
            # expected.json depends on the detection: tests/test_sample_images.py
            if path.is_file() and path.name != "expected.json"
        }
        for folder in (tmp_path, COMMITTED)
    )
    assert made == committed


def _content(path: Path) -> object:
    if path.suffix != ".png":  # compressed bytes depend on the library
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with Image.open(path) as opened:
        return opened.size, opened.mode, opened.tobytes()


def test_sample_images_are_small_and_varied() -> None:
    """Samples take under 12 MB and vary in transfer syntax, polarity, spacing and lesions."""
    assert sum(path.stat().st_size for path in COMMITTED.rglob("*")) < 12e6
    assert {sample.transfer_syntax for sample in SAMPLES} == set(UIDS)
    assert {sample.film.photometric for sample in SAMPLES} == {"MONOCHROME1", "MONOCHROME2"}
    assert {sample.spacing_tag for sample in SAMPLES} == {"ImagerPixelSpacing", "none"}
    assert any(not sample.lesions for sample in SAMPLES)


def test_every_lesion_of_the_samples_is_in_view() -> None:
    """Every lesion of the samples is in the index, with a contrast-to-noise of 1.5 to 16.

    None reaches the edge of the picture, and none is hidden in part, e.g. by a marker: each has at
    least 0.9 of its diameter.
    """
    index = json.loads((COMMITTED / "index.json").read_text(encoding="utf-8"))
    assert [entry["lesions"] for entry in index] == [len(sample.lesions) for sample in SAMPLES]
    for entry in index:
        for fact in entry["lesion_facts"]:
            assert 1.5 < fact["contrast_to_noise"] < 16
            assert fact["equivalent_diameter_mm"] > 0.9 * fact["recipe"]["diameter_mm"]
        with Image.open(COMMITTED / "masks" / f"{entry['name']}.lesions.png") as opened:
            mask = np.asarray(opened)
        assert np.count_nonzero(mask) == np.count_nonzero(mask[1:-1, 1:-1])
