"""Lists of films are read in the encodings that programs on Windows write."""

from pathlib import Path

import pytest

from lesionscan.batch.discover import InputError
from lesionscan.batch.listed import read_list

NAMES = [Path("films/knee.dcm"), Path("films/Hüfte 2.dcm"), Path("other/骨.png")]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_unicode_is_read(encoding: str, ending: str) -> None:
    """All UTF encodings are read with a byte-order mark, and UTF-8 and UTF-16 also without."""
    text = "".join(f"{name}{ending}" for name in NAMES)
    assert read_list(text.encode(encoding)) == NAMES


def test_a_mark_of_the_other_byte_order() -> None:
    """Big-endian UTF-16 with a byte-order mark is read, and either order without one."""
    text = "\ufeff" + "\n".join(map(str, NAMES))
    assert read_list(text.encode("utf-16-be")) == NAMES
    for encoding in ("utf-16-le", "utf-16-be"):
        assert read_list("knee.dcm".encode(encoding)) == [Path("knee.dcm")]


def test_names_between_null_bytes_stay_what_they_are() -> None:
    """In lists separated by null bytes (`find -print0`), quotation marks are part of the name."""
    assert read_list(b'a.dcm\0"b".dcm\0c\0') == [Path("a.dcm"), Path('"b".dcm'), Path("c")]


def test_quotation_marks_are_no_part_of_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quotation marks, as of "Copy as path" on Windows, are removed unless such a file exists."""
    monkeypatch.chdir(tmp_path)
    Path('"b.dcm"').touch()
    assert read_list(b'"a b.dcm"\n"b.dcm"\n"\n""\n') == [
        Path("a b.dcm"), Path('"b.dcm"'), Path('"'), Path('""')
    ]  # fmt: skip


def test_half_a_letter_is_refused() -> None:
    """A list cut off within a character is an error that gives the remedy."""
    with pytest.raises(InputError, match="does not match its byte order mark; save it as UTF-8"):
        read_list("knee.dcm\n".encode("utf-16") + b"x")
