"""Fixtures shared by all tests: real photographs from scikit-image's wheel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from glassplate.codecs import Pixels

PHOTO_FOLDER = Path(skimage.__file__).parent / "data"


@pytest.fixture(scope="session")
def photo() -> Pixels:
    """A real RGB photograph, 512x512x3."""
    with Image.open(PHOTO_FOLDER / "astronaut.png") as image:
        return np.array(image.convert("RGB"))


@pytest.fixture(scope="session")
def small_photo(photo: Pixels) -> Pixels:
    """A 96x128 crop of a real photograph."""
    return np.ascontiguousarray(photo[64:160, 160:288])
