"""Write a phantom as a DICOM file (Computed Radiography Image Storage) with reproducible bytes.

The encoders are those of imagecodecs. The versions that pydicom and OpenJPEG write into files are
removed, since the bytes would change with their releases.
"""

import hashlib
import struct
from io import BytesIO
from pathlib import Path
from typing import Literal, TypeAlias

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from lesionscan.simulation.phantom import Phantom

TransferSyntax: TypeAlias = Literal["native", "rle", "jpeg-ls", "jpeg2000"]
SpacingTag: TypeAlias = Literal["ImagerPixelSpacing", "none"]

_SYNTAXES: dict[str, UID] = {
    "native": ExplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg-ls": JPEGLSLossless,
    "jpeg2000": JPEG2000Lossless,
}
# PS3.5 B.2: a UID derived from a UUID has the root 2.25
_IMPLEMENTATION = UID("2.25.203516830573254907385211847190236508219")
_IMPLEMENTATION_VERSION = "LESIONSCAN_SIM_1"
_LONG_NAMES = {"R": "right", "L": "left"}


def write_dicom(
    path: Path,
    phantom: Phantom,
    *,
    transfer_syntax: TransferSyntax = "native",
    spacing_tag: SpacingTag = "ImagerPixelSpacing",
) -> None:
    """Write a phantom to `path` (see `dicom_bytes`)."""
    path.write_bytes(dicom_bytes(phantom, transfer_syntax=transfer_syntax, spacing_tag=spacing_tag))


def dicom_bytes(
    phantom: Phantom,
    *,
    transfer_syntax: TransferSyntax = "native",
    spacing_tag: SpacingTag = "ImagerPixelSpacing",
) -> bytes:
    """Return a phantom as a DICOM file.

    Parameters
    ----------
    phantom
        The phantom.
    transfer_syntax
        How the pixels are stored; all four are lossless.
    spacing_tag
        "ImagerPixelSpacing" (mm in the detector plane) or "none", as in many archives.

    Raises
    ------
    ValueError
        If the transfer syntax or the spacing tag is unknown.
    """
    if transfer_syntax not in _SYNTAXES:
        raise ValueError(
            f"unknown transfer syntax {transfer_syntax!r}; known: {', '.join(_SYNTAXES)}"
        )
    if spacing_tag not in ("ImagerPixelSpacing", "none"):
        raise ValueError(f"unknown spacing tag {spacing_tag!r}; known: ImagerPixelSpacing, none")
    dataset = _dataset(phantom)
    if spacing_tag == "ImagerPixelSpacing":
        # DS holds 16 characters; 5 decimals are 10 nm
        dataset.ImagerPixelSpacing = [f"{phantom.spacing_mm:.5f}"] * 2
    _put_pixels(dataset, phantom, transfer_syntax)
    dataset.file_meta = _file_meta(dataset, _SYNTAXES[transfer_syntax])
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _uid(*parts: object) -> UID:
    """Return a UID with root 2.25 (PS3.5 B.2) determined by the parts."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode("utf-8")).digest()
    return UID(f"2.25.{int.from_bytes(digest[:16], 'big')}")


def _file_meta(dataset: Dataset, syntax: UID) -> FileMetaDataset:
    """Return the file meta group with fixed implementation names."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = _IMPLEMENTATION
    meta.ImplementationVersionName = _IMPLEMENTATION_VERSION
    return meta


def _dataset(phantom: Phantom) -> Dataset:
    """Return everything but the pixels: a synthetic patient, a fixed date, the CR modules."""
    film = phantom.film
    content = hashlib.sha256(np.ascontiguousarray(phantom.stored, dtype="<u2").tobytes())
    key = (phantom.body_part, phantom.seed, film.photometric, content.hexdigest())
    number = f"PHANTOM{phantom.seed:06d}"
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = _uid("instance", *key)
    dataset.StudyInstanceUID = _uid("study", *key)
    dataset.SeriesInstanceUID = _uid("series", *key)
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = "20000101"
    dataset.AcquisitionDate = "20000101"
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = "120000"
    dataset.AcquisitionTime = "120000"
    dataset.AccessionNumber = number[-16:]
    dataset.Modality = "CR"
    dataset.Manufacturer = "lesionscan simulation"
    dataset.ManufacturerModelName = "phantom"
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "Synthetic phantom, no patient"
    dataset.SeriesDescription = f"{phantom.body_part} {phantom.view}"
    dataset.PatientName = f"Phantom^{phantom.body_part.title()}"
    dataset.PatientID = number
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.StudyID = "1"
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = 1
    dataset.BodyPartExamined = phantom.body_part
    dataset.ViewPosition = phantom.view
    dataset.Laterality = film.laterality
    dataset.ImageLaterality = film.laterality
    # rows run to the patient's left and columns to the feet; unknown for a hand on a plate
    dataset.PatientOrientation = ["L", "F"] if phantom.view == "AP" else None
    dataset.ImageComments = f"{_LONG_NAMES[film.laterality]} side; all pixels are computed"
    dataset.BurnedInAnnotation = "NO"
    dataset.KVP = str(phantom.kv)
    dataset.LossyImageCompression = "00"
    dataset.WindowCenter = str(2 ** (film.bits - 1))
    dataset.WindowWidth = str(2**film.bits)
    return dataset


def _put_pixels(dataset: Dataset, phantom: Phantom, transfer_syntax: TransferSyntax) -> None:
    """Add the pixel module, encoded."""
    film = phantom.film
    stored = np.ascontiguousarray(phantom.stored, dtype="<u2")
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = film.photometric
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated = 16
    dataset.BitsStored = film.bits
    dataset.HighBit = film.bits - 1
    dataset.PixelRepresentation = 0
    if transfer_syntax == "native":
        dataset.PixelData = stored.tobytes()
    else:
        dataset.PixelData = encapsulate([_encode(stored, film.bits, transfer_syntax)])
        dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OW" if transfer_syntax == "native" else "OB"


def _encode(stored: NDArray[np.uint16], bits: int, transfer_syntax: TransferSyntax) -> bytes:
    """Return one frame in a compressed form."""
    if transfer_syntax == "rle":
        return _rle(stored)
    if transfer_syntax == "jpeg-ls":
        return bytes(imagecodecs.jpegls_encode(stored))
    encoded = imagecodecs.jpeg2k_encode(
        stored, level=0, reversible=True, codecformat="j2k", bitspersample=bits, numthreads=1
    )
    return without_comments(bytes(encoded))


def _rle(stored: NDArray[np.uint16]) -> bytes:
    """Return one frame as DICOM RLE (PS3.5 Annex G): high bytes, low bytes, packed row by row."""
    segments = []
    for plane in (stored >> 8, stored & 0xFF):
        packed = b"".join(imagecodecs.packbits_encode(row.tobytes()) for row in plane.astype("u1"))
        segments.append(packed + b"\0" * (len(packed) % 2))
    header = [2, 64, 64 + len(segments[0])] + [0] * 13
    return struct.pack("<16I", *header) + b"".join(segments)


def without_comments(codestream: bytes) -> bytes:
    """Return a JPEG 2000 codestream without its comment segments.

    OpenJPEG writes its version into a COM segment (ISO/IEC 15444-1 A.9.2), so that bytes would
    change with every release.

    Raises
    ------
    ValueError
        If the bytes are not a JPEG 2000 codestream.
    """
    if codestream[:2] != b"\xff\x4f":
        raise ValueError("not a JPEG 2000 codestream: it must start with FF 4F")
    kept = [codestream[:2]]
    at = 2
    while codestream[at : at + 2] != b"\xff\x90":  # SOT: the first tile begins, the header ends
        length = 2 + int.from_bytes(codestream[at + 2 : at + 4], "big")
        if at + length >= len(codestream):
            raise ValueError("not a whole JPEG 2000 codestream: its main header has no end")
        if codestream[at : at + 2] != b"\xff\x64":
            kept.append(codestream[at : at + length])
        at += length
    return b"".join([*kept, codestream[at:]])
