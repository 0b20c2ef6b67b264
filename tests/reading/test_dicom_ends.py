"""Compressed films with data after the last pixel: the values are exact."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from lesionscan.radiograph import Radiograph
from lesionscan.reading import UnreadableFileError, read_radiograph
from tests.reading.dicom_maker import LOSSLESS, SYNTAXES, dataset, encode, save
from tests.reading.test_dicom_bits import film

JPEG_FAMILY = ["jpeg_lossless", "jpeg_ls", "jpeg2000", "htj2k"]
EMPTY_ITEM = b"\xfe\xff\x00\xe0" + bytes(4)


def stream_of(packing: str) -> bytes:
    """Return the film as one codestream, without padding."""
    stream = encode(film(12).astype(np.uint16), 12, packing)
    return stream if packing == "rle" else stream.rstrip(b"\0")


def read(packing: str, data: bytes, folder: Path) -> tuple[Radiograph, bool]:
    """Read encapsulated pixel data; return the film, and whether it is doubtful."""
    ds = dataset(film(12), bits_stored=12, packing=packing)
    ds.PixelData = data
    radiograph = read_radiograph(save(ds, folder / "a.dcm"))
    return radiograph, "pixel_data_doubtful" in {one.code for one in radiograph.notices}


@pytest.mark.parametrize("packing", JPEG_FAMILY)
@pytest.mark.parametrize(
    "behind", [b"\0", bytes(300), b"\x20", b"\xff\xd9", b"\x37\x99" * 50, b"\xff" * 7]
)
def test_bytes_behind_the_end_marker_are_no_picture(
    tmp_path: Path, packing: str, behind: bytes
) -> None:
    """Any bytes after the end marker are ignored: values are exact and not doubtful."""
    radiograph, doubtful = read(packing, encapsulate([stream_of(packing) + behind]), tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    assert not doubtful


@pytest.mark.parametrize("packing", LOSSLESS)
@pytest.mark.parametrize(
    "behind",
    [EMPTY_ITEM, b"\xfc\xff\xfc\xffOB\0\0\4\0\0\0\0\0\0\0", b"\x37\x99" * 5, bytes(9)],
    ids=["an empty fragment", "an element", "junk", "zeros"],
)
def test_what_follows_the_last_fragment_is_no_picture(
    tmp_path: Path, packing: str, behind: bytes
) -> None:
    """An empty fragment, an element, junk or zeros after the last fragment are ignored."""
    data = encapsulate([stream_of(packing)]) + behind
    radiograph, doubtful = read(packing, data, tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    assert not doubtful


@pytest.mark.parametrize("packing", ["jpeg_lossless", "jpeg_ls"])
def test_fill_bytes_may_stand_before_the_end_marker(tmp_path: Path, packing: str) -> None:
    """Fill bytes before the end marker are accepted (ITU-T T.81 B.1.1.2)."""
    filled = stream_of(packing)[:-2] + b"\xff\xff\xff\xd9"
    radiograph, doubtful = read(packing, encapsulate([filled]), tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    assert not doubtful


@pytest.mark.parametrize("packing", ["jpeg2000", "htj2k"])
@pytest.mark.parametrize("between", [b"\0", b"\xff", b"\x31" * 40])
def test_bytes_behind_the_last_tile_are_passed_over(
    tmp_path: Path, packing: str, between: bytes
) -> None:
    """Bytes between the last tile-part and the end marker are skipped, and reported as doubtful.

    A tile-part states its length.
    """
    stream = stream_of(packing)
    data = encapsulate([stream[:-2] + between + b"\xff\xd9"])
    radiograph, doubtful = read(packing, data, tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    assert doubtful


@pytest.mark.parametrize("packing", LOSSLESS)
@pytest.mark.parametrize("behind", [b"", bytes(300), b"\x20", b"\xff\xd9", b"\x37\x99" * 50])
def test_what_lies_behind_makes_no_half_film_whole(
    tmp_path: Path, packing: str, behind: bytes
) -> None:
    """A film that is cut and continued by other bytes is refused.

    If it is almost complete, it may be doubtful instead: the bytes may decode to enough pixels.
    """
    whole = stream_of(packing)
    end = b"" if packing == "rle" else b"\xff\xd9"
    for share in (0.3, 0.6, 0.97):
        cut = whole[: int(len(whole) * share)] + behind + end
        found = outcome(packing, encapsulate([cut]), tmp_path)
        assert found in {"truncated", "undecodable"} or (found == "doubtful" and share > 0.9)


def outcome(packing: str, data: bytes, folder: Path) -> str:
    """Return the code of the error, or "doubtful" or "whole" if the film was read."""
    try:
        return "doubtful" if read(packing, data, folder)[1] else "whole"
    except UnreadableFileError as error:
        return error.code


@pytest.mark.parametrize("packing", LOSSLESS)
@pytest.mark.parametrize("syntax", [*LOSSLESS, "jpeg_baseline", "explicit"])
def test_the_data_choose_their_decoder(tmp_path: Path, packing: str, syntax: str) -> None:
    """The data determine the decoder, not the transfer syntax; an uncompressed one is reported."""
    ds = dataset(film(12), bits_stored=12, packing=packing)
    ds.file_meta.TransferSyntaxUID = SYNTAXES[syntax]
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    codes = {one.code for one in radiograph.notices}
    assert ("header_irregular" in codes) == (syntax == "explicit")


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize(
    "syntax", [SYNTAXES["explicit"], SYNTAXES["rle"], UID("1.2.840.10008.1.2.1.98")]
)
def test_uncompressed_fragments(tmp_path: Path, syntax: UID, bits: int) -> None:
    """Fragments of Encapsulated Uncompressed Explicit VR Little Endian (PS3.5 A.4.11) are read.

    They are also read under transfer syntaxes of other encodings.
    """
    ds = dataset(film(bits), bits_stored=bits)
    ds.PixelData = encapsulate([ds.PixelData])
    ds.file_meta.TransferSyntaxUID = syntax
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, film(bits))


def test_pixels_that_look_like_a_list_of_fragments(tmp_path: Path) -> None:
    """Uncompressed pixels that begin with the bytes of an item tag are read as pixels."""
    stored = film(16)
    stored[0, :2] = 0xFFFE, 0xE000
    radiograph = read_radiograph(save(dataset(stored, bits_stored=16), tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, stored)


@pytest.mark.parametrize("packing", ["explicit", "implicit", "big_endian"])
@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big_endian"])
def test_the_header_shows_how_it_is_encoded(tmp_path: Path, packing: str, syntax: str) -> None:
    """An uncompressed file with the transfer syntax of another encoding is read with a notice.

    Implicit VR labelled as big endian, and the reverse, are refused.
    """
    parts = []
    for one in (syntax, packing):
        path = save(dataset(film(12), bits_stored=12, packing=one), tmp_path / "a.dcm")
        data = path.read_bytes()
        end = 144 + int.from_bytes(data[140:144], "little")  # of the meta information
        parts.append((data[:end], data[end:]))
    path.write_bytes(parts[0][0] + parts[1][1])
    if {packing, syntax} == {"implicit", "big_endian"}:
        with pytest.raises(UnreadableFileError):
            read_radiograph(path)
        return
    radiograph = read_radiograph(path)
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    is_told = "header_irregular" in {one.code for one in radiograph.notices}
    assert is_told == (packing != syntax)
