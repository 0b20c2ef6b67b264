"""lesionscan: finds, places, measures and shows candidate lytic lesions in bone radiographs.

Research use only; not a diagnosis.

The names below are loaded when they are first used, so that `lesionscan --help`, which needs none
of them, does not wait for the numerical libraries.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lesionscan.detection.measure import Region
    from lesionscan.detection.pipeline import Findings, find_candidates
    from lesionscan.detection.score import Candidate
    from lesionscan.detection.scorer.scorer_file import Scorer
    from lesionscan.radiograph import Notice, Radiograph, Spacing
    from lesionscan.reading import ErrorCode, UnreadableFileError, read_radiograph
    from lesionscan.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "Candidate",
    "ErrorCode",
    "Findings",
    "Notice",
    "Radiograph",
    "Region",
    "Scorer",
    "Settings",
    "Spacing",
    "UnreadableFileError",
    "__version__",
    "find_candidates",
    "read_radiograph",
]

_HOMES = {
    "Candidate": "lesionscan.detection.score",
    "ErrorCode": "lesionscan.reading",
    "Findings": "lesionscan.detection.pipeline",
    "Notice": "lesionscan.radiograph",
    "Radiograph": "lesionscan.radiograph",
    "Region": "lesionscan.detection.measure",
    "Scorer": "lesionscan.detection.scorer.scorer_file",
    "Settings": "lesionscan.settings",
    "Spacing": "lesionscan.radiograph",
    "UnreadableFileError": "lesionscan.reading",
    "find_candidates": "lesionscan.detection.pipeline",
    "read_radiograph": "lesionscan.reading",
}
"""Where each public name is defined."""

if not TYPE_CHECKING:  # a type checker must not take this for "any name exists"

    def __getattr__(name: str) -> object:
        """Load a public name from its module."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value

    def __dir__() -> list[str]:
        """List the public names, loaded or not."""
        return sorted({*globals(), *__all__})
