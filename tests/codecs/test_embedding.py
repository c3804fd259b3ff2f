"""Embeddings are unit vectors that hardly move under scaling and compression."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from PIL import Image

from glassplate.codecs import Pixels
from glassplate.codecs.embedding import DIMENSIONS, embedding


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 5000, 1), (3, 7, 3), (8, 8, 1), (513, 257, 3)])
def test_any_size_gives_a_unit_vector(shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    vector = embedding(image)
    assert vector.shape == (DIMENSIONS,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_flat_grey_is_zero_and_finite() -> None:
    assert not embedding(np.full((50, 40, 3), 77, np.uint8)).any()
    assert not embedding(np.full((1, 1, 1), 255, np.uint8)).any()


def test_grey_equals_its_rgb_form(small_photo: Pixels) -> None:
    grey = small_photo[..., :1]
    np.testing.assert_allclose(embedding(grey), embedding(grey.repeat(3, axis=2)), atol=1e-6)


def test_a_thumbnail_is_near_and_another_picture_is_far(photo: Pixels) -> None:
    thumbnail = np.array(Image.fromarray(photo).resize((100, 90)))
    similarity = float(embedding(photo) @ embedding(thumbnail))
    other = float(embedding(photo) @ embedding(skimage.data.coffee()))
    assert similarity > 0.98
    assert other < 0.7
