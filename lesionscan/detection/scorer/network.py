"""The trained network: an image -> how lucent and how much like bone every pixel looks.

The network was trained elsewhere (`scripts/train_scorer.py`); ONNX Runtime runs it, on the CPU, in
less than half of the time that OpenCV takes. What stands here about channels, padding and grids is
what the training did, number for number, but that the shipped network was trained before wide blurs
were made on a reduced grid.
"""

import math
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as runtime
from scipy.special import expit

from lesionscan.detection.grid import reduced
from lesionscan.detection.scorer.errors import ScorerError
from lesionscan.detection.scorer.model_check import check_model
from lesionscan.radiograph import FloatImage, read_only

_STRIDE_PX = 32
"""The network halves its grid five times, so its sides are multiples of this."""
_LARGEST_LOGIT = 1e4
"""No network that was trained is surer than that; exp(-100) is 0 already in float32."""
_FINE_SIGMA = 4.0
"""Least width of a blur, in pixels, on a reduced grid."""
_OTHER = "use another scorer (--scorer)"
_FATAL = 4
"""Severity of a log line: nothing below is printed."""
_PROBES = ((2, 3, 64, 64), (2, 3, 96, 160))
"""Inputs on which a network is tried when it is loaded: a square one, and a wide one."""
_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory")
"""What ONNX Runtime says where memory runs out, for which it has no error of its own."""
_SURROUNDINGS = ((1 / 16, 0.04), (1 / 50, 0.02))
"""Reach of a local channel as a share of the long side, and the spread below which it is flat."""


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """What the network makes of an image, on the image's own grid.

    Attributes
    ----------
    lucency
        float32 (rows, cols) in [0, 1]; how much a pixel looks like part of a lucency.
    bone
        float32 (rows, cols) in [0, 1]; how much it looks like bone.
    """

    lucency: FloatImage
    bone: FloatImage

    def __post_init__(self) -> None:
        for name in ("lucency", "bone"):
            object.__setattr__(self, name, read_only(getattr(self, name)))


def channels(image: FloatImage) -> FloatImage:
    """Show an image to the network: its grey values, and their rank among near and far neighbours.

    Parameters
    ----------
    image
        float32 (rows, cols) in [0, 1], bone bright, padded as the network will see it.

    Returns
    -------
    ndarray
        float32 (3, rows, cols): the grey value, then the grey value minus the local mean in units
        of the local spread, over a sixteenth and over a fiftieth of the long side.
    """
    long_side = max(image.shape)
    shown = [(image - 0.45) / 0.25]
    for share, floor in _SURROUNDINGS:
        mean = _blurred(image, long_side * share)
        variance = _blurred(image * image, long_side * share) - mean * mean
        spread = np.sqrt(np.maximum(variance, 0)) + floor
        shown.append(np.clip((image - mean) / spread, -3, 3) / 1.2)
    return np.stack(shown).astype(np.float32)


def _blurred(image: FloatImage, sigma: float) -> FloatImage:
    """Blur; widely on a reduced grid, which changes a thousandth and takes a tenth of the time."""
    factor = max(1, int(sigma / _FINE_SIGMA))
    if factor == 1:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)
    small = cv2.GaussianBlur(reduced(image, factor), (0, 0), sigma / factor)
    return np.asarray(cv2.resize(small, image.shape[::-1]), np.float32)


_REFUSED = (
    *(runtime.Fail, runtime.InvalidArgument, runtime.InvalidGraph, runtime.InvalidProtobuf),
    *(runtime.NoModel, runtime.NotImplemented, runtime.RuntimeException, ValueError),
)
"""What ONNX Runtime raises where a model is none, or another one than is asked."""

onnxruntime.disable_telemetry_events()  # as built for Windows it has some


class Network:
    """A network in ONNX Runtime; safe to use from several threads, and picklable.

    Parameters
    ----------
    onnx
        Bytes of an ONNX model: input `image` float32 (n, 3, rows, cols), output `maps` float32
        (n, 2, rows / 2, cols / 2), the logits of lucency and bone.
    long_side_px
        Long side of the grid on which it looks, in pixels.

    Attributes
    ----------
    onnx, long_side_px
        As given.

    Raises
    ------
    ValueError
        When it is no model that can be run, its input or output is another one, it uses a part of
        ONNX that a scorer may not use, or asks for too much memory or time.
    """

    def __init__(self, onnx: bytes, long_side_px: int) -> None:
        largest = long_side_px + -long_side_px % _STRIDE_PX
        check_model(onnx, (*_PROBES, (2, 3, largest, largest)))
        self.onnx = onnx
        self.long_side_px = long_side_px
        options = onnxruntime.SessionOptions()
        # one film a core: several threads a film are slower, and round otherwise
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _FATAL  # what the exception says too
        try:
            self._session = onnxruntime.InferenceSession(
                onnx,
                options,
                providers=["CPUExecutionProvider"],
                enable_fallback=0,  # which prints
            )
        except _REFUSED as error:
            raise ValueError("is no ONNX model that can be run") from error
        self._probe()

    def __reduce__(self) -> tuple[type[Self], tuple[bytes, int]]:
        return type(self), (self.onnx, self.long_side_px)

    def look(self, image: FloatImage) -> Maps:
        """Look at an image and at its mirror image, and return the mean of both.

        Parameters
        ----------
        image
            float32 (rows, cols) in [0, 1], bone bright; any size.

        Raises
        ------
        ScorerError
            When the network cannot be run on this image, or makes numbers that are not finite.
        """
        factor = self.long_side_px / max(image.shape)
        rows, cols = (max(1, round(side * factor)) for side in image.shape)
        shrink = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        seen = _resized(image, (rows, cols), shrink)
        straight = channels(np.pad(seen, ((0, -rows % _STRIDE_PX), (0, -cols % _STRIDE_PX))))
        batch = np.stack([straight, straight[:, :, ::-1]])
        try:
            logits = self._logits(batch)
        except _REFUSED as error:
            if any(text in str(error) for text in _OUT_OF_MEMORY):
                raise MemoryError from error
            raise ScorerError(
                f"the scorer's network cannot be run on this film; {_OTHER}"
            ) from error
        if logits.shape != _half(batch.shape):
            raise ScorerError(
                f"the scorer's network makes {logits.shape} of {batch.shape}, not "
                f"{_half(batch.shape)}; {_OTHER}"
            )
        if not np.isfinite(logits).all():
            raise ScorerError(
                f"the scorer's network makes numbers that are not finite of this film; {_OTHER}"
            )
        one, mirrored = expit(logits)
        lucency, bone = (
            _on_grid(part, (rows, cols), (image.shape[0], image.shape[1]))
            for part in 0.5 * (one + mirrored[:, :, ::-1])
        )
        return Maps(lucency, bone)

    def _logits(self, batch: FloatImage) -> FloatImage:
        """Run float32 (n, 3, rows, cols) through the network."""
        (maps,) = self._session.run(["maps"], {"image": batch})
        return np.asarray(maps, np.float32)

    def _probe(self) -> None:
        """Run small pictures, so that a wrong network shows before the first film."""
        for shape in _PROBES:
            picture = np.linspace(-1, 1, math.prod(shape), dtype=np.float32).reshape(shape)
            for probe in (np.zeros_like(picture), picture):
                self._probe_with(probe)

    def _probe_with(self, picture: FloatImage) -> None:
        try:
            maps = self._logits(picture)
        except _REFUSED as error:
            raise ValueError(
                "does not turn an input 'image' of (n, 3, rows, cols) into an output 'maps'"
            ) from error
        if maps.shape != _half(picture.shape):
            raise ValueError(f"makes {maps.shape} of {picture.shape}, not {_half(picture.shape)}")
        # NaN is not below the limit either
        if not (np.abs(maps) < _LARGEST_LOGIT).all():
            raise ValueError("makes numbers that are not finite")


def _half(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the maps of an input."""
    return (shape[0], 2, shape[2] // 2, shape[3] // 2)


def _resized(image: FloatImage, shape: tuple[int, int], interpolation: int) -> FloatImage:
    """Return the image on a grid of `shape` (rows, cols)."""
    if image.shape == shape:
        return image
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=interpolation), np.float32)


def _on_grid(
    part: NDArray[np.float32], seen: tuple[int, int], shape: tuple[int, int]
) -> FloatImage:
    """Bring one map from half the padded grid to the image's (rows, cols)."""
    padded = _resized(part, (2 * part.shape[0], 2 * part.shape[1]), cv2.INTER_LINEAR)
    whole = np.ascontiguousarray(padded[: seen[0], : seen[1]])
    # weights of the interpolation add up to 1 but for the last bit
    return np.clip(_resized(whole, shape, cv2.INTER_LINEAR), 0.0, 1.0)
