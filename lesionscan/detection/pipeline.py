"""The product in one function: a radiograph in, candidates out."""

from dataclasses import dataclass

from lesionscan.detection.score import Candidate
from lesionscan.radiograph import BoolImage, FloatImage, LabelImage, Notice, Radiograph, read_only
from lesionscan.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Everything found in one radiograph. All arrays have the stored matrix's rows and columns.

    Attributes
    ----------
    radiograph
        What was read.
    settings
        What it was searched with.
    image
        float32 (rows, cols) in [0, 1], bone bright, normalised inside the exposed field; 0 outside.
    exposed
        bool; the exposed field without markers, metal and collimation.
    bone
        bool; the bone mask.
    bone_confidence
        0 to 1, how far the bone mask can be believed.
    assessed
        False where that confidence is too low: then there are no candidates.
    labels
        int32, 0 = background, otherwise the candidate's id.
    candidates
        Best first.
    notices
        What the detection has to say about this picture, besides the reader's notices.
    """

    radiograph: Radiograph
    settings: Settings
    image: FloatImage
    exposed: BoolImage
    bone: BoolImage
    bone_confidence: float
    assessed: bool
    labels: LabelImage
    candidates: tuple[Candidate, ...]
    notices: tuple[Notice, ...] = ()

    def __post_init__(self) -> None:
        for name in ("image", "exposed", "bone", "labels"):
            object.__setattr__(self, name, read_only(getattr(self, name)))


def find_candidates(radiograph: Radiograph, settings: Settings | None = None) -> Findings:
    """Find candidate lytic lesions in a radiograph."""
    raise NotImplementedError
