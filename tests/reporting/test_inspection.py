"""`inspect` reports the bits, frames, polarity and spacing that were actually used."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from lesionscan.detection.pipeline import find_candidates, normalise_film
from lesionscan.reading import open_radiographs
from lesionscan.reporting.inspection import inspection
from lesionscan.settings import Settings
from tests.reading.dicom_maker import Array, dataset, encode, save
from tests.reading.test_dicom_bits import film
from tests.reading.test_polarity import DOWN, modality, table, voi

FILM = film(12)
SETTINGS = Settings(search="quick")


def inspected(path: Path) -> list[tuple[list[str], dict[str, str]]]:
    """Return the messages and the other facts of each image in a file."""
    found = []
    with open_radiographs(path) as frames:
        for number in range(1, frames.count + 1):
            radiograph = frames.read(number)
            facts = inspection(
                normalise_film(radiograph, SETTINGS), find_candidates(radiograph, SETTINGS)
            )
            said = [f"{name[2:]}: {words}" for name, words in facts if name.startswith("! ")]
            found.append((said, dict(facts)))
    return found


def dicom(packing: str = "explicit", stored: Array = FILM, **tags: Any) -> Dataset:  # noqa: ANN401
    """Return a film with these tags, whether or not they match the stored pixels."""
    ds = dataset(stored, bits_stored=12, packing=packing)
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return ds


CODESTREAM = encode(FILM.astype(np.uint16), 12, "jpeg_ls")


@pytest.mark.parametrize(
    ("ds", "pictures", "size", "words"),
    [
        (dicom(BitsStored=8, HighBit=7), 1, "90 rows, 120 columns, 12 bits stored",
         "bits_disagree: BitsStored is 8, but the pixel values take 12 bits"),
        (dicom(BitsStored=8, HighBit=7, BitsAllocated=8), 1, "12 bits stored",
         "bits_disagree: BitsAllocated is 8, but PixelData has twice as many bytes"),
        (dicom(BitsAllocated=32), 1, "90 rows, 120 columns, 12 bits stored",
         "bits_disagree: BitsAllocated is 32, but PixelData has half as many bytes"),
        (dicom(PixelRepresentation=1), 1, "12 bits stored",
         "bits_disagree: PixelRepresentation is 1, but the picture is torn"),
        (dicom(Rows=45), 1, "90 rows, 120 columns", "frames_disagree: Rows is 45, but"),
        (dicom(Columns=60), 1, "90 rows, 120 columns", "frames_disagree: Columns is 60, but"),
        (dicom(Rows=120, Columns=90), 1, "90 rows, 120 columns",
         "frames_disagree: Rows is 120 and Columns 90, but"),
        (dicom("jpeg_ls", Rows=45), 1, "90 rows, 120 columns",
         "frames_disagree: Rows and Columns are 45 and 120, but the compressed picture has 90"),
        (dicom("jpeg_ls", PixelData=encapsulate([CODESTREAM] * 3)), 3, "picture 3 of 3",
         "frames_disagree: NumberOfFrames is 1 or missing, but PixelData holds 3 pictures"),
        (dicom("jpeg_ls", PixelData=encapsulate([CODESTREAM * 2])), 1, "90 rows",
         "pixels_left_over: another compressed picture follows"),
    ],
)  # fmt: skip
def test_what_was_read_of_the_pixel_data(
    tmp_path: Path, ds: Dataset, pictures: int, size: str, words: str
) -> None:
    """The `picture` line gives what was read, and a warning names the tag that contradicts it."""
    found = inspected(save(ds, tmp_path / "a.dcm"))
    assert len(found) == pictures
    said, facts = found[-1]
    assert size in facts["picture"]
    assert any(line.startswith(words) for line in said), said
    assert facts["grey values"].startswith("0 to 4095 ")


@pytest.mark.parametrize(
    ("tags", "line", "words"),
    [
        ({"PixelSpacing": [1, 1], "ImagerPixelSpacing": [0.2, 0.2]},
         "0.2 x 0.2 mm (rows x columns) from ImagerPixelSpacing; at the detector",
         "bad_spacing: PixelSpacing is 1 x 1 mm, a placeholder"),
        ({"PixelSpacing": [0.3, 0.3], "ImagerPixelSpacing": [0.2, 0.2]},
         "0.2 x 0.2 mm (rows x columns) from ImagerPixelSpacing; at the detector",
         "bad_spacing: PixelSpacing (0.3 x 0.3 mm) is larger than ImagerPixelSpacing"),
        ({"ImagerPixelSpacing": [0.2, 0.2], "NominalScannedPixelSpacing": [0.1, 0.1]},
         "0.2 x 0.2 mm (rows x columns) from ImagerPixelSpacing; at the detector",
         "bad_spacing: NominalScannedPixelSpacing contradicts ImagerPixelSpacing"),
        ({"ImagerPixelSpacing": [0.2, 0.2], "EstimatedRadiographicMagnificationFactor": 1.25},
         "0.16 x 0.16 mm (rows x columns) from ImagerPixelSpacing/EstimatedRadiographic",
         "magnification_corrected: ImagerPixelSpacing was divided by the stated magnification"),
        ({"PixelSpacing": [0.1, 0.1], "ImagerPixelSpacing": [0.2, 0.2],
          "EstimatedRadiographicMagnificationFactor": 1.25},
         "0.1 x 0.1 mm (rows x columns) from PixelSpacing, calibrated; in the patient",
         "bad_spacing: EstimatedRadiographicMagnificationFactor is 1.25, but PixelSpacing means"),
        ({"PixelAspectRatio": ["2", "1"]}, "none stated: sizes in pixels only",
         "pixel_aspect: PixelAspectRatio says that pixels are 2 times as tall as wide"),
    ],
)  # fmt: skip
def test_which_spacing_is_believed(
    tmp_path: Path, tags: dict[str, Any], line: str, words: str
) -> None:
    """The spacing line gives the spacing used, and a warning names what was ignored."""
    ((said, facts),) = inspected(save(dicom(**tags), tmp_path / "a.dcm"))
    assert facts["pixel spacing"].startswith(line)
    assert any(one.startswith(words) for one in said), said


FALLS = "falls, so that low values become high"
HIGH = "so bone is high after the modality transform"
LOW = "so bone is low after the modality transform"
NOT_APPLIED = "PresentationLUTSequence falls, but viewers do not apply it in a film"


@pytest.mark.parametrize(
    ("tags", "steps"),
    [
        (voi(table(DOWN)), (f"VOILUTSequence {FALLS}", "MONOCHROME2: not turned", LOW)),
        (modality(table(DOWN)), (f"ModalityLUTSequence {FALLS}", "MONOCHROME2: not turned", HIGH)),
        (
            {"PhotometricInterpretation": "MONOCHROME1", **voi(table(DOWN))},
            (f"VOILUTSequence {FALLS}", "MONOCHROME1: turned round", HIGH),
        ),
        (
            {"PresentationLUTSequence": voi(table(DOWN))["VOILUTSequence"]},
            ("MONOCHROME2: not turned", NOT_APPLIED, HIGH),
        ),
        (
            {"PresentationLUTShape": "INVERSE"},
            ("MONOCHROME2: not turned", "PresentationLUTShape is not believed", HIGH),
        ),
    ],
)
def test_what_decided_polarity(
    tmp_path: Path, tags: dict[str, Any], steps: tuple[str, ...]
) -> None:
    """Each step of a viewer is listed, in order."""
    ((_, facts),) = inspected(save(dicom(**tags), tmp_path / "a.dcm"))
    assert facts["decided by"] == "; ".join(steps)


def test_a_stack_of_a_tiff(tmp_path: Path) -> None:
    """Each picture of a TIFF has its number; a truncated stack gives a warning."""
    stack = np.stack([FILM, FILM[::-1]]).astype(np.uint16)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack, photometric="minisblack", truncate=True)
    assert [facts["picture"] for _, facts in inspected(path)] == [
        f"90 rows, 120 columns, 16 bits stored; picture {number} of 2" for number in (1, 2)
    ]
    path.write_bytes(path.read_bytes()[: -FILM.size])
    ((said, _),) = inspected(path)
    assert any(one.startswith("frames_disagree: the TIFF's description speaks") for one in said)
