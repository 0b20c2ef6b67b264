"""DICOM files with several frames; overlays, compression, UIDs and the user's spacing."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from lesionscan.reading import UnreadableFileError, open_radiographs, read_radiograph
from lesionscan.settings import Settings
from tests.reading.dicom_maker import NATIVE, dataset, encode, ramp, save


def several(packing: str, *, bits: int = 12, shape: tuple[int, int] = (12, 17)) -> Dataset:
    """Return a file of three frames: a ramp, the ramp upside down, and a flat grey."""
    frames = frames_of(bits, shape)
    ds = dataset(frames[0], bits_stored=bits, packing=packing, NumberOfFrames=3)
    if packing in NATIVE:
        every = np.concatenate(frames).astype(np.uint8 if bits <= 8 else np.uint16)
        one = dataset(every, bits_stored=bits, packing=packing)
        ds.PixelData = one.PixelData
    else:
        cells = [frame.astype(np.uint8 if bits <= 8 else np.uint16) for frame in frames]
        ds.PixelData = encapsulate([encode(cell, bits, packing) for cell in cells])
    return ds


def frames_of(bits: int, shape: tuple[int, int]) -> list[NDArray[np.int64]]:
    """Return the three frames' stored values."""
    one = ramp(bits, rows=shape[0], columns=shape[1])
    return [one, one[::-1], np.full_like(one, 77)]


@pytest.mark.parametrize(
    ("packing", "bits", "shape"),
    [
        ("explicit", 12, (12, 17)),
        ("explicit", 8, (5, 3)),  # frames of odd length cross the borders of words
        ("big_endian", 8, (5, 3)),
        ("big_endian", 16, (5, 3)),
        ("deflated", 12, (12, 17)),
        ("rle", 12, (12, 17)),
        ("jpeg_lossless", 12, (12, 17)),
        ("jpeg2000", 12, (12, 17)),
    ],
)
def test_every_frame_is_read(
    tmp_path: Path, packing: str, bits: int, shape: tuple[int, int]
) -> None:
    """Every frame is read with its own number and values."""
    path = save(several(packing, bits=bits, shape=shape), tmp_path / "a.dcm")
    with open_radiographs(path) as frames:
        assert frames.count == 3
        read = [frames.read(number) for number in (1, 2, 3)]
    assert [(one.frame, one.frames) for one in read] == [(1, 3), (2, 3), (3, 3)]
    for one, expected in zip(read, frames_of(bits, shape), strict=True):
        np.testing.assert_array_equal(one.pixels, expected)
    np.testing.assert_array_equal(read_radiograph(path, frame=2).pixels, read[1].pixels)


def test_a_cut_off_frame_fails_alone(tmp_path: Path) -> None:
    """If the file ends within the last frame, that frame is truncated and the others are read."""
    path = save(several("rle"), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[:-40])
    with open_radiographs(path) as frames:
        for number, expected in enumerate(frames_of(12, (12, 17))[:2], start=1):
            np.testing.assert_array_equal(frames.read(number).pixels, expected)
        with pytest.raises(UnreadableFileError) as caught:
            frames.read(3)
    assert caught.value.code == "truncated"


def test_the_limit_is_a_setting(tmp_path: Path) -> None:
    """A file with more frames than max_frames is refused."""
    path = save(several("explicit"), tmp_path / "a.dcm")
    with pytest.raises(UnreadableFileError, match="3 pictures, more than 2") as caught:
        read_radiograph(path, settings=Settings(max_frames=2))
    assert caught.value.code == "multi_frame"


def test_frames_take_memory_one_at_a_time(tmp_path: Path) -> None:
    """Reading forty frames one by one takes less memory than twelve frames of float32."""
    frame = ramp(12, rows=300, columns=400)
    ds = dataset(frame, bits_stored=12, NumberOfFrames=40)
    ds.PixelData = ds.PixelData * 40
    path = save(ds, tmp_path / "a.dcm")
    del ds
    tracemalloc.start()
    with open_radiographs(path) as frames:
        for number in range(1, frames.count + 1):
            frames.read(number)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * 300 * 400 * 4


def facts(tmp_path: Path, settings: Settings | None = None, **tags: Any) -> dict[str, object]:  # noqa: ANN401
    """Return the acquisition facts of a file with these tags."""
    path = save(dataset(ramp(12), bits_stored=12, **tags), tmp_path / "a.dcm")
    return dict(read_radiograph(path, settings=settings).acquisition)


def test_overlays_are_counted_and_not_drawn(tmp_path: Path) -> None:
    """Overlays, separate or in unused bits, are counted and do not change grey values."""
    ds = dataset(ramp(12), bits_stored=12)
    for group, position in ((0x6000, 0), (0x6002, 12)):
        ds.add_new((group, 0x0010), "US", 12)
        ds.add_new((group, 0x0011), "US", 17)
        ds.add_new((group, 0x0102), "US", position)
    ds.add_new((0x6000, 0x3000), "OW", bytes(26))
    cells = np.frombuffer(ds.PixelData, np.uint16) | 0x1000  # bit 12 is an overlay everywhere
    ds.PixelData = cells.tobytes()
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, ramp(12))
    assert radiograph.acquisition["overlays"] == 2
    messages = {entry.code: entry.message for entry in radiograph.notices}
    assert "2 overlay planes" in messages["overlays_not_drawn"]


def test_lossy_compression_is_reported(tmp_path: Path) -> None:
    """Lossy compression, its ratio and its method are reported from the file's tags."""
    found = facts(
        tmp_path, LossyImageCompression="01", LossyImageCompressionRatio=12.5,
        LossyImageCompressionMethod="ISO_10918_1",
    )  # fmt: skip
    assert found["lossy_image_compression"] == "01"
    assert found["lossy_image_compression_ratio"] == 12.5
    assert found["lossy_image_compression_method"] == "ISO_10918_1"


def test_uids_are_reported_on_request_only(tmp_path: Path) -> None:
    """UIDs, from which a patient could be identified, are reported only on request."""
    tags: dict[str, Any] = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4"}
    assert not [name for name in facts(tmp_path, **tags) if name.endswith("uid")]
    found = facts(tmp_path, Settings(keep_uids=True), **tags)
    assert (found["study_instance_uid"], found["series_instance_uid"]) == ("1.2.3", "1.2.3.4")
    assert found["sop_instance_uid"] == "1.2.3.4"


def test_the_users_spacing_wins(tmp_path: Path) -> None:
    """The user's spacing replaces that of the file, with a single notice if they differ."""
    path = save(
        dataset(
            ramp(12), bits_stored=12, ImagerPixelSpacing=[0.1, 0.1],
            EstimatedRadiographicMagnificationFactor=1.1,
        ),
        tmp_path / "a.dcm",
    )  # fmt: skip
    radiograph = read_radiograph(path, settings=Settings(spacing_mm=(0.3, 0.2)))
    assert radiograph.spacing is not None
    assert (radiograph.spacing.row_mm, radiograph.spacing.column_mm) == (0.3, 0.2)
    assert radiograph.spacing.source == "user"
    (entry,) = radiograph.notices
    assert entry.code == "spacing_overridden"
    assert entry.message.startswith("the file states 0.09091 x 0.09091 mm (ImagerPixelSpacing/")
    assert entry.message.endswith("); yours was taken")
    same = read_radiograph(path, settings=Settings(spacing_mm=(0.0909, 0.0909)))
    assert same.notices == ()
