"""Reading of PNG, JPEG and TIFF with Pillow and tifffile.

OpenCV is not used: it accepts half a JPEG and invents the missing rows. These formats do not state
the size of a pixel (resolution tags describe printing and are 72 or 96 dpi by default), so the
spacing is None. A TIFF with MinIsWhite is inverted; otherwise bone is assumed to be bright.
"""

import errno
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO, Literal

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import JpegImagePlugin, PngImagePlugin
from PIL.Image import Image

from lesionscan.codes import ErrorCode, NoticeCode, notice
from lesionscan.radiograph import Notice, Radiograph
from lesionscan.reading.codestream import codestream_header, decode_codestream
from lesionscan.reading.colour import (
    Merged,
    colour_ignored,
    colour_photograph,
    from_channels,
    from_luma_chroma,
)
from lesionscan.reading.errors import UnreadableFileError, damaged, pixel_data_doubtful, truncated
from lesionscan.reading.frames import Frames
from lesionscan.reading.grayscale import Greys, as_float_image, inverted
from lesionscan.reading.jpeg_scan import decode_jpeg
from lesionscan.reading.limits import METADATA_BYTES
from lesionscan.reading.picture import Picture, black_and_white, check_size, several_pictures
from lesionscan.reading.polarity import raster_steps
from lesionscan.reading.raster_parts import check_png_chunks
from lesionscan.reading.tiff import tiff_picture
from lesionscan.reading.tiff_limits import check_directories
from lesionscan.reading.tiff_pages import tiff_pictures
from lesionscan.settings import Polarity, Settings

EXIF_ORIENTATION = 0x0112

_FILE_BYTES_PER_PIXEL = 8
"""Largest size of a pixel of a PNG: four channels of 16 bits."""

_DECODER_LOGGERS = ("tifffile", "PIL.PngImagePlugin", "PIL.TiffImagePlugin")
"""Loggers of the decoders. At level DEBUG, Pillow logs Exif values."""


def raster_frames(
    stream: BinaryIO, name: Literal["png", "jpeg", "tiff"], settings: Settings
) -> Frames:
    """Open a PNG, JPEG or TIFF file; each page of a TIFF is a frame.

    Parameters
    ----------
    stream
        The file, seekable.
    name
        Its format, detected from its content.
    settings
        `max_megapixels` and `polarity` are used; larger images are refused before they are
        decoded.

    Raises
    ------
    UnreadableFileError
        See :class:`~lesionscan.codes.ErrorCode`.
    """
    megapixels = settings.max_megapixels
    if name == "tiff":
        return _tiff_frames(stream, settings)
    room = int(megapixels * 1e6) * _FILE_BYTES_PER_PIXEL + METADATA_BYTES

    def read(_frame: int) -> Radiograph:
        return _radiograph(
            _png_or_jpeg_file(stream, name, room=room, max_megapixels=megapixels),
            settings.polarity,
        )

    return Frames(1, read, _not_said)


def _png_or_jpeg_file(
    stream: BinaryIO, name: Literal["png", "jpeg"], *, room: int, max_megapixels: float
) -> Picture:
    """Read and decode a file; its bytes are not kept in memory."""
    stream.seek(0)
    # All bytes are read first: later failures are those of the content, not of the disk.
    data = stream.read(room + 1)
    if len(data) > room:
        raise UnreadableFileError(
            ErrorCode.TOO_LARGE, "the file is too long for a radiograph; raise max_megapixels"
        )
    with _decoding():
        return (_png if name == "png" else _jpeg)(data, max_megapixels=max_megapixels)


def _tiff_frames(stream: BinaryIO, settings: Settings) -> Frames:
    """List the images of a TIFF except previews; only what is decoded is read."""
    # as many as may be read, with some previews for each
    most = 4 * settings.max_frames + 16
    check_directories(stream, pages=most)
    stream.seek(0)
    with _decoding():
        file = tifffile.TiffFile(stream, is_lsm=False, is_ndpi=False, is_scanimage=False)
        pictures = tiff_pictures(file, stream, most=most)
    if not pictures:
        raise damaged()
    file_bytes = stream.seek(0, io.SEEK_END)

    def decoded(frame: int) -> Picture:
        with _decoding():
            return tiff_picture(
                pictures[frame - 1], file_bytes=file_bytes, max_megapixels=settings.max_megapixels
            )

    def read_page(frame: int) -> Radiograph:
        return _radiograph(decoded(frame), settings.polarity)

    return Frames(len(pictures), read_page, _not_said)


def _not_said(_frame: int) -> None:
    """Return None: these formats do not state a window."""


@contextmanager
def _decoding() -> Iterator[None]:
    """Silence the decoders, and convert all their errors to ours."""
    with silenced_decoders():
        try:
            yield
        except (UnreadableFileError, MemoryError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise  # an error of the disk; damaged content can name impossible positions
            raise damaged() from None


@contextmanager
def silenced_decoders() -> Iterator[None]:
    """Suppress the warnings and log lines of the decoders, which may quote the file."""
    loggers = [logging.getLogger(name) for name in _DECODER_LOGGERS]

    def swallow(_record: logging.LogRecord) -> bool:
        return False

    for logger in loggers:
        logger.addFilter(swallow)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger in loggers:
            logger.removeFilter(swallow)


def _radiograph(picture: Picture, polarity: Polarity) -> Radiograph:
    """Convert a decoded image to grey, with bright bone."""
    array = picture.array
    valid = np.ones(array.shape[:2], dtype=np.bool_)
    if picture.has_alpha:
        opacity, array = array[..., -1], array[..., :-1]
        # no pixel may be fully opaque, as in a 16-bit image with 8-bit alpha
        valid = (opacity >= opacity.max()) & (opacity > 0)
        if not valid.any():
            raise UnreadableFileError(
                ErrorCode.NO_PIXELS, "no pixel is opaque; save the picture without transparency"
            )
    merged = _merged(array, picture)
    array = merged.greys
    picture = replace(picture, array=array)  # frees the memory of the channels
    if array.dtype.kind == "f" and not np.isfinite(array.astype(np.float32)).all():
        raise UnreadableFileError(
            ErrorCode.UNDECODABLE, "some grey values are not finite; replace them and save again"
        )
    greys = _greys(array, picture.full_scale)
    turned, steps = raster_steps("MINISWHITE" if picture.white_is_zero else None, polarity)
    return Radiograph(
        pixels=as_float_image(inverted(greys) if turned else greys),
        valid=valid,
        photometric_interpretation=picture.photometric,
        polarity=(
            "user" if polarity != "auto" else "stated" if picture.white_is_zero else "assumed"
        ),
        polarity_steps=steps,
        acquisition=(
            {"bits_stored": int(picture.full_scale).bit_length()} if array.dtype.kind == "u" else {}
        ),
        notices=_notices(picture, polarity, coloured=merged.coloured),
    )


def _merged(array: NDArray[Any], picture: Picture) -> Merged:
    """Convert the channels without alpha to grey."""
    if array.ndim == 2:
        return Merged(array)
    if array.shape[2] == 1:
        return Merged(array[..., 0])
    if array.shape[2] != 3:
        raise colour_photograph()
    merge = from_luma_chroma if picture.luma_chroma else from_channels
    return merge(array, full_scale=picture.full_scale)


def _greys(array: NDArray[Any], full_scale: float) -> Greys:
    """Add the range for inversion: that of the format, or that of the data for floats."""
    # float32 is exact for 16 bits, and saves memory at 100 million pixels.
    values = array.astype(np.float32 if array.dtype.itemsize <= 2 else np.float64)
    if array.dtype.kind == "f":
        return Greys(values, float(array.min()), float(array.max()))
    low = -(full_scale + 1) / 2 if array.dtype.kind == "i" else 0.0
    return Greys(values, low, low + full_scale)


def _notices(picture: Picture, polarity: Polarity, *, coloured: float) -> tuple[Notice, ...]:
    """Return the notices about what these formats do not state."""
    found = [
        notice(
            NoticeCode.NO_SPACING,
            "PNG, JPEG and TIFF files do not say what a pixel measures; sizes are in pixels",
        )
    ]
    if polarity == "auto" and not picture.white_is_zero:
        found.append(
            notice(
                NoticeCode.POLARITY_ASSUMED,
                "the file does not say which end of the scale is bone; bright was taken "
                "(--polarity bone-dark takes the other)",
            )
        )
    if coloured:
        found.append(colour_ignored(coloured))
    if picture.doubtful:
        found.append(pixel_data_doubtful())
    if picture.turned:
        found.append(
            notice(
                NoticeCode.EXIF_ORIENTATION_IGNORED,
                "the file asks viewers to turn the picture; coordinates are those of the stored "
                "matrix",
            )
        )
    return (*found, *picture.notices)


def _jpeg(data: bytes, *, max_megapixels: float) -> Picture:
    """Decode a JPEG or JPEG-LS file of any process and bit depth."""
    header = codestream_header(data)
    if header is None:
        decode_jpeg(data)  # its message names the process that is not supported
        raise damaged()
    check_size(header.rows, header.columns, max_megapixels=max_megapixels)
    if header.samples not in (1, 3):
        raise colour_photograph()
    decoded = decode_codestream(data, max_megapixels=max_megapixels)
    return Picture(
        decoded.cells,
        float((1 << header.precision) - 1),
        turned=_is_turned_jpeg(data),
        doubtful=decoded.doubtful,
        notices=(_another(),) if decoded.another_follows else (),
    )


def _another() -> Notice:
    return notice(
        NoticeCode.PIXELS_LEFT_OVER,
        "another picture follows the first in the file; it was not read, so save it as a file of "
        "its own (a small one is a preview, perhaps)",
    )


def _is_turned_jpeg(data: bytes) -> bool:
    try:
        return _is_turned(JpegImagePlugin.JpegImageFile(io.BytesIO(data)))
    except (SyntaxError, OSError):  # Pillow does not open files of more than 8 bits
        return False


def _is_turned(file: Image) -> bool:
    return file.getexif().get(EXIF_ORIENTATION, 1) not in (0, 1)


def _png(data: bytes, *, max_megapixels: float) -> Picture:
    """Decode by Pillow's format class, since `Image.open` adds a size limit of its own."""
    notices = (_another(),) if check_png_chunks(data) else ()
    file: Image = PngImagePlugin.PngImageFile(io.BytesIO(data))
    if getattr(file, "n_frames", 1) > 1:
        raise several_pictures()
    check_size(file.height, file.width, max_megapixels=max_megapixels)
    turned = _is_turned(file)
    try:
        file.load()
    except OSError as error:
        # This text is the only sign of a truncated file in Pillow.
        if "truncated" in str(error):
            raise truncated() from None
        raise
    if data[24] == 16 and file.mode not in ("I;16", "I;16B", "I"):
        # Pillow reduces 16-bit colour to 8 bits; byte 24 is the bit depth in IHDR (PNG 11.2.2).
        deep = imagecodecs.png_decode(data)
        has_alpha = deep.shape[-1] in (2, 4)
        return Picture(deep, 65535.0, has_alpha=has_alpha, turned=turned, notices=notices)
    return replace(_pillow_picture(file), turned=turned, notices=notices)


def _pillow_picture(file: Image) -> Picture:
    """Convert a Pillow image to channels."""
    if file.mode == "1":
        raise black_and_white()
    if file.mode in ("I;16", "I;16B", "I"):
        deep = np.asarray(file).astype(np.uint16)
        if "transparency" not in file.info:
            return Picture(deep, 65535.0)
        opacity = np.where(deep == file.info["transparency"], 0, 65535).astype(np.uint16)
        return Picture(np.dstack([deep, opacity]), 65535.0, has_alpha=True)
    if "transparency" in file.info or file.mode in ("P", "PA"):
        file = file.convert("LA" if file.mode == "L" else "RGBA")
    if file.mode not in ("L", "LA", "RGB", "RGBA"):
        raise colour_photograph()
    return Picture(np.asarray(file), 255.0, has_alpha=file.mode in ("LA", "RGBA"))
