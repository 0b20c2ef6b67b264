"""Decoding of one page of a TIFF to grey or colour, and alpha."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from lesionscan.codes import ErrorCode, NoticeCode, notice
from lesionscan.radiograph import Notice
from lesionscan.reading.colour import colour_photograph
from lesionscan.reading.errors import UnreadableFileError, damaged
from lesionscan.reading.picture import Picture, black_and_white, check_size, several_pictures
from lesionscan.reading.raster_parts import check_tiff_segments
from lesionscan.reading.tiff_limits import check_page
from lesionscan.reading.tiff_pages import TiffPicture

_ORIENTATION = 0x0112
_PHOTOMETRIC = 0x0106

_SAMPLES = {
    tifffile.PHOTOMETRIC.MINISWHITE: 1,
    tifffile.PHOTOMETRIC.MINISBLACK: 1,
    tifffile.PHOTOMETRIC.PALETTE: 1,
    tifffile.PHOTOMETRIC.RGB: 3,
    tifffile.PHOTOMETRIC.YCBCR: 3,
}
"""Number of grey or colour samples per pixel (TIFF 6.0 PhotometricInterpretation)."""

_OPACITY = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)
_MOST_SAMPLES = 5
"""Colour, alpha, and one more; pages with more samples are stacks of images."""


def tiff_picture(one: TiffPicture, *, file_bytes: int, max_megapixels: float) -> Picture:
    """Decode one image of a TIFF.

    Parameters
    ----------
    one
        The image; its file must be open.
    file_bytes
        The file's length.
    max_megapixels
        The setting.

    Raises
    ------
    UnreadableFileError
        If the page cannot be a radiograph, or is incomplete.
    """
    page = one.page
    check_size(page.imagelength, page.imagewidth, max_megapixels=max_megapixels)
    if page.bitspersample == 1:
        raise black_and_white()
    if page.imagedepth > 1 or page.samplesperpixel > _MOST_SAMPLES:
        raise several_pictures()
    check_page(page, max_megapixels=max_megapixels)
    doubtful = check_tiff_segments(page, file_bytes)
    array = page.asarray() if one.number == 0 else _behind(page, one.number)
    picture = _sorted_out(page, _channels_last(page, array))
    orientation = page.tags.valueof(_ORIENTATION, default=1)
    return replace(
        picture,
        turned=orientation not in (0, 1),
        doubtful=doubtful,
        notices=(*picture.notices, *one.notices),
    )


def _behind(page: tifffile.TiffPage, number: int) -> NDArray[Any]:
    """Read an uncompressed image that is this many images after that of a page."""
    array: NDArray[Any] = page.parent.filehandle.read_array(
        np.dtype(page.dtype).newbyteorder(page.parent.byteorder),
        math.prod(page.shape),
        page.dataoffsets[0] + number * page.nbytes,
    )
    return array.reshape(page.shape)


def _channels_last(page: tifffile.TiffPage, array: NDArray[Any]) -> NDArray[Any]:
    """Return (rows, cols, samples), for either planar configuration."""
    samples = page.samplesperpixel
    if samples > 1 and page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
        array = np.moveaxis(array, 0, -1)
    shape = (page.imagelength, page.imagewidth)
    if array.shape not in (shape, (*shape, samples)) or (array.ndim == 2 and samples > 1):
        raise damaged()
    return array.reshape(*shape, samples)


def _sorted_out(page: tifffile.TiffPage, array: NDArray[Any]) -> Picture:
    """Keep grey or colour and alpha, by the tags that describe the samples."""
    if array.dtype.kind not in "uif":
        raise UnreadableFileError(
            ErrorCode.NOT_A_RADIOGRAPH, "the pixels are no grey values; save as 8 or 16 bit grey"
        )
    photometric = _photometric(page)
    used = _samples(page, photometric)
    opacity = _opacity(page, used)
    left_out = page.samplesperpixel - used - (opacity is not None)
    full_scale = float((1 << int(page.bitspersample)) - 1) if array.dtype.kind != "f" else 1.0
    alpha = array[..., opacity : opacity + 1] if opacity is not None else array[..., :0]
    array = array[..., :used]
    is_palette = photometric == tifffile.PHOTOMETRIC.PALETTE
    if is_palette:
        array, alpha, full_scale = _looked_up(page, array, alpha, full_scale)
    return Picture(
        np.concatenate([array, alpha], axis=2) if alpha.size else array,
        full_scale,
        has_alpha=opacity is not None,
        # tifffile converts the YCbCr of JPEG to RGB
        luma_chroma=(
            photometric == tifffile.PHOTOMETRIC.YCBCR
            and page.compression != tifffile.COMPRESSION.JPEG
        ),
        white_is_zero=photometric == tifffile.PHOTOMETRIC.MINISWHITE,
        photometric=photometric.name if _PHOTOMETRIC in page.tags and not is_palette else None,
        notices=(_left_out(left_out),) if left_out else (),
    )


def _photometric(page: tifffile.TiffPage) -> tifffile.PHOTOMETRIC:
    """Return PhotometricInterpretation; if it is missing, high values are assumed to be bright.

    It has no default (TIFF 6.0 section 8), and programs differ: tifffile assumes 0, MinIsWhite.
    """
    if _PHOTOMETRIC in page.tags:
        return tifffile.PHOTOMETRIC(page.photometric)
    is_grey = page.samplesperpixel < _SAMPLES[tifffile.PHOTOMETRIC.RGB]
    return tifffile.PHOTOMETRIC.MINISBLACK if is_grey else tifffile.PHOTOMETRIC.RGB


def _samples(page: tifffile.TiffPage, photometric: tifffile.PHOTOMETRIC) -> int:
    """Return how many samples of a pixel are grey or colour; these come first."""
    used = _SAMPLES.get(photometric)
    if used is None or page.samplesperpixel < used:
        raise colour_photograph()
    if used == 1 and not page.extrasamples and page.samplesperpixel in (3, 4):
        return 3  # the tag says grey, but all channels are grey
    return used


def _opacity(page: tifffile.TiffPage, used: int) -> int | None:
    """Return the index of the alpha sample (TIFF 6.0 ExtraSamples); unspecified ones are not."""
    kinds = tuple(page.extrasamples)[: page.samplesperpixel - used]
    found = (used + place for place, kind in enumerate(kinds) if kind in _OPACITY)
    return next(found, None)


def _looked_up(
    page: tifffile.TiffPage, array: NDArray[Any], alpha: NDArray[Any], full_scale: float
) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Return the colours of the palette, and alpha on their scale of 16 bits."""
    if page.colormap is None:
        raise damaged()
    colours = np.moveaxis(page.colormap[:, array[..., 0]], 0, -1)
    return colours, np.where(alpha >= full_scale, 65535, 0).astype(colours.dtype), 65535.0


def _left_out(count: int) -> Notice:
    return notice(
        NoticeCode.EXTRA_SAMPLES_IGNORED,
        f"each pixel of the TIFF holds {count} more numbers than its grey or colour, which "
        "ExtraSamples does not call opacity; they are ignored (save a picture that they make as a "
        "page of its own)",
    )
