from .batch.save import save
from .codes import ErrorCode
from .detection.measure import Region
from .detection.pipeline import Findings, find_candidates
from .detection.score import Candidate
from .detection.scorer.scorer_file import Scorer
from .radiograph import Notice, Radiograph, Spacing
from .reading import UnreadableFileError, read_radiograph
from .settings import Settings

__version__: str

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
    "save",
]
