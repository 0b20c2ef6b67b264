"""Finding the images in a TIFF: pages, nested pages (SubIFDs), and stacks with one directory.

Microscopy software writes a stack as one image followed by the data of the others, with their
number in a description. No image is skipped without a notice.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO

import tifffile

from lesionscan.codes import NoticeCode, notice
from lesionscan.radiograph import Notice
from lesionscan.reading.tiff_limits import check_directories

_BYTES_OF_TAG = 20
"""Bytes of an entry in the directory of a BigTIFF; 12 in other files."""


@dataclass(frozen=True, slots=True, eq=False)
class TiffPicture:
    """An image in a TIFF.

    Attributes
    ----------
    page
        The page that describes it.
    number
        Number of the image in the page, from 0; those after the first have no description.
    notices
        Notices about wrong descriptions in the file.
    """

    page: tifffile.TiffPage
    number: int = 0
    notices: tuple[Notice, ...] = ()


def tiff_pictures(file: tifffile.TiffFile, stream: BinaryIO, *, most: int) -> list[TiffPicture]:
    """List the images of a TIFF, except previews.

    Parameters
    ----------
    file
        The file, whose main directories have been checked by `check_directories`.
    stream
        Its bytes; it is moved.
    most
        Number of pages that are read.

    Raises
    ------
    UnreadableFileError
        `too_large`, from `check_directories`.
    """
    main = [_page(one) for one in islice(file.pages, most)]
    pages = [*main, *islice(_pages_of_pages(main, stream, most), most)]
    # some writers mark every page except the first, or all pages, as reduced
    largest = max((_size(page) for page in pages), default=0)
    pages = [page for page in pages if not (page.is_reduced and _size(page) < largest)]
    pictures = [TiffPicture(page) for page in pages]
    if not pages:
        return []
    said = _described(file)
    if len(pages) == 1 and pages[0].is_contiguous and _size(pages[0]):
        return _stack(pages[0], said, stream.seek(0, 2))
    if said > len(pages):
        told = (_disagree(said, len(pages)),)
        return [replace(picture, notices=told) for picture in pictures]
    return pictures


def _page(page: tifffile.TiffPage | tifffile.TiffFrame) -> tifffile.TiffPage:
    """Return a page with its own tags, even if it is like the previous one."""
    return page.aspage() if isinstance(page, tifffile.TiffFrame) else page


def _pages_of_pages(
    pages: list[tifffile.TiffPage], stream: BinaryIO, most: int
) -> Iterator[tifffile.TiffPage]:
    """Yield the nested pages of a page (TIFF Technical Note 1, SubIFDs)."""
    for page in pages:
        for offset in (page.subifds or ())[:most]:
            check_directories(stream, pages=most, start=offset)
        if page.subifds and page.pages is not None:  # smaller ones are copies of the page
            yield from (one for one in map(_page, page.pages) if _size(one) >= _size(page))


def _size(page: tifffile.TiffPage) -> int:
    return page.imagelength * page.imagewidth


def _described(file: tifffile.TiffFile) -> int:
    """Return the number of images in the description of a file, by default 1."""
    if file.is_imagej:
        return _whole((file.imagej_metadata or {}).get("images"))
    if file.is_stk:
        return _whole((file.stk_metadata or {}).get("NumberPlanes"))
    if file.is_shaped:  # written by tifffile
        page = file.pages.first
        shapes = [one.get("shape") for one in file.shaped_metadata or ()]
        values = math.prod(map(int, page.shape))
        if len(shapes) == 1 and isinstance(shapes[0], tuple | list) and values:
            return _whole(math.prod(map(int, shapes[0])) // values)
    return 1


def _whole(value: object) -> int:
    return max(value, 1) if isinstance(value, int) else 1


def _stack(page: tifffile.TiffPage, said: int, file_bytes: int) -> list[TiffPicture]:
    """Return the images that follow one another from an uncompressed page on."""
    start = page.dataoffsets[0]
    held = max((file_bytes - start) // page.nbytes, 1)
    notices: tuple[Notice, ...] = ()
    if said > held:
        notices = (_disagree(said, held),)
    elif said == 1 and held > 1:
        behind = file_bytes - start - page.nbytes - _bytes_of_tags(page, start)
        if behind >= page.nbytes:
            notices = (_left_over(behind),)
    return [TiffPicture(page, number, notices) for number in range(min(said, held))]


def _bytes_of_tags(page: tifffile.TiffPage, start: int) -> int:
    """Return the number of bytes after the start of its image that the tags of a page cover."""
    directory = _BYTES_OF_TAG * len(page.tags) if page.offset > start else 0
    return directory + sum(tag.valuebytecount for tag in page.tags if tag.valueoffset > start)


def _disagree(said: int, held: int) -> Notice:
    return notice(
        NoticeCode.FRAMES_DISAGREE,
        f"the TIFF's description speaks of {said} pictures, but the file holds {held}, which were "
        "read; save it again if some are missing",
    )


def _left_over(behind: int) -> Notice:
    return notice(
        NoticeCode.PIXELS_LEFT_OVER,
        f"the TIFF has {behind} bytes after its picture that no tag describes; they "
        "were not read, so save other pictures of the file as pages",
    )
