"""Run the trained network on an image with ONNX Runtime.

The network is trained by `lesionscan train`. ONNX Runtime takes less than half of the time of
OpenCV on the CPU. The preprocessing is part of the scorer (`preprocessing`).
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
"""The network halves its grid five times, so the sides of its input are multiples of this."""
_LARGEST_LOGIT = 1e4
"""Trained networks give far smaller logits; exp(-100) is already 0 in float32."""
_REMEDY = "use another scorer (--scorer)"
_FATAL = 4
"""Least severity of log lines that ONNX Runtime prints."""
_PROBES = ((2, 3, 64, 64), (2, 3, 96, 160))
"""Shapes of the inputs on which a network is tried on loading: square and wide."""
_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory")
"""Messages of ONNX Runtime when memory runs out, for which it has no error class."""


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """Output of the network, on the grid of the image.

    Attributes
    ----------
    lucency
        float32 (rows, cols) in [0, 1]; lucency map.
    bone
        float32 (rows, cols) in [0, 1]; bone map.
    """

    lucency: FloatImage
    bone: FloatImage

    def __post_init__(self) -> None:
        for name in ("lucency", "bone"):
            object.__setattr__(self, name, read_only(getattr(self, name)))


_RUNTIME_ERRORS = (
    *(runtime.Fail, runtime.InvalidArgument, runtime.InvalidGraph, runtime.InvalidProtobuf),
    *(runtime.NoModel, runtime.NotImplemented, runtime.RuntimeException, ValueError),
)
"""Errors that ONNX Runtime raises for an invalid or unsuitable model."""

onnxruntime.disable_telemetry_events()  # builds for Windows have some


class Network:
    """A network in ONNX Runtime; thread-safe and picklable.

    Parameters
    ----------
    onnx
        Bytes of an ONNX model: input `image` float32 (n, 3, rows, cols), output `maps` float32
        (n, 2, rows / 2, cols / 2), the logits of lucency and bone.
    preprocessing
        Computes the input from a film.
    long_sides_px
        Long sides of a film at the resolutions to use, in pixels, ascending.

    Attributes
    ----------
    onnx, preprocessing, long_sides_px
        As given.

    Raises
    ------
    ValueError
        If the model is invalid, has another input or output, uses a part of ONNX that is not
        allowed, or needs too much memory or time.
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
        # one thread per film: several are slower, and round differently
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _FATAL  # exceptions carry the messages below
        try:
            self._session = onnxruntime.InferenceSession(
                onnx,
                options,
                providers=["CPUExecutionProvider"],
                enable_fallback=0,  # the fallback prints
            )
        except _RUNTIME_ERRORS as error:
            raise ValueError("is not a valid ONNX model") from error
        self._probe()

    def __reduce__(self) -> tuple[type[Self], tuple[bytes, Preprocessing, tuple[int, ...]]]:
        return type(self), (self.onnx, self.preprocessing, self.long_sides_px)

    def run(self, image: FloatImage, long_side_px: int) -> Maps:
        """Run the network on an image and its mirror image, and return the mean of both.

        Parameters
        ----------
        image
            float32 (rows, cols) in [0, 1], bone bright; any size.
        long_side_px
            Long side to which the image is resized, in pixels.

        Raises
        ------
        ScorerError
            If the network fails on this image, or its output is not finite.
        """
        factor = long_side_px / max(image.shape)
        rows, cols = (max(1, round(side * factor)) for side in image.shape)
        interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        resized = _resized(image, (rows, cols), interpolation)
        padded = np.pad(resized, ((0, -rows % _STRIDE_PX), (0, -cols % _STRIDE_PX)))
        channels = self.preprocessing.channels(padded)
        batch = np.stack([channels, channels[:, :, ::-1]])
        try:
            logits = self._logits(batch)
        except _RUNTIME_ERRORS as error:
            if any(text in str(error) for text in _OUT_OF_MEMORY):
                raise MemoryError from error
            raise ScorerError(f"the scorer's network fails on this film; {_REMEDY}") from error
        if logits.shape != _map_shape(batch.shape):
            raise ScorerError(
                f"the scorer's network returns {logits.shape} for {batch.shape}, not "
                f"{_map_shape(batch.shape)}; {_REMEDY}"
            )
        if not np.isfinite(logits).all():
            raise ScorerError(
                f"the scorer's network returns values that are not finite on this film; {_REMEDY}"
            )
        straight, mirrored = expit(logits)
        lucency, bone = (
            _on_grid(part, (rows, cols), (image.shape[0], image.shape[1]))
            for part in 0.5 * (straight + mirrored[:, :, ::-1])
        )
        return Maps(lucency, bone)

    def _logits(self, batch: FloatImage) -> FloatImage:
        """Run the network on float32 (n, 3, rows, cols)."""
        (maps,) = self._session.run(["maps"], {"image": batch})
        return np.asarray(maps, np.float32)

    def _probe(self) -> None:
        """Run the network on small inputs, so that a faulty one fails before the first film."""
        for shape in _PROBES:
            picture = np.linspace(-1, 1, math.prod(shape), dtype=np.float32).reshape(shape)
            for probe in (np.zeros_like(picture), picture):
                self._probe_with(probe)

    def _probe_with(self, picture: FloatImage) -> None:
        try:
            maps = self._logits(picture)
        except _RUNTIME_ERRORS as error:
            raise ValueError(
                "does not turn an input 'image' of (n, 3, rows, cols) into an output 'maps'"
            ) from error
        expected = _map_shape(picture.shape)
        if maps.shape != expected:
            raise ValueError(f"returns {maps.shape} for {picture.shape}, not {expected}")
        # also false for NaN
        if not (np.abs(maps) < _LARGEST_LOGIT).all():
            raise ValueError("returns values that are not finite")


def _map_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the output for a shape of the input."""
    return (shape[0], 2, shape[2] // 2, shape[3] // 2)


def _resized(image: FloatImage, shape: tuple[int, int], interpolation: int) -> FloatImage:
    """Resize an image to (rows, cols)."""
    if image.shape == shape:
        return image
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=interpolation), np.float32)


def _on_grid(
    part: NDArray[np.float32], resized: tuple[int, int], shape: tuple[int, int]
) -> FloatImage:
    """Resize a map from half the padded grid to the grid of the image, (rows, cols)."""
    padded = _resized(part, (2 * part.shape[0], 2 * part.shape[1]), cv2.INTER_LINEAR)
    whole = np.ascontiguousarray(padded[: resized[0], : resized[1]])
    # the weights of the interpolation may exceed 1 in the last bit
    return np.clip(_resized(whole, shape, cv2.INTER_LINEAR), 0.0, 1.0)
