"""Label images are read back as written, or rejected in one line."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionscan.png import encode_png
from lesionscan.reporting.overlay import labels_png
from lesionscan.results.labels import LabelsError, candidate_boxes, read_labels
from tests.reporting.made import make_findings
from tests.results.test_record import as_json, as_record, parsed


def test_a_labels_picture_comes_back(tmp_path: Path) -> None:
    """All pixels are read back, as 16 bit."""
    findings = make_findings()
    (tmp_path / "a.png").write_bytes(labels_png(findings))
    labels = read_labels(tmp_path / "a.png")
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(labels, findings.labels)


def test_a_picture_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The message for a missing picture has its path and the remedy."""
    with pytest.raises(LabelsError, match=r"a\.png is not there; scan the film again"):
        read_labels(tmp_path / "a.png")


def test_half_a_picture_is_refused(tmp_path: Path) -> None:
    """A truncated picture is rejected."""
    (tmp_path / "a.png").write_bytes(labels_png(make_findings())[:200])
    with pytest.raises(LabelsError, match=r"a\.png cannot be read as a picture; scan"):
        read_labels(tmp_path / "a.png")


@pytest.mark.parametrize("shape", [(4, 5, 3), (4, 5, 4)])
def test_a_colour_picture_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """A colour picture is rejected, since its pixels are not candidate ids."""
    Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(LabelsError, match=r"a\.png is a colour picture, not one grey number"):
        read_labels(tmp_path / "a.png")


def test_boxes_just_hold_the_candidates() -> None:
    """Bounding boxes of the pixels equal those in the JSON, by id, best first."""
    result, labels = as_json(), make_findings().labels
    boxes = candidate_boxes(parsed(result), labels)
    assert list(boxes) == [1, 2]
    for candidate in result["candidates"]:
        rows, columns = boxes[candidate["id"]]
        stated = [rows.start, columns.start, rows.stop, columns.stop]
        assert stated == candidate["bbox_px"]


def test_labels_of_another_film_are_refused() -> None:
    """Labels of another size, or without a pixel of a candidate, are rejected."""
    labels = np.array(make_findings().labels)
    with pytest.raises(
        LabelsError,
        match=r"a/knee\.dcm: the label image has 200 x 300 pixels, but the JSON states 300 x 200",
    ):
        candidate_boxes(as_record(), labels.T)
    for gone in (1, 2):
        with pytest.raises(LabelsError, match=rf"has no pixel of candidate {gone}; scan the film"):
            candidate_boxes(as_record(), np.where(labels == gone, 0, labels))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_few_bits_per_pixel_are_no_other_numbers(tmp_path: Path, bits: int) -> None:
    """Labels that another program has saved with 1, 2, 4 or 8 bits are read unchanged."""
    labels = np.array([[0, 1], [2**bits - 1, 0]], np.uint8)
    picture = Image.fromarray(labels.astype(bool)) if bits == 1 else Image.fromarray(labels)
    picture.save(tmp_path / "a.png", bits=bits)
    assert (tmp_path / "a.png").read_bytes()[24] == bits
    assert read_labels(tmp_path / "a.png").tolist() == labels.tolist()


def test_a_picture_larger_than_any_film_is_refused(tmp_path: Path) -> None:
    """A picture too large is rejected by its header, before memory is allocated."""
    data = bytearray(encode_png(np.zeros((9, 9), np.uint16)))
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(LabelsError, match=r"a\.png is larger than any film; scan the film again"):
        read_labels(tmp_path / "a.png")
