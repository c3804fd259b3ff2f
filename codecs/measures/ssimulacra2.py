"""SSIMULACRA2 by the package of that name."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from glassplate.codecs import Pixels
from glassplate.codecs.extras import optional

EXTRA = "evaluate"


def ssimulacra2(a: Pixels, b: Pixels) -> float:
    """SSIMULACRA2 (100 is equal, 90 not to be told apart), by a Python port of libjxl's tool.

    a, b: (H, W, 1 or 3). Raises MissingExtraError.
    """
    files: list[Any] = []
    for pixels in (a, b):
        file = io.BytesIO()
        Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "BMP")
        files.append(file)
    return float(optional("ssimulacra2", EXTRA).compute_ssimulacra2(*files))
