"""Make a small film of every codec and container that lesionscan reads, to be damaged."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from operator import add
from typing import Any, Final, Literal, TypeAlias

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from scipy.ndimage import gaussian_filter

Damage: TypeAlias = Literal["cut", "closed", "gap", "hole"]
DAMAGES: Final[tuple[Damage, ...]] = ("cut", "closed", "gap", "hole")
Array: TypeAlias = NDArray[Any]

ROWS, COLUMNS = 96, 88
_EOI = b"\xff\xd9"  # of JPEG, JPEG-LS and, as EOC, JPEG 2000


@dataclass(frozen=True, slots=True)
class Film:
    """An undamaged film, and a function that makes its file around a damaged picture.

    Attributes
    ----------
    name
        Container and codec.
    stream
        The compressed picture, or one strip or tile of it.
    build
        Makes the file around it.
    end
        End marker of the stream.
    unseen
        The largest fraction of places of a damage that may be silent; 0 if a damage is missing.
    """

    name: str
    stream: bytes
    build: Callable[[bytes], bytes]
    end: bytes = b""
    unseen: Mapping[Damage, float] = field(default_factory=dict)


@cache
def films() -> Mapping[str, Film]:
    """Return an undamaged film of every codec and container that lesionscan reads."""
    return {film.name: film for film in (*_dicom_films(), *_raster_films(), *_tiff_films())}


def _grey(bits: int) -> Array:
    """Return a film-like picture: smooth shapes, grain, black and white borders."""
    rng = np.random.default_rng(17)
    smooth = gaussian_filter(rng.normal(size=(ROWS, COLUMNS)), 5)
    grey = (smooth - smooth.min()) / np.ptp(smooth) + rng.normal(scale=0.01, size=smooth.shape)
    grey[:6], grey[-7:], grey[:, :5] = 0, 0, 1
    cells: Array = (grey.clip(0, 1) * ((1 << bits) - 1)).round()
    return cells.astype(np.uint8 if bits == 8 else np.uint16)


# Why some damages may be silent; docs/reading.md has the measured fractions.
# Uncompressed, and in a Zstandard frame without checksum, any bytes are a valid picture.
_ANY_BYTES: Final[Mapping[Damage, float]] = {"hole": 1.0}
# Huffman, LZW and PackBits codes resynchronise after the damage; if as many samples or blocks were
# decoded as were lost, it cannot be noticed. The fewer there are, the likelier that is.
_MISCOUNT: Final[Mapping[Damage, float]] = {"gap": 0.04, "hole": 0.04}
_MISCOUNT_IN_PARTS: Final[Mapping[Damage, float]] = {"gap": 0.12, "hole": 0.12}
# In JPEG 2000 only holes of at least 256 bytes are noticed (and in HTJ2K those that its block
# decoder rejects); the films here have a few kilobytes.
_SMALL_HOLES: Final[Mapping[Damage, float]] = {"hole": 0.25}


def _dicom_films() -> Iterator[Film]:
    g8, g12 = _grey(8), _grey(12)
    lossless = partial(imagecodecs.jpeg8_encode, lossless=True)
    jpeg2000 = partial(imagecodecs.jpeg2k_encode, codecformat="j2k")
    for name, syntax, stream, bits, unseen in (
        ("native", ExplicitVRLittleEndian, g12.tobytes(), 12, _ANY_BYTES),
        ("RLE", RLELossless, _rle(g12), 12, _MISCOUNT),
        ("JPEG baseline", JPEGBaseline8Bit, imagecodecs.jpeg8_encode(g8, 90), 8, _MISCOUNT),
        ("JPEG baseline, optimised", JPEGBaseline8Bit,
         imagecodecs.jpeg8_encode(g8, 75, optimize=True), 8, _MISCOUNT),
        ("JPEG with restarts", JPEGBaseline8Bit,
         _by_pillow(g8, "JPEG", quality=90, restart_marker_rows=2), 8, _MISCOUNT_IN_PARTS),
        ("JPEG extended", JPEGExtended12Bit,
         imagecodecs.jpeg8_encode(g12, 95, bitspersample=12), 12, _MISCOUNT),
        ("JPEG lossless", JPEGLosslessSV1, lossless(g12, bitspersample=12), 12, _MISCOUNT),
        ("JPEG lossless, 16 bit", JPEGLosslessSV1, lossless(_grey(16), predictor=6), 16, _MISCOUNT),
        ("JPEG-LS", JPEGLSLossless, imagecodecs.jpegls_encode(g12), 12, {}),
        ("JPEG-LS near", JPEGLSNearLossless, imagecodecs.jpegls_encode(g12, 2), 12, {}),
        ("JPEG 2000", JPEG2000Lossless,
         jpeg2000(g12, level=0, reversible=True, bitspersample=12), 12, _SMALL_HOLES),
        ("JPEG 2000 lossy", JPEG2000, jpeg2000(g12, level=60, bitspersample=12), 12, _SMALL_HOLES),
        ("JPEG 2000, tiles", JPEG2000Lossless,
         _by_pillow(g8, "JPEG2000", tile_size=(48, 48), no_jp2=True), 8, _SMALL_HOLES),
        ("HTJ2K", HTJ2KLossless, imagecodecs.htj2k_encode(g12), 12, _SMALL_HOLES),
    ):  # fmt: skip
        encapsulated = name != "native"
        end = _EOI if encapsulated and name != "RLE" else b""
        build = partial(_dicom, syntax=syntax, bits=bits, fragments=1 if encapsulated else 0)
        yield Film(f"DICOM {name}", bytes(stream), build, end, unseen)
        if name in ("JPEG baseline", "JPEG lossless", "JPEG 2000"):
            build = partial(_dicom, syntax=syntax, bits=bits, fragments=5)
            yield Film(f"DICOM {name}, fragments", bytes(stream), build, end, unseen)

    deflated = _dicom(g12.tobytes(), syntax=DeflatedExplicitVRLittleEndian, bits=12, fragments=0)
    start = 144 + struct.unpack_from("<L", deflated, 140)[0]  # behind the file meta group
    yield Film("DICOM deflated", deflated[start:], partial(add, deflated[:start]), b"", _MISCOUNT)


def _dicom(stream: bytes, *, syntax: UID, bits: int, fragments: int) -> bytes:
    ds = Dataset()
    ds.SOPClassUID = DigitalXRayImageStorageForPresentation
    ds.SOPInstanceUID = "1.2.3.4"
    ds.Modality = "DX"
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = ROWS, COLUMNS
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8 if bits == 8 else 16, bits, bits - 1
    ds.PixelRepresentation = 0
    ds.PixelSpacing = [0.1, 0.1]
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    if fragments:
        stream = encapsulate(
            [stream or b"\0\0"], fragments_per_frame=min(fragments, len(stream) // 2 or 1)
        )
    ds.PixelData = stream + b"\0" * (len(stream) % 2)
    ds["PixelData"].VR = "OB" if fragments else "OW"
    ds["PixelData"].is_undefined_length = bool(fragments)
    out = io.BytesIO()
    dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def _rle(cells: Array) -> bytes:
    frames = get_encoder(RLELossless).iter_encode(
        cells, encoding_plugin="pydicom", rows=ROWS, columns=COLUMNS, samples_per_pixel=1,
        bits_allocated=16, bits_stored=16, pixel_representation=0, number_of_frames=1,
        photometric_interpretation="MONOCHROME2",
    )  # fmt: skip
    return bytes(next(iter(frames)))


def _by_pillow(array: Array, kind: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's own
    out = io.BytesIO()
    Image.fromarray(array).save(out, kind, **options)
    return out.getvalue()


def _raster_films() -> Iterator[Film]:
    grey, deep = _grey(8), _grey(16)
    for name, array in (
        ("PNG, 8 bit", grey),
        ("PNG, 16 bit", deep),
        ("PNG of three channels, 16 bit", np.stack([deep] * 3, axis=2)),
    ):
        data = bytes(imagecodecs.png_encode(array))
        start = data.index(b"IDAT") - 4
        (length,) = struct.unpack_from(">L", data, start)
        build = partial(_png, data[:start], data[start + length + 12 :])
        yield Film(name, data[start + 8 : start + 8 + length], build)
    jpeg = partial(_by_pillow, kind="JPEG", quality=90)
    for name, data, unseen in (
        ("JPEG", jpeg(grey), _MISCOUNT),
        ("JPEG with restarts", jpeg(grey, restart_marker_rows=2), _MISCOUNT_IN_PARTS),
        ("JPEG of three channels", jpeg(np.stack([grey] * 3, axis=2)), _MISCOUNT),
        ("JPEG progressive", jpeg(grey, progressive=True), _MISCOUNT_IN_PARTS),
    ):
        yield Film(name, data, bytes, _EOI, unseen)


def _png(before: bytes, after: bytes, stream: bytes) -> bytes:
    check = struct.pack(">L", zlib.crc32(b"IDAT" + stream))
    return before + struct.pack(">L", len(stream)) + b"IDAT" + stream + check + after


_STRIP_ROWS, _TILE = 32, 48


def _tiff_films() -> Iterator[Film]:
    grey, deep = _grey(8), _grey(16)
    jpeg = partial(imagecodecs.jpeg8_encode, level=90)
    jpeg2000 = partial(imagecodecs.jpeg2k_encode, level=0, reversible=True, codecformat="j2k")
    codecs: tuple[
        tuple[str, int, Array, Callable[[Any], bytes | bytearray], bytes, Mapping[Damage, float]],
        ...,
    ] = (
        ("uncompressed", 1, deep, bytes, b"", _ANY_BYTES),
        ("LZW", 5, deep, imagecodecs.lzw_encode, b"", _MISCOUNT),
        ("Deflate", 8, deep, imagecodecs.zlib_encode, b"", {}),
        ("Deflate, old code", 32946, deep, imagecodecs.zlib_encode, b"", {}),
        ("PackBits", 32773, grey, imagecodecs.packbits_encode, b"", _MISCOUNT),
        ("JPEG", 7, grey, jpeg, _EOI, _MISCOUNT_IN_PARTS),
        ("JPEG 2000", 34712, deep, jpeg2000, _EOI, _SMALL_HOLES),
        ("Zstandard", 50000, deep, imagecodecs.zstd_encode, b"", _ANY_BYTES),
        ("LZMA", 34925, deep, imagecodecs.lzma_encode, b"", {}),
    )
    for name, code, array, encode, end, unseen in codecs:
        for layout, parts in (("strips", _strips(array)), ("tiles", _tiles(array))):
            whole_images = code in (7, 34712)
            segments = [
                bytes(encode(np.ascontiguousarray(one) if whole_images else one.tobytes()))
                for one in parts
            ]
            middle = len(segments) // 2
            build = partial(_tiff_around, segments, middle, array.itemsize * 8, code, layout)
            yield Film(f"TIFF {name}, {layout}", segments[middle], build, end, unseen)


def _strips(array: Array) -> list[Array]:
    return [array[row : row + _STRIP_ROWS] for row in range(0, ROWS, _STRIP_ROWS)]


def _tiles(array: Array) -> list[Array]:
    padded = np.pad(array, ((0, -ROWS % _TILE), (0, -COLUMNS % _TILE)))
    return [
        padded[row : row + _TILE, column : column + _TILE]
        for row in range(0, ROWS, _TILE)
        for column in range(0, COLUMNS, _TILE)
    ]


def _tiff_around(
    segments: list[bytes], number: int, bits: int, compression: int, layout: str, stream: bytes
) -> bytes:
    """Return a little-endian TIFF with one of its segments replaced (TIFF 6.0 section 2)."""
    parts = [stream if at == number else one for at, one in enumerate(segments)]
    tags: list[tuple[int, list[int]]] = [
        (256, [COLUMNS]), (257, [ROWS]), (258, [bits]), (259, [compression]), (262, [1]), (277, [1])
    ]  # fmt: skip
    offsets, counts = (273, 279) if layout == "strips" else (324, 325)
    tags += [(278, [_STRIP_ROWS])] if layout == "strips" else [(322, [_TILE]), (323, [_TILE])]
    tags += [(offsets, [0] * len(parts)), (counts, [len(part) for part in parts])]
    tags.sort()
    beside = 8 + 2 + 12 * len(tags) + 4  # where long values start, the pixels behind them
    at = beside + sum(4 * len(values) for _, values in tags if len(values) > 1)
    starts = [at + sum(map(len, parts[:n])) for n in range(len(parts))]
    directory, values_beside = struct.pack("<2sHLH", b"II", 42, 8, len(tags)), b""
    for tag, values in tags:
        packed = struct.pack(f"<{len(values)}L", *(starts if tag == offsets else values))
        if len(values) > 1:
            where = struct.pack("<L", beside + len(values_beside))
            values_beside += packed
        else:
            where = packed
        directory += struct.pack("<HHL", tag, 4, len(values)) + where
    return directory + bytes(4) + values_beside + b"".join(parts)
