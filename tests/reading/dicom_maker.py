"""Small DICOM files with known pixels for the tests, written with pydicom and imagecodecs."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import dictionary_VR, keyword_dict
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.pixels.encoders.base import get_encoder
from pydicom.sequence import Sequence as DicomSequence
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

Array = NDArray[Any]

NATIVE = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big_endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
}
LOSSLESS = {
    "rle": RLELossless,
    "jpeg_lossless": JPEGLosslessSV1,
    "jpeg_lossless_14": JPEGLossless,
    "jpeg_ls": JPEGLSLossless,
    "jpeg2000": JPEG2000Lossless,
    "htj2k": HTJ2KLossless,
}
LOSSY = {
    "jpeg_baseline": JPEGBaseline8Bit,
    "jpeg_extended": JPEGExtended12Bit,
    "jpeg_ls_near": JPEGLSNearLossless,
    "jpeg2000_lossy": JPEG2000,
}
SYNTAXES: dict[str, UID] = {**NATIVE, **LOSSLESS, **LOSSY}


def ramp(bits: int, *, signed: bool = False, rows: int = 12, columns: int = 17) -> Array:
    """Return stored values that cover the whole range of `bits`, both ends included."""
    low = -(1 << bits - 1) if signed else 0
    values = low + np.linspace(0, (1 << bits) - 1, rows * columns).round().astype(np.int64)
    return values.reshape(rows, columns)


def dataset(
    stored: Array,
    *,
    bits_stored: int,
    photometric: str = "MONOCHROME2",
    signed: bool = False,
    high_bit: int | None = None,
    bits_allocated: int | None = None,
    packing: str = "explicit",
    **tags: Any,  # noqa: ANN401 - whatever a DICOM tag may hold
) -> Dataset:
    """Return a DX image with these stored values; a tag with the value None is removed."""
    allocated = bits_allocated or (8 if bits_stored <= 8 else 16)
    top = bits_stored - 1 if high_bit is None else high_bit
    ds = Dataset()
    ds.SOPClassUID = DigitalXRayImageStorageForPresentation
    ds.SOPInstanceUID = "1.2.3.4"
    ds.Modality = "DX"
    ds.SamplesPerPixel = 1 if stored.ndim == 2 else 3
    ds.PhotometricInterpretation = photometric
    if stored.ndim == 3:
        ds.PlanarConfiguration = 0
    ds.Rows, ds.Columns = stored.shape[:2]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = allocated, bits_stored, top
    ds.PixelRepresentation = int(signed)
    cells = (stored.astype(np.int64) & (1 << bits_stored) - 1) << (top + 1 - bits_stored)
    cells = cells.astype(f"<u{allocated // 8}")
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = SYNTAXES[packing]
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    if packing in NATIVE:
        order = ">" if packing == "big_endian" else "<"
        data = cells.astype(f"{order}u{allocated // 8}").tobytes()
        data += b"\0" * (len(data) % 2)
        if packing == "big_endian" and allocated == 8:
            data = np.frombuffer(data, dtype="<u2").astype(">u2").tobytes()
        ds.PixelData = data
        ds["PixelData"].VR = "OW"
    else:
        ds.PixelData = encapsulate([encode(cells, top + 1, packing)])
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
    for keyword, value in tags.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def encode(cells: Array, bits: int, packing: str) -> bytes:
    """Compress cells into one codestream, padded to an even length."""
    data: bytes | bytearray
    match packing:
        case "rle":
            ds_bits = cells.dtype.itemsize * 8
            colour = cells.ndim == 3
            frames = get_encoder(RLELossless).iter_encode(
                cells,
                rows=cells.shape[0],
                columns=cells.shape[1],
                samples_per_pixel=3 if colour else 1,
                bits_allocated=ds_bits,
                bits_stored=ds_bits,
                pixel_representation=0,
                photometric_interpretation="RGB" if colour else "MONOCHROME2",
                planar_configuration=0,
                number_of_frames=1,
                encoding_plugin="pydicom",
            )
            data = next(iter(frames))
        case "jpeg_lossless":
            data = imagecodecs.jpeg8_encode(cells, lossless=True, bitspersample=bits)
        case "jpeg_lossless_14":  # with a different predictor
            data = imagecodecs.jpeg8_encode(cells, lossless=True, predictor=6, bitspersample=bits)
        case "jpeg_ls":
            data = imagecodecs.jpegls_encode(cells)
        case "jpeg_ls_near":
            data = imagecodecs.jpegls_encode(cells, 2)
        case "jpeg2000":
            data = imagecodecs.jpeg2k_encode(
                cells, level=0, codecformat="j2k", reversible=True, bitspersample=bits
            )
        case "jpeg2000_lossy":
            data = imagecodecs.jpeg2k_encode(cells, level=60, codecformat="j2k", bitspersample=bits)
        case "htj2k":
            data = imagecodecs.htj2k_encode(cells)
        case "jpeg_baseline":
            data = imagecodecs.jpeg8_encode(cells, 100)
        case "jpeg_extended":
            data = imagecodecs.jpeg8_encode(cells, 100, bitspersample=12)
        case _:
            raise ValueError(packing)
    return bytes(data) + b"\0" * (len(data) % 2)


def save(ds: Dataset, path: Path, *, preamble: bool = True) -> Path:
    """Write a file; with preamble=False only the bare data set, as some devices do."""
    buffer = io.BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    data = buffer.getvalue()
    if not preamble:
        (length,) = struct.unpack_from("<L", data, 140)
        data = data[144 + length :]
    path.write_bytes(data)
    return path


SENTINEL = "SENTINEL"
_TEXT_VRS = {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC"}
_TEXT_VRS |= {"UI", "UR", "UT"}


def plant_text(ds: Dataset) -> None:
    """Write the sentinel into every text tag of the dictionary that is not needed for decoding.

    Also into private tags, an item of a sequence and the file meta information.
    """
    needed = {"SpecificCharacterSet", "PhotometricInterpretation", "Modality", "NumberOfFrames"}
    for keyword, tag in keyword_dict.items():
        vr = dictionary_VR(tag)
        if vr in _TEXT_VRS and keyword not in needed and 0x0008 <= tag >> 16 < 0x7FE0:
            ds[tag] = _text(BaseTag(tag), vr)
    item = Dataset()
    for element, vr in ((0x0010, "PN"), (0x1030, "LO"), (0x4000, "LT")):
        item[0x0010, element] = _text(Tag(0x0010, element), vr)
    ds.add_new("RequestAttributesSequence", "SQ", DicomSequence([item]))
    private = ds.private_block(0x0011, SENTINEL, create=True)
    private.add_new(1, "LT", SENTINEL)
    private.add_new(2, "UN", SENTINEL.encode())
    ds.file_meta.SourceApplicationEntityTitle = SENTINEL
    ds.file_meta.ImplementationVersionName = SENTINEL


def _text(tag: BaseTag, vr: str) -> RawDataElement:
    raw = SENTINEL.encode()
    return RawDataElement(tag, vr, len(raw), raw, 0, False, True)


def inflate_bomb(ds: Dataset, size: int, path: Path) -> Path:
    """Write a deflated file whose data set inflates to `size` zero bytes."""
    save(ds, path)
    data = path.read_bytes()
    (length,) = struct.unpack_from("<L", data, 140)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(bytes(size)) + packer.flush()
    path.write_bytes(data[: 144 + length] + body)
    return path
