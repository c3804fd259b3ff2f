"""What a codec hands to a refiner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glassplate.codecs.base import Pixels


@dataclass(frozen=True)
class Plain:
    """A plain decode of a picture or a part of it, and what its stream says besides.

    pixels: (H, W, 1 to 4).
    scales: (ceil(H / 16), ceil(W / 16)) float32 in [0, 1], mean scale index of the latent.
    quality: In [0, 1].
    top, left: Where the part begins in the picture; multiples of 16.
    """

    pixels: Pixels
    scales: npt.NDArray[np.float32]
    quality: float
    top: int = 0
    left: int = 0
