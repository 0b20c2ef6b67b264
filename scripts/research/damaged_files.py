"""Make damaged files of every format, for `fuzz_reader.py`.

Bytes are flipped, cut, duplicated and mixed. In addition, parts of a format are changed so that its
structure stays valid: elements of a DICOM header (also so that it contradicts the pixel data), tags
of a TIFF, chunks of a PNG with their checksums, segments of a JPEG.
"""

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import tifffile
from numpy.typing import NDArray
from PIL import Image
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset

LARGEST_SOURCE = 300_000
"""In bytes; larger files only take longer."""

_LIES = (0, 1, 2, 7, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_VRS = (b"US", b"SS", b"DS", b"IS", b"SQ", b"FD", b"OW", b"OB", b"UN", b"LO", b"CS", b"XX")
_NUMBERS = ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
            "SamplesPerPixel", "NumberOfFrames", "PlanarConfiguration")  # fmt: skip

_CLAIMS: dict[str, tuple[object, ...]] = {
    "BitsAllocated": (8, 16, 32),
    "BitsStored": (1, 6, 7, 8, 9, 10, 12, 15, 16, 32),
    "HighBit": (0, 6, 7, 8, 11, 13, 15, 31),
    "PixelRepresentation": (0, 1),
    "NumberOfFrames": (1, 2, 3, 5, 50, 2_000_000_000),
    "PhotometricInterpretation": ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL",
                                  "YBR_FULL_422", "YBR_RCT"),
    "SamplesPerPixel": (1, 3),
    "PlanarConfiguration": (0, 1),
    "PixelSpacing": ([1, 1], [0.1, 0.1], [0, 0], [-1, 2], [0.1, 0.4], [3], [1e-9, 1e9], [5] * 3),
    "ImagerPixelSpacing": ([0.15, 0.15], [0.001, 0.001], [9, 9], [0.2, 0.05]),
    "NominalScannedPixelSpacing": ([0.17, 0.17], [0, 0.1]),
    "EstimatedRadiographicMagnificationFactor": (1, 1.2, 0, -3, 1e30),
    "PixelAspectRatio": ([2, 1], [1, 2], [0, 1], [1, 100], [3], [2147483647, 1]),
    "RescaleSlope": (1, -1, 0, 1e30, 1e-30),
    "RescaleIntercept": (0, -1024, 1e38),
    "WindowCenter": (0, 2048, [10, 20], 1e30),
    "WindowWidth": (0, 1, 4096, -5, [1, 2]),
    "PixelPaddingValue": (0, 65535),
    "PixelPaddingRangeLimit": (0, 65535),
    "PresentationIntentType": ("FOR PROCESSING", "FOR PRESENTATION"),
    "PixelIntensityRelationship": ("LIN", "LOG"),
    "PixelIntensityRelationshipSign": (1, -1, 0),
    "PresentationLUTShape": ("INVERSE", "IDENTITY"),
}  # fmt: skip
"""Tags that may contradict each other or the pixel data, and values for them."""

_TIFF_TAGS = (254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323,
              324, 325, 330, 338, 339, 347, 530)  # fmt: skip
_TIFF_VALUES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 60, 64, 255, 32773, 32946, 34712, 65535, 2**31,
                2**32 - 1)  # fmt: skip
_TIFF_TYPES = (1, 2, 3, 4, 5, 6, 8, 11, 12, 13, 16, 99)
_PNG_CHUNKS = (b"tRNS", b"PLTE", b"gAMA", b"sBIT", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"IDAT",
               b"IEND", b"iCCP", b"pHYs", b"tEXt", b"QQQQ")  # fmt: skip
_JPEG_MARKERS = (0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC9, 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE,
                 0xE0, 0xE1, 0xE2, 0xEE, 0xF7, 0xFE)  # fmt: skip


def damaged_file(rng: np.random.Generator) -> bytes:
    """Return a file with one to three damages.

    Parameters
    ----------
    rng
        Random number generator.
    """
    kind = sources()[rng.integers(2)]
    data = bytearray(kind[rng.integers(len(kind))])
    for _ in range(rng.integers(1, 4)):
        ways = _structural(data) if rng.random() < 0.5 else _OF_BYTES
        data = ways[rng.integers(len(ways))](data, rng)
    return bytes(data)


Damage = Callable[[bytearray, np.random.Generator], bytearray]


def _structural(data: bytearray) -> tuple[Damage, ...]:
    """Return the damages to parts of a file's format."""
    if data.startswith((b"II*\0", b"MM\0*")):
        return (_retag,)
    if data.startswith(b"\x89PNG"):
        return (_rechunk,)
    if data.startswith(b"\xff\xd8"):
        return (_remark,)
    return (_retype, _edit, _contradict, _contradict)


def _flip(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Change some bytes, anywhere or at the start, where headers are."""
    end = len(data) if rng.random() < 0.5 else min(len(data), 2000)
    for place in rng.integers(0, max(1, end), rng.integers(1, 30)):
        if place < len(data):
            data[place] ^= int(rng.integers(1, 256))
    return data


def _lie(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Write an extreme number where a length or a size may be."""
    end = len(data) if rng.random() < 0.3 else min(len(data), 2500)
    size = int(rng.choice([2, 4]))
    value = int(rng.choice(_LIES)) & (256**size - 1)
    place = int(rng.integers(0, max(1, end)))
    little = rng.random() < 0.7
    data[place : place + size] = value.to_bytes(size, "little" if little else "big")
    return data


def _cut(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Truncate the file anywhere, or in the header."""
    end = len(data) if rng.random() < 0.6 else min(len(data), 2500)
    return data[: int(rng.integers(0, end + 1))]


def _move(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Remove, duplicate or blank a piece."""
    start = int(rng.integers(0, len(data) + 1))
    piece = data[start : start + int(rng.integers(1, 400))]
    what = rng.integers(3)
    instead = (bytearray(), piece + piece, bytearray(len(piece)))[what]
    data[start : start + len(piece)] = instead
    return data


def _mix(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Continue with the bytes of another file."""
    kind = sources()[rng.integers(2)]
    other = kind[rng.integers(len(kind))]
    return data[: int(rng.integers(0, len(data) + 1))] + other[int(rng.integers(0, len(other))) :]


_OF_BYTES: tuple[Damage, ...] = (_flip, _flip, _lie, _lie, _cut, _move, _mix)


def _retype(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Give an element of an explicit header another value representation."""
    found = [at for at in range(132, min(len(data), 4000)) if bytes(data[at : at + 2]) in _VRS]
    if found:
        place = found[rng.integers(len(found))]
        data[place : place + 2] = _VRS[rng.integers(len(_VRS))]
    return data


def _edit(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Drop tags of a DICOM file, or make its numbers impossible."""

    def change(ds: Dataset) -> None:
        if rng.random() < 0.5 and len(ds):
            for tag in rng.choice([int(tag) for tag in ds.keys()], rng.integers(1, 4)):  # noqa: SIM118
                ds.pop(int(tag), None)
            return
        for name in rng.choice(_NUMBERS, rng.integers(1, 3)):
            setattr(ds, str(name), int(rng.choice([*_LIES[:8], 16, 512, 10_000, 40_000])))

    return _changed(data, change)


def _contradict(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Make a DICOM header contradict its pixel data with valid values."""

    def change(ds: Dataset) -> None:
        for _ in range(rng.integers(1, 4)):
            if rng.random() < 0.3:
                name = ("Rows", "Columns")[rng.integers(2)]
                factor = (0.5, 2, 1 / 3, 3, 0.9)[rng.integers(5)]
                setattr(ds, name, int(np.clip(ds.get(name, 1) * factor, 1, 65535)))
                continue
            name = list(_CLAIMS)[rng.integers(len(_CLAIMS))]
            said = _CLAIMS[name]
            setattr(ds, name, said[rng.integers(len(said))])

    return _changed(data, change)


def _changed(data: bytearray, change: Callable[[Dataset], None]) -> bytearray:
    """Apply a change to a DICOM file, unless it is too damaged for pydicom."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = pydicom.dcmread(io.BytesIO(data), force=True)
            change(ds)
            out = io.BytesIO()
            pydicom.dcmwrite(out, ds)
        except Exception:  # noqa: BLE001 - pydicom raises many types
            return data
    return bytearray(out.getvalue())


def _retag(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Change the code, type, count or value of tags in a TIFF's directories."""
    order = "<" if data[:2] == b"II" else ">"
    entries: list[int] = []
    try:
        (at,) = struct.unpack_from(order + "L", data, 4)
        while at and len(entries) < 200:
            (count,) = struct.unpack_from(order + "H", data, at)
            entries += range(at + 2, at + 2 + 12 * count, 12)
            (at,) = struct.unpack_from(order + "L", data, at + 2 + 12 * count)
    except struct.error:
        pass
    entries = [entry for entry in entries if entry + 12 <= len(data)]
    for _ in range(rng.integers(1, 4) if entries else 0):
        entry = entries[rng.integers(len(entries))]
        what = rng.integers(5)
        if what == 0:
            struct.pack_into(order + "H", data, entry, int(rng.choice(_TIFF_TAGS)))
        elif what == 1:
            struct.pack_into(order + "H", data, entry + 2, int(rng.choice(_TIFF_TYPES)))
        elif what == 2:
            struct.pack_into(order + "L", data, entry + 4, int(rng.choice(_TIFF_VALUES)))
        else:
            (kind,) = struct.unpack_from(order + "H", data, entry + 2)
            value = int(rng.choice(_TIFF_VALUES))
            form = "HL"[kind == 4]
            struct.pack_into(order + form, data, entry + 8, value & (2 ** (16 << (kind == 4)) - 1))
    return data


def _rechunk(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Drop, duplicate, move, change or add chunks of a PNG, with valid checksums."""
    chunks: list[tuple[bytes, bytes]] = []
    at = 8
    while at + 12 <= len(data) and len(chunks) < 1000:
        (length,) = struct.unpack_from(">L", data, at)
        chunks.append((bytes(data[at + 4 : at + 8]), bytes(data[at + 8 : at + 8 + length])))
        at += 12 + length
    _reorder(chunks, rng, (_PNG_CHUNKS[rng.integers(len(_PNG_CHUNKS))], _noise(rng)))
    out = bytearray(data[:8])
    for kind, body in chunks:
        out += struct.pack(">L", len(body)) + kind + body
        out += struct.pack(">L", zlib.crc32(kind + body))
    return out


def _remark(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Drop, duplicate, move, change or add marker segments of a JPEG."""
    segments: list[tuple[bytes, bytes]] = []
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and len(segments) < 1000:
        marker, (length,) = data[at + 1], struct.unpack_from(">H", data, at + 2)
        segments.append((bytes([marker]), bytes(data[at + 4 : at + 2 + length])))
        at += 2 + length
        if marker == 0xDA:
            break
    picture = bytes(data[at:])
    new = bytes([_JPEG_MARKERS[rng.integers(len(_JPEG_MARKERS))]]), _noise(rng)
    _reorder(segments, rng, new)
    out = bytearray(data[:2])
    for kind, body in segments:
        out += b"\xff" + kind + struct.pack(">H", min(len(body) + 2, 65535)) + body
    return out + picture


def _reorder(
    parts: list[tuple[bytes, bytes]], rng: np.random.Generator, new: tuple[bytes, bytes]
) -> None:
    """Change a list of parts, each a kind and its bytes, in one or two places."""
    for _ in range(rng.integers(1, 3) if parts else 0):
        one, other = (int(place) for place in rng.integers(0, len(parts), 2))
        match rng.integers(6):
            case 0 if len(parts) > 1:
                del parts[one]
            case 1:
                parts.insert(other, parts[one])
            case 2:
                parts[one], parts[other] = parts[other], parts[one]
            case 3:
                parts.insert(one, new)
            case _:
                kind, body = parts[one]
                changed = bytearray(body)
                for place in rng.integers(0, max(1, len(body)), 2):
                    changed[place : place + 1] = bytes([int(rng.choice(_LIES[:6]))])
                parts[one] = kind, bytes(changed)


def _noise(rng: np.random.Generator) -> bytes:
    """Return random bytes, usually few."""
    return rng.bytes(int(rng.choice([0, 1, 2, 4, 6, 8, 26, 200])))


@cache
def sources() -> tuple[list[bytes], list[bytes]]:
    """Return undamaged files: DICOM, and other formats."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(_radiographs()), [*_rasters(), *_tiffs()]


def _radiographs() -> Iterator[bytes]:
    found = [Path(name) for name in get_testdata_files()]
    try:
        import data_store
    except ModuleNotFoundError:
        pass
    else:
        found += list(Path(next(iter(data_store.__path__))).rglob("*"))
    for path in sorted(found):
        if not path.is_file() or path.stat().st_size > LARGEST_SOURCE:
            continue
        try:
            ds: Dataset = pydicom.dcmread(path, force=True)
            ds.Modality = "DX"
            out = io.BytesIO()
            pydicom.dcmwrite(out, ds)
        except Exception:  # noqa: BLE001 - use it unchanged
            yield path.read_bytes()
        else:
            yield out.getvalue()


_GREY = np.add.outer(np.arange(50), np.arange(60)).astype(np.uint8) * 2
_DEEP = _GREY.astype(np.uint16) * 257
_EXIF = b"Exif\0\0II*\0\x08" + bytes(9)


def _rasters() -> Iterator[bytes]:
    grey = Image.fromarray(_GREY)
    for mode in ("L", "LA", "P", "RGB", "RGBA", "1"):
        yield _saved(grey.convert(mode), "PNG")
    yield _saved(grey, "PNG", transparency=7)
    yield _saved(Image.fromarray(_DEEP), "PNG")
    yield bytes(imagecodecs.png_encode(np.dstack([_DEEP] * 3)))
    for mode in ("L", "RGB", "CMYK"):
        for options in (
            {},
            {"progressive": True},
            {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"},
        ):
            yield _saved(grey.convert(mode), "JPEG", **options)
    yield bytes(imagecodecs.jpeg8_encode(_DEEP >> 4, 90, bitspersample=12))
    yield bytes(imagecodecs.jpeg8_encode(_DEEP, lossless=True, bitspersample=16))
    yield bytes(imagecodecs.jpegls_encode(_DEEP))


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:  # noqa: ANN401
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def _tiffs() -> Iterator[bytes]:
    colour = np.dstack([_GREY] * 3)
    floats = _DEEP.astype(np.float32)
    ways: tuple[tuple[NDArray[Any], dict[str, Any]], ...] = (
        (_GREY, {}),
        (_DEEP, {"byteorder": ">"}),
        (_GREY, {"compression": "lzw"}),
        (_GREY, {"compression": "zlib", "tile": (16, 16)}),
        (_GREY, {"compression": "packbits", "photometric": "miniswhite"}),
        (_GREY, {"compression": "jpeg"}),
        (_DEEP, {"compression": "jpeg2000"}),
        (np.stack([_GREY, 255 - _GREY]), {"bigtiff": True}),
        (np.stack([_GREY, 255 - _GREY]), {"imagej": True, "truncate": True}),
        (np.stack([_GREY, 255 - _GREY]), {"truncate": True}),
        (floats, {"predictor": True, "compression": "zlib"}),
        (np.dstack([_GREY, _GREY]), {"extrasamples": ["unspecified"], "planarconfig": "contig"}),
        (np.dstack([_GREY, _GREY]), {"extrasamples": ["assocalpha"], "planarconfig": "contig"}),
        (np.stack([_DEEP, _DEEP]), {"extrasamples": ["unspecified"], "planarconfig": "separate"}),
        (colour, {"photometric": "rgb"}),
        (colour, {"photometric": "ycbcr", "compression": "jpeg"}),
        (_GREY, {"photometric": "palette", "colormap": np.stack([np.arange(256)] * 3) * 257}),
    )
    for array, options in ways:
        out = io.BytesIO()
        described: dict[str, Any] = {"photometric": "minisblack", **options}
        if "colormap" in options:
            described["colormap"] = np.asarray(options["colormap"], np.uint16)
        tifffile.imwrite(out, array, **described)
        yield out.getvalue()
