"""Incomplete JPEG images are refused, and surplus data are detected."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from lesionscan.reading import jpeg_scan
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.jpeg_scan import decode_jpeg

GREY = np.random.default_rng(3).integers(60, 180, (44, 61)).astype(np.uint8)
GREY[:, :20] = 0
GREY[-9:] = 255  # flat ends are the hardest to distinguish from filled-in rows
DEEP = GREY.astype(np.uint16) * 16
COLOUR = np.stack([GREY, GREY.T.copy().reshape(GREY.shape), 255 - GREY], axis=2)
EOI = b"\xff\xd9"
SURPLUS = bytes(range(40, 90)) * 3


def by_pillow(array: np.ndarray, **options: object) -> bytes:
    """Encode with options that imagecodecs does not have."""
    out = io.BytesIO()
    Image.fromarray(array).save(out, "JPEG", **options)
    return out.getvalue()


WHOLE = {
    "baseline": bytes(imagecodecs.jpeg8_encode(GREY, 90)),
    "finest": bytes(imagecodecs.jpeg8_encode(GREY, 100)),
    "optimised": bytes(imagecodecs.jpeg8_encode(GREY, 60, optimize=True)),
    "extended": bytes(imagecodecs.jpeg8_encode(DEEP, 95, bitspersample=12)),
    "lossless": bytes(imagecodecs.jpeg8_encode(DEEP, lossless=True, bitspersample=12)),
    "lossless of 16 bit": bytes(imagecodecs.jpeg8_encode(DEEP * 16, lossless=True, predictor=4)),
    "restarts by rows": by_pillow(GREY, quality=90, restart_marker_rows=1),
    "restarts by blocks": by_pillow(GREY, quality=90, restart_marker_blocks=7),
    "colour": by_pillow(COLOUR, quality=90),
    "colour, all rows": by_pillow(COLOUR[:32], quality=90, subsampling=2),
    "colour, not subsampled": by_pillow(COLOUR, quality=90, subsampling=0),
    "colour with restarts": by_pillow(COLOUR, quality=90, restart_marker_rows=1),
    "progressive": by_pillow(GREY, quality=90, progressive=True),
    "progressive in colour": by_pillow(COLOUR, quality=90, progressive=True),
    "as high as can be": bytes(imagecodecs.jpeg8_encode(np.resize(GREY, (65500, 8)), 50)),
}
PROGRESSIVE = ("progressive", "progressive in colour")


def segment(marker: int, body: bytes) -> bytes:
    """Return a marker segment."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def scans_at(data: bytes) -> list[int]:
    """Return the positions of the scan headers; their marker does not occur in coded data."""
    return [at for at in range(len(data)) if data.startswith(b"\xff\xda", at)]


def refusal(data: bytes) -> str:
    """Return the code of the error with which an image is refused."""
    with pytest.raises(UnreadableFileError, match=r"again|PNG") as caught:
        decode_jpeg(data)
    return caught.value.code


@pytest.mark.parametrize("name", WHOLE)
def test_whole_pictures_are_those_of_the_decoder(name: str) -> None:
    """A complete image has the pixels of libjpeg and no surplus data."""
    cells, surplus = decode_jpeg(WHOLE[name] + b"\0")  # DICOM pads to an even length
    np.testing.assert_array_equal(cells, imagecodecs.jpeg8_decode(WHOLE[name]))
    assert not surplus


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "as high as can be"])
def test_a_picture_cut_and_closed_is_refused(name: str) -> None:
    """An image that is cut anywhere and closed with an end marker is refused."""
    data = WHOLE[name]
    first = scans_at(data)[0] + 14
    for end in (*range(first, len(data) - 2, 31), len(data) - 6, len(data) - 3):
        assert refusal(data[:end] + EOI) in ("truncated", "undecodable"), end


def test_the_highest_picture_cut_and_closed_is_refused() -> None:
    """A cut image of the greatest height, to which no rows can be added as a test, is refused."""
    data = WHOLE["as high as can be"]
    assert refusal(data[: len(data) // 2] + EOI) == "truncated"


@pytest.mark.parametrize(
    "name", [name for name in WHOLE if not name.startswith(("restarts", "colour with", "as high"))]
)
def test_surplus_data_are_detected(name: str) -> None:
    """Surplus bytes after the last pixel of a scan, a sign of damage, are detected."""
    data = WHOLE[name]
    end = scans_at(data)[1] if name in PROGRESSIVE else len(data) - 2
    while data[end - 1] != 0xFF and name in PROGRESSIVE:  # tables between the scans
        end = data.rindex(b"\xff\xc4", 0, end) + 1
    end -= name in PROGRESSIVE
    cells, surplus = decode_jpeg(data[:end] + SURPLUS + data[end:])
    assert surplus
    np.testing.assert_array_equal(cells, imagecodecs.jpeg8_decode(data))


@pytest.mark.parametrize("name", ["restarts by rows", "restarts by blocks", "colour with restarts"])
def test_surplus_data_in_any_interval_are_detected(name: str) -> None:
    """Surplus bytes are detected in any restart interval, not only in the last one."""
    data = WHOLE[name]
    for marker in (b"\xff\xd0", b"\xff\xd1", EOI):
        end = data.index(marker, scans_at(data)[0])
        cells, surplus = decode_jpeg(data[:end] + SURPLUS + data[end:])
        assert surplus
        np.testing.assert_array_equal(cells, imagecodecs.jpeg8_decode(data))


def test_the_search_for_surplus_data_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for surplus data is skipped if it would take too much work.

    Missing data are still detected.
    """
    data = WHOLE["progressive"]
    end = len(data) - 2
    damaged = data[:end] + SURPLUS + data[end:]
    assert decode_jpeg(damaged)[1]
    monkeypatch.setattr(jpeg_scan, "_MOST_WORK", 1000)
    assert not decode_jpeg(damaged)[1]
    assert refusal(data[: end - 40] + EOI) == "truncated"  # all scans are there


def test_missing_restart_intervals_are_refused() -> None:
    """Missing, repeated, surplus or undeclared restart intervals are refused."""
    data = WHOLE["restarts by rows"]
    first, second, third = (data.index(bytes((0xFF, 0xD0 + n))) for n in range(3))
    last = data.rindex(b"\xff", 0, len(data) - 2)
    assert refusal(data[:last] + EOI) == "truncated"
    assert refusal(data[:first] + data[second:]) == "undecodable"  # a gap of one interval
    assert refusal(data[:second] + data[first:second] + data[third:]) == "undecodable"
    more = b"".join(bytes((0xFF, 0xD0 + n % 8)) for n in range(5, 8))
    assert refusal(data[:-2] + more + EOI) == "undecodable"
    no_interval = data.replace(b"\xff\xdd\x00\x04" + data[data.index(b"\xff\xdd") + 4 :][:2], b"")
    assert refusal(no_interval) == "undecodable"


def test_one_restart_marker_too_many_is_allowed() -> None:
    """A restart marker after the last interval, which some encoders write, is accepted."""
    data = WHOLE["restarts by rows"]
    count = data.count(b"\xff", scans_at(data)[0]) and 5  # 44 rows are 6 rows of blocks
    cells, surplus = decode_jpeg(data[:-2] + bytes((0xFF, 0xD0 + count)) + EOI)
    np.testing.assert_array_equal(cells, imagecodecs.jpeg8_decode(data))
    assert not surplus


@pytest.mark.parametrize("name", PROGRESSIVE)
def test_missing_scans_are_refused(name: str) -> None:
    """A progressive image that ends between two scans, so a coarse one, is refused."""
    data = WHOLE[name]
    for start in scans_at(data)[1:]:
        table = data.rfind(b"\xff\xc4", 0, start)
        end = table if table > scans_at(data)[0] else start
        assert refusal(data[:end] + EOI) == "truncated"


def test_other_processes_are_not_read() -> None:
    """Arithmetic coding is not supported, because missing data could not be detected.

    Zeros at the end of its data may be omitted.
    """
    data = WHOLE["baseline"].replace(b"\xff\xc0", b"\xff\xc9", 1)
    assert refusal(data) == "unsupported_transfer_syntax"


def test_segments_that_end_early_are_truncated() -> None:
    """Header segments or scans that do not end within the file count as truncated."""
    data = WHOLE["baseline"]
    assert refusal(data[:2]) == "truncated"
    assert refusal(data[:3]) == "truncated"
    assert refusal(data[:40]) == "truncated"
    assert refusal(data[:-2]) == "truncated"
    assert refusal(data[: scans_at(data)[0]]) == "truncated"


FRAME = segment(0xC0, struct.pack(">BHHB3B", 8, 8, 8, 1, 1, 0x11, 0))
SCAN = segment(0xDA, bytes((1, 1, 0, 0, 63, 0))) + b"\x12\x34"


@pytest.mark.parametrize(
    "body",
    [
        b"\0" + FRAME + SCAN,  # no marker
        b"",  # no frame and no scan
        FRAME,
        FRAME + FRAME + SCAN,
        FRAME + b"\xff\xd8\x00\x02" + SCAN,  # a second picture
        segment(0xC0, bytes(5)) + SCAN,
        segment(0xC0, struct.pack(">BHHB3B", 8, 8, 8, 2, 1, 0x11, 0)) + SCAN,
        segment(0xC0, struct.pack(">BHHB3B", 8, 8, 8, 1, 1, 0x01, 0)) + SCAN,
        segment(0xDB, bytes(65)) + FRAME + SCAN,  # quantisation by zero
        segment(0xDB, b"\x10" + bytes(100)) + FRAME + SCAN,
        FRAME + segment(0xDA, b"") + b"\x12",
        FRAME + segment(0xDA, bytes((2, 1, 0, 0, 63, 0))) + b"\x12",
        FRAME + segment(0xDA, bytes((1, 7, 0, 0, 63, 0))) + b"\x12",  # of an unknown component
        FRAME + SCAN * 65,
        FRAME + SCAN,  # no tables
    ],
)
def test_impossible_headers_are_damaged(body: bytes) -> None:
    """Marker segments that are impossible or contradict each other are refused."""
    assert refusal(b"\xff\xd8" + body + EOI) == "undecodable"


def test_fill_bytes_and_lone_markers_are_allowed() -> None:
    """Fill bytes before any marker, and a marker without segment, are accepted (T.81 B.1.1.2)."""
    data = WHOLE["baseline"]
    filled = data[:2] + b"\xff\x01\xff\xff" + data[2:-2] + b"\xff\xff" + EOI
    np.testing.assert_array_equal(decode_jpeg(filled)[0], decode_jpeg(data)[0])
    data = WHOLE["restarts by rows"]
    at = data.index(b"\xff\xd1")
    np.testing.assert_array_equal(
        decode_jpeg(data[:at] + b"\xff" + data[at:])[0], decode_jpeg(data)[0]
    )
