"""The error of the reader, and messages that are used in several places."""

from lesionscan.codes import ErrorCode, NoticeCode, notice
from lesionscan.radiograph import Notice


class UnreadableFileError(Exception):
    """The file cannot be read as a radiograph.

    Attributes
    ----------
    code : str
        One of :class:`ErrorCode`.
    message : str
        One line: cause and remedy, without the path and without text found in the file.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code.value
        self.message = message

    def __reduce__(self) -> tuple[type["UnreadableFileError"], tuple[ErrorCode, str]]:
        """Support pickling: the error has two arguments, not one."""
        return UnreadableFileError, (ErrorCode[self.code.upper()], self.message)


def truncated() -> UnreadableFileError:
    """Return the error for a file that ends before the end of its image."""
    return UnreadableFileError(
        ErrorCode.TRUNCATED, "the file ends before the picture does; copy or export it again"
    )


def damaged() -> UnreadableFileError:
    """Return the error for pixel data that a decoder refuses."""
    return UnreadableFileError(
        ErrorCode.UNDECODABLE, "the pixel data are damaged; copy or export the file again"
    )


def pixel_data_doubtful() -> Notice:
    """Return the notice about an image whose compressed data are inconsistent."""
    return notice(
        NoticeCode.PIXEL_DATA_DOUBTFUL,
        "the compressed pixel data do not add up, so parts of the picture may be damaged; look at "
        "it, and copy or export the file again",
    )
