"""Compute the input channels of the network from grey values.

The parameters are stored in the scorer file, so that training and search use the same input.
"""

from typing import Annotated

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from lesionscan.detection.grid import reduced
from lesionscan.radiograph import FloatImage

_FINE_SIGMA = 4.0
"""Least sigma of a blur on a reduced grid, in pixels of that grid."""


class Surroundings(BaseModel):
    """A local channel: grey values relative to their neighbourhood.

    Attributes
    ----------
    reach_px
        Standard deviation of the Gaussian neighbourhood, in pixels of the network's input.
    floor
        Added to the local standard deviation, so that noise in flat areas is not amplified.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    reach_px: Annotated[float, Field(ge=0.5, le=200)]
    floor: Annotated[float, Field(gt=0, le=1)]


class Preprocessing(BaseModel):
    """Parameters of the network's input channels.

    Attributes
    ----------
    grey_offset, grey_scale
        The first channel is (grey - offset) / scale.
    surroundings
        One channel each: (grey - local mean) / (local standard deviation + floor), clipped to
        plus or minus `clip`, then divided by `local_scale`.
    clip, local_scale
        As above.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    grey_offset: Annotated[float, Field(ge=-10, le=10)] = 0.45
    grey_scale: Annotated[float, Field(gt=1e-3, le=10)] = 0.25
    surroundings: Annotated[tuple[Surroundings, ...], Field(min_length=2, max_length=2)] = (
        Surroundings(reach_px=20.0, floor=0.04),
        Surroundings(reach_px=6.4, floor=0.02),
    )
    clip: Annotated[float, Field(gt=0, le=100)] = 3.0
    local_scale: Annotated[float, Field(gt=1e-3, le=100)] = 1.2

    def channels(self, image: FloatImage) -> FloatImage:
        """Return the input of the network, float32 (3, rows, cols).

        Parameters
        ----------
        image
            float32 (rows, cols) in [0, 1], bone bright, padded for the network.
        """
        planes = [(image - self.grey_offset) / self.grey_scale]
        for local in self.surroundings:
            mean = _blurred(image, local.reach_px)
            variance = _blurred(image * image, local.reach_px) - mean * mean
            spread = np.sqrt(np.maximum(variance, 0)) + local.floor
            clipped = np.clip((image - mean) / spread, -self.clip, self.clip)
            planes.append(clipped / self.local_scale)
        return np.stack(planes).astype(np.float32)


def _blurred(image: FloatImage, sigma: float) -> FloatImage:
    """Blur by a Gaussian.

    Wide blurs use a reduced grid: values differ by a thousandth, and it takes a tenth of the time.
    """
    factor = max(1, int(sigma / _FINE_SIGMA))
    if factor == 1:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)
    small = cv2.GaussianBlur(reduced(image, factor), (0, 0), sigma / factor)
    return np.asarray(cv2.resize(small, image.shape[::-1]), np.float32)
