"""The trained network: an image -> how lucent and how much like bone every pixel looks.

The network was trained elsewhere (`lesionscan train`); ONNX Runtime runs it, on the CPU, in
less than half of the time that OpenCV takes. How a film becomes its input belongs to the scorer
(`preprocessing`); the shipped network was trained before wide blurs were made on a reduced grid.
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

from lesionscan.detection.scorer.errors import ScorerError
from lesionscan.detection.scorer.model_check import check_model
from lesionscan.detection.scorer.preprocessing import Preprocessing
from lesionscan.radiograph import FloatImage, read_only

_STRIDE_PX = 32
"""The network halves its grid five times, so its sides are multiples of this."""
_LARGEST_LOGIT = 1e4
"""No network that was trained is surer than that; exp(-100) is 0 already in float32."""
_OTHER = "use another scorer (--scorer)"
_FATAL = 4
"""Severity of a log line: nothing below is printed."""
_PROBES = ((2, 3, 64, 64), (2, 3, 96, 160))
"""Inputs on which a network is tried when it is loaded: a square one, and a wide one."""
_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory")
"""What ONNX Runtime says where memory runs out, for which it has no error of its own."""


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
    preprocessing
        How a film becomes its input.
    long_sides_px
        Long sides of the grids on which it looks at a film, in pixels, rising.

    Attributes
    ----------
    onnx, preprocessing, long_sides_px
        As given.

    Raises
    ------
    ValueError
        When it is no model that can be run, its input or output is another one, it uses a part of
        ONNX that a scorer may not use, or asks for too much memory or time.
    """

    def __init__(
        self, onnx: bytes, preprocessing: Preprocessing, long_sides_px: tuple[int, ...]
    ) -> None:
        largest = long_sides_px[-1] + -long_sides_px[-1] % _STRIDE_PX
        check_model(onnx, (*_PROBES, (2, 3, largest, largest)))
        self.onnx = onnx
        self.preprocessing = preprocessing
        self.long_sides_px = long_sides_px
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

    def __reduce__(self) -> tuple[type[Self], tuple[bytes, Preprocessing, tuple[int, ...]]]:
        return type(self), (self.onnx, self.preprocessing, self.long_sides_px)

    def look(self, image: FloatImage, long_side_px: int) -> Maps:
        """Look at an image and at its mirror image, and return the mean of both.

        Parameters
        ----------
        image
            float32 (rows, cols) in [0, 1], bone bright; any size.
        long_side_px
            Long side of the grid on which to look, in pixels.

        Raises
        ------
        ScorerError
            When the network cannot be run on this image, or makes numbers that are not finite.
        """
        factor = long_side_px / max(image.shape)
        rows, cols = (max(1, round(side * factor)) for side in image.shape)
        shrink = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        seen = _resized(image, (rows, cols), shrink)
        padded = np.pad(seen, ((0, -rows % _STRIDE_PX), (0, -cols % _STRIDE_PX)))
        straight = self.preprocessing.channels(padded)
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
