"""Decoding of Huffman-coded JPEG; refused unless every pixel comes from the file.

libjpeg fills in missing data and only warns, and no suitable decoder passes these warnings on for
every process that DICOM uses (8, 12 and 16 bit, lossless). So the image itself is tested: bytes are
inserted at the end of the entropy-coded data; if this changes the image, data were missing. Data
after the last pixel show that some are damaged. To detect these, a grey image is decoded with one
additional row of blocks, so that two decodings suffice; in other images the last bytes are
replaced, which must change the image.
"""

import hashlib
import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from lesionscan.codes import ErrorCode
from lesionscan.reading.errors import UnreadableFileError, damaged, truncated

Cells = NDArray[np.integer[Any]]

_SOF_LOSSLESS, _SOF_PROGRESSIVE = 0xC3, 0xC2
_HUFFMAN_FRAMES = (0xC0, 0xC1, _SOF_PROGRESSIVE, _SOF_LOSSLESS)
_OTHER_FRAMES = (0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_RST0, _SOI, _EOI, _SOS, _DQT, _DRI, _TEM = 0xD0, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0x01

_MOST_ROWS = 65500
"""libjpeg's JPEG_MAX_DIMENSION."""

_MOST_SCANS = 64
"""Largest number of scans, more than encoders write; each takes a pass over the image."""

_MOST_MARKERS = 1 << 20
"""Restart intervals: one for every block of 8 x 8 pixels, in an image of 67 megapixels."""

_MOST_WORK = 10**9
"""Limit on pixels times scans squared, the cost of the search for surplus data in every scan."""

# Fixed bytes that look like noise. All have their first bit set, since libjpeg continues with zeros
# after the end of data; none is 0xFF, so they form no marker.
_CANARIES = tuple(
    bytes(min(byte | 0x80, 0xFE) for byte in hashlib.sha512(bytes([number])).digest())
    for number in range(4)
)


@dataclass(frozen=True, slots=True)
class _Scan:
    """One scan: its parameters, and the position of its entropy-coded data."""

    components: tuple[int, ...]
    band: range
    low_bit: int
    refines_means: bool
    start: int
    end: int
    interval: int
    restarts: tuple[int, ...]

    def intervals(self) -> Iterator[tuple[int, int]]:
        """Yield the first byte and the end of the data of each restart interval."""
        starts = (self.start, *(at + 2 for at in self.restarts))
        return zip(starts, (*self.restarts, self.end), strict=True)


@dataclass(slots=True)
class _Layout:
    """The marker segments of a codestream (T.81 annex B)."""

    process: int = 0
    frame_at: int = 0
    rows: int = 0
    columns: int = 0
    sampling: dict[int, tuple[int, int]] = field(default_factory=dict)
    scans: list[_Scan] = field(default_factory=list)

    @property
    def unit(self) -> int:
        """Rows and columns of a data unit: a sample or a block."""
        return 1 if self.process == _SOF_LOSSLESS else 8

    def mcu_shape(self, scan: _Scan) -> tuple[int, int]:
        """Return the rows and columns of the image that an MCU of a scan covers (T.81 A.2)."""
        across = max(h for h, _ in self.sampling.values())
        down = max(v for _, v in self.sampling.values())
        if len(scan.components) > 1:
            return self.unit * down, self.unit * across
        h, v = self.sampling[scan.components[0]]
        return self.unit * down // v, self.unit * across // h

    def mcus(self, scan: _Scan) -> int:
        """Return the number of MCUs in a scan."""
        rows, columns = self.mcu_shape(scan)
        return math.ceil(self.rows / rows) * math.ceil(self.columns / columns)


def decode_jpeg(data: bytes) -> tuple[Cells, bool]:
    """Decode a JPEG image that must be complete.

    Parameters
    ----------
    data
        From the start of image marker; bytes after the end marker are ignored.

    Returns
    -------
    cells
        Integers of shape (rows, columns) or (rows, columns, samples).
    surplus
        Whether data are left over after the last pixel. Then some part of the image is probably
        damaged, but it is not known which.

    Raises
    ------
    UnreadableFileError
        `truncated` if data are missing, `undecodable` if they are damaged,
        `unsupported_transfer_syntax` for arithmetic coding and the hierarchical processes.
    """
    layout = _layout(data)
    _check_scans(layout)
    scans = layout.scans
    if len(scans) == len(layout.sampling) == 1 and not scans[0].restarts:
        found = _decode_grey(data, layout, scans[0])
        if found is not None:
            return found
    cells = _decode(data)
    if not np.array_equal(cells, _decode(_marked(data, scans))):
        raise truncated()
    return cells, any(_has_surplus(data, layout, scan, cells) for scan in scans)


def _decode_grey(data: bytes, layout: _Layout, scan: _Scan) -> tuple[Cells, bool] | None:
    """Decode one grey scan without restarts; None if the image cannot be extended."""
    rows, unit = layout.rows, layout.unit
    last = math.ceil(rows / unit) * unit
    if last + unit > _MOST_ROWS:
        return None
    taller = bytearray(data)
    struct.pack_into(">H", taller, layout.frame_at + 5, last + unit)
    plain = _decode(bytes(taller))
    marked = _decode(_marked(bytes(taller), [scan]))
    cells = plain[:rows]
    if not np.array_equal(cells, marked[:rows]):
        raise truncated()
    # The data of a complete image end where the additional row would start.
    ends_late = np.array_equal(plain[last:, :unit], marked[last:, :unit])
    return cells, ends_late and _has_surplus(data, layout, scan, cells)


def _has_surplus(data: bytes, layout: _Layout, scan: _Scan, cells: Cells) -> bool:
    """Return whether the last bytes of an interval of a scan do not affect the image."""
    # refined DC coefficients may be lost in rounding, in the whole image
    if scan.refines_means or layout.rows * layout.columns * len(layout.scans) ** 2 > _MOST_WORK:
        return False
    # One byte may be padding; a few bits of refined coefficients may be lost in rounding.
    last = 16 if layout.process == _SOF_PROGRESSIVE else 4 if scan.restarts else 2
    idle: NDArray[np.bool_] = np.ones(1, dtype=np.bool_)
    # the change by one canary may be invisible where the image is black or white
    for canary in _CANARIES:
        changed = cells != _decode(_marked(data, [scan], canary, instead_of=last))
        idle = np.logical_and(idle, ~_by_interval(changed, layout, scan))
        if not idle.any():
            return False
    # with only one code in a table, no byte has an effect
    changed = cells != _decode(_marked(data, [scan], instead_of=len(data)))
    return bool((idle & _by_interval(changed, layout, scan)).any())


def _by_interval(changed: NDArray[np.bool_], layout: _Layout, scan: _Scan) -> NDArray[np.bool_]:
    """Return for each restart interval whether any of its pixels has changed."""
    if not scan.restarts or len(layout.scans) > 1:
        return np.asarray([changed.any()])
    # subsampled colour is smoothed across the edges of blocks
    smoothed = changed.ndim == 3 and layout.unit > 1
    flat = changed.any(axis=2) if changed.ndim == 3 else changed
    rows, columns = layout.mcu_shape(scan)
    padded = np.pad(flat, ((0, -flat.shape[0] % rows), (0, -flat.shape[1] % columns)))
    height, width = padded.shape[0] // rows, padded.shape[1] // columns
    blocks = padded.reshape(height, rows, width, columns)
    mcus: NDArray[np.bool_] = np.asarray(blocks.any(axis=(1, 3)))
    if smoothed:
        mcus = np.asarray(blocks[:, 1:-1].any(axis=(1, 3)))
        only_one = flat.shape[0] % rows == 1  # row of the last blocks is seen
        mcus[-1] = blocks[-1, 0 if only_one else 1 :].any(axis=(0, 2))
    intervals = np.pad(mcus.ravel(), (0, -mcus.size % scan.interval)).reshape(-1, scan.interval)
    return np.asarray(intervals.any(axis=1))


def _marked(
    data: bytes, scans: Sequence[_Scan], canary: bytes = _CANARIES[0], *, instead_of: int = 0
) -> bytes:
    """Insert a canary at the end of the entropy-coded data, or in place of their last bytes."""
    parts, at = [], 0
    for start, end in (interval for scan in scans for interval in scan.intervals()):
        stop = max(start, end - instead_of)
        while (
            stop > start and data[stop - 1] == 0xFF
        ):  # a fill byte, or its stuffed zero is missing
            stop -= 1
        parts += [data[at:stop], canary]
        at = end
    return b"".join([*parts, data[at:]])


def _decode(data: bytes) -> Cells:
    try:
        cells: Cells = imagecodecs.jpeg8_decode(data)
    except Exception:  # noqa: BLE001 - the codec's errors all mean damaged data
        raise damaged() from None
    return cells


def _check_scans(layout: _Layout) -> None:
    """Refuse an image with missing scans or restart intervals."""
    # the lowest bit received of each coefficient: all must reach 0 (T.81 G.1.1.1)
    missing = {(one, n) for one in layout.sampling for n in range(64)}
    for scan in layout.scans:
        if not set(scan.components) <= layout.sampling.keys():
            raise damaged()
        if layout.process != _SOF_PROGRESSIVE:  # other encoders do not keep to it
            missing -= {(one, n) for one in scan.components for n in range(64)}
        elif scan.low_bit == 0:
            missing -= {(one, n) for one in scan.components for n in scan.band}
        if not scan.interval:
            if scan.restarts:
                raise damaged()
            continue
        mcus = layout.mcus(scan)
        # some encoders end with one more
        most = mcus // scan.interval
        if not math.ceil(mcus / scan.interval) - 1 <= len(scan.restarts) <= most:
            raise truncated() if len(scan.restarts) < most else damaged()
    if missing:
        raise truncated()


def _layout(data: bytes) -> _Layout:
    """Read the marker segments from start to end of image."""
    layout = _Layout()
    markers = _markers(data)
    at, interval = 2, 0
    while at + 2 <= len(data):
        if data[at] != 0xFF:
            raise damaged()
        marker = data[at + 1]
        if marker == _EOI:
            if not (layout.sampling and layout.scans):
                raise damaged()
            return layout
        if marker in (0xFF, _TEM):  # a fill byte; a marker without a segment
            at += 1 if marker == 0xFF else 2
            continue
        body = data[at + 4 : at + 2 + int.from_bytes(data[at + 2 : at + 4])]
        end = at + 4 + len(body)
        if end > len(data) or int.from_bytes(data[at + 2 : at + 4]) != len(body) + 2:
            raise truncated()
        if marker in _HUFFMAN_FRAMES and not layout.sampling:
            _read_frame(layout, marker, at, body)
        elif marker in _HUFFMAN_FRAMES or marker == _SOI:
            raise damaged()
        elif marker in _OTHER_FRAMES:
            raise UnreadableFileError(
                ErrorCode.UNSUPPORTED_TRANSFER_SYNTAX,
                "arithmetic and hierarchical JPEG cannot be read; save the picture as PNG",
            )
        elif marker == _DRI and len(body) == 2:
            (interval,) = struct.unpack(">H", body)
        elif marker == _DQT:
            _check_steps(body)
        elif marker == _SOS:
            if len(layout.scans) == _MOST_SCANS:
                raise damaged()
            scan = _read_scan(data, markers, body, end, interval)
            layout.scans.append(scan)
            end = scan.end
        at = end
    raise truncated()


def _read_frame(layout: _Layout, marker: int, at: int, body: bytes) -> None:
    """Read a start of frame (T.81 B.2.2)."""
    if len(body) < 6 or len(body) != 6 + 3 * body[5]:
        raise damaged()
    layout.process, layout.frame_at = marker, at
    _, layout.rows, layout.columns = struct.unpack_from(">BHH", body)
    for component, sampling, _ in struct.iter_unpack(">3B", body[6:]):
        across, down = sampling >> 4, sampling & 15
        if not (across and down):
            raise damaged()
        layout.sampling[component] = across, down


def _check_steps(body: bytes) -> None:
    """Refuse quantisation by zero, which a gap in the data of a table causes (T.81 B.2.4.1)."""
    at = 0
    while at < len(body):
        bytes_each = 2 if body[at] >> 4 else 1
        steps = body[at + 1 : at + 1 + 64 * bytes_each]
        if len(steps) < 64 * bytes_each or not np.frombuffer(steps, f">u{bytes_each}").all():
            raise damaged()
        at += 1 + len(steps)


def _markers(data: bytes) -> NDArray[np.intp]:
    """Return the positions of markers: 0xFF without stuffing or fill bytes (T.81 B.1.1.5)."""
    octets = np.frombuffer(data, np.uint8)
    starts, following = octets[:-1] == 0xFF, octets[1:]
    starts &= (following != 0) & (following != 0xFF)
    if np.count_nonzero(starts) > _MOST_MARKERS:  # before eight bytes are allocated for each
        raise damaged()
    return np.flatnonzero(starts)


def _read_scan(
    data: bytes, markers: NDArray[np.intp], body: bytes, start: int, interval: int
) -> _Scan:
    """Read a scan header (T.81 B.2.3), and find the end of its data (not a restart marker)."""
    if not body or len(body) != 4 + 2 * body[0]:
        raise damaged()
    restarts: list[int] = []
    for at in markers[np.searchsorted(markers, start) :]:
        code = data[at + 1]
        if not _RST0 <= code <= _RST0 + 7:
            break
        if code != _RST0 + len(restarts) % 8:
            raise damaged()
        restarts.append(int(at))
    else:
        raise truncated()
    first, last, bits = body[-3:]
    return _Scan(
        components=tuple(body[1:-3:2]),
        band=range(first, last + 1),
        low_bit=bits & 15,
        refines_means=first == 0 and bits >> 4 > 0,
        start=start,
        end=int(at),
        interval=interval,
        restarts=tuple(restarts),
    )
