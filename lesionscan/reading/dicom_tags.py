"""Values of an untrusted DICOM header, read one by one.

pydicom converts a value when it is accessed, raises an error for values that violate the standard,
and prints raw values (also patient names) in warnings. Both are caught here.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

_FRAME_MACROS = (
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
    "FramePixelDataPropertiesSequence",
)
"""Functional groups that affect pixel values and sizes (PS3.3 C.7.6.16.2, C.8.19.6.4)."""

_VALUE_BYTES = 1 << 17
"""Largest length of a value that is used: a look-up table of 65,536 entries of 16 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Tags:
    """Values of a data set by keyword; one that cannot be read is None and counts as irregular.

    Every access is guarded, since pydicom converts values on access and raises errors, with the
    raw value in the message, if they violate the standard. The functional groups of a frame take
    precedence over the data set.
    """

    dataset: Dataset
    irregular: list[str]
    groups: tuple[Dataset, ...] = ()

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.dataset

    def numbers(self, keyword: str) -> tuple[float, ...] | None:
        """Return all numbers of a tag, None if absent, empty or unreadable."""
        return next(self._each_numbers(keyword), None)

    def is_disputed(self, keyword: str) -> bool:
        """Return whether functional groups and data set state different numbers."""
        return bool(self.groups) and len(set(self._each_numbers(keyword))) > 1

    def _each_numbers(self, keyword: str) -> Iterator[tuple[float, ...]]:
        """Yield the numbers of a tag from every place that has it."""
        for value in self._values(keyword):
            parts: Sequence[object] = [value]
            if isinstance(value, Sequence) and not isinstance(value, str | bytes):
                parts = value
            try:
                # text and numbers only: anything else (such as items of a sequence) raises
                # anything when it is converted, and quotes what it holds
                found = tuple(_number(part) for part in parts)
            except (ValueError, OverflowError):
                self.irregular.append(keyword)
            else:
                if found:
                    yield found

    def number(self, keyword: str) -> float | None:
        """Return the first number of a tag, None if absent, empty or unreadable."""
        values = self.numbers(keyword)
        return values[0] if values else None

    def integer(self, keyword: str) -> int | None:
        """Return the first number of a tag if it is an integer."""
        value = self.number(keyword)
        if value is None:
            return None
        if not value.is_integer():  # False for infinity and NaN too
            self.irregular.append(keyword)
            return None
        return int(value)

    def code(self, keyword: str) -> str | None:
        """Return a coded string without padding, None if absent, empty or multi-valued."""
        value = self._value(keyword)
        if isinstance(value, str):
            return value.strip(" \0") or None
        if value is not None:
            self.irregular.append(keyword)
        return None

    def codes(self, keyword: str) -> tuple[str, ...]:
        """Return all coded strings of a tag without padding, except empty ones."""
        value = self._value(keyword)
        parts = [value] if isinstance(value, str) else value if isinstance(value, Sequence) else ()
        stripped = (part.strip(" \0") for part in parts if isinstance(part, str))
        return tuple(part for part in stripped if part)

    def sequence_item(self, keyword: str, number: int = 0) -> "Tags | None":
        """Return an item of a sequence, by default the first; None if it is absent."""
        items = self.sequence_items(keyword)
        return items[number] if number < len(items) else None

    def sequence_items(self, keyword: str) -> tuple["Tags", ...]:
        """Return all items of a sequence."""
        value = self._value(keyword)
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            return ()
        return tuple(Tags(item, self.irregular) for item in value if isinstance(item, Dataset))

    def of_frame(self, frame: int) -> "Tags":
        """Return the tags with the functional groups of a frame (from 1) applied.

        Enhanced and multi-frame objects state spacing and rescale there, for one or all frames
        (PS3.3 C.7.6.16).
        """
        groups = (
            self.sequence_item("PerFrameFunctionalGroupsSequence", frame - 1),
            self.sequence_item("SharedFunctionalGroupsSequence"),
        )
        macros = (
            group.sequence_item(keyword)
            for group in groups
            if group is not None
            for keyword in _FRAME_MACROS
        )
        found = tuple(macro.dataset for macro in macros if macro is not None)
        return Tags(self.dataset, self.irregular, found)

    def overlays(self) -> int:
        """Return the number of overlay planes, in their own elements or in unused bits."""
        groups = range(0x6000, 0x6020, 2)  # repeating groups (PS3.5 7.6)
        return sum((group, 0x0010) in self.dataset for group in groups)

    def raw(self, keyword: str) -> object:
        """Return a value as pydicom returns it, None if absent, empty or unreadable."""
        return self._value(keyword)

    def _value(self, keyword: str) -> object:
        return next(self._values(keyword), None)

    def _values(self, keyword: str) -> Iterator[object]:
        """Yield the values in functional groups and data set, except absent and empty ones."""
        for dataset in (*self.groups, self.dataset):
            value = self._value_in(dataset, keyword)
            if value is not None:
                yield value

    def _value_in(self, dataset: Dataset, keyword: str) -> object:
        try:
            if _is_too_long(dataset, keyword):
                raise ValueError("too long")  # noqa: TRY301 - caught below
            value: object = dataset.get(keyword)
        except Exception:  # noqa: BLE001 - pydicom raises many types on values it cannot convert
            self.irregular.append(keyword)
            return None
        return None if value is None or value == "" else value


def _is_too_long(dataset: Dataset, keyword: str) -> bool:
    """Return whether converting a value would make far more objects than any value in use.

    Sequences are limited by `open_dicom` only, since they may contain several tables.
    """
    tag = tag_for_keyword(keyword)
    element: object = None if tag is None else dataset.get_item(tag, keep_deferred=True)
    if not isinstance(element, RawDataElement) or element.length <= _VALUE_BYTES:
        return False
    return element.value is None or dictionary_VR(element.tag) != "SQ"


def _number(part: object) -> float:
    if not isinstance(part, str | int | float | Decimal):
        raise ValueError("no number")  # noqa: TRY004 - one kind of failure for the caller
    return float(part)


@contextmanager
def silenced_pydicom(irregular: list[str]) -> Iterator[None]:
    """Suppress the warnings and log lines of pydicom, and record in a list that there were some."""
    logger = logging.getLogger("pydicom")

    def swallow(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            irregular.append("logged")
        return False

    logger.addFilter(swallow)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
            irregular.extend("warned" for _ in caught)
    finally:
        logger.removeFilter(swallow)
