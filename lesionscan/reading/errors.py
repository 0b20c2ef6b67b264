"""Why a file cannot be read, and what the reader says in more than one place."""

from lesionscan.codes import ErrorCode, NoticeCode, notice
from lesionscan.radiograph import Notice


class UnreadableFileError(Exception):
    """A file that cannot become a radiograph.

    Attributes
    ----------
    code : str
        One of :class:`ErrorCode`.
    message : str
        One line: the cause and the remedy, without path and without text found in the file.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code.value
        self.message = message

    def __reduce__(self) -> tuple[type["UnreadableFileError"], tuple[ErrorCode, str]]:
        """Return how to rebuild the error in another process (it has two arguments, not one)."""
        return UnreadableFileError, (ErrorCode[self.code.upper()], self.message)


def truncated() -> UnreadableFileError:
    """Return the error for a file that ends before its picture does."""
    return UnreadableFileError(
        ErrorCode.TRUNCATED, "the file ends before the picture does; copy or export it again"
    )


def damaged() -> UnreadableFileError:
    """Return the error for pixel data that a decoder refuses."""
    return UnreadableFileError(
        ErrorCode.UNDECODABLE, "the pixel data are damaged; copy or export the file again"
    )


def pixel_data_doubtful() -> Notice:
    """Return the notice about a picture whose compressed data do not add up."""
    return notice(
        NoticeCode.PIXEL_DATA_DOUBTFUL,
        "the compressed pixel data do not add up, so parts of the picture may be damaged; look at "
        "it, and copy or export the file again",
    )
