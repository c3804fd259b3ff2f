"""Features of patches: the values of another implementation, tiles, and what they tell apart."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from glassplate.codecs import Pixels
from glassplate.codecs.measures import packaged_weights as packaged
from glassplate.codecs.measures.efficientnet import DIMENSIONS, load_network, patch_features
from glassplate.codecs.measures.frechet import frechet_distance


def test_values_are_those_of_efficientnet_lite_pytorch(photo: Pixels) -> None:
    """Of efficientnet_lite_pytorch 0.1.0 with the same weights, after its block 10."""
    found = load_network()(photo[:224, :224])
    assert found.shape == (1, 112, 14, 14)
    assert float(found.mean()) == pytest.approx(0.2088047, rel=1e-4)
    assert float(found.std()) == pytest.approx(7.4892139, rel=1e-4)
    expected = [-0.1777861, 5.1205702, -0.7871454, -1.8865525, -2.1414189]
    assert found[0, :5, 3, 4].tolist() == pytest.approx(expected, rel=1e-3)


def test_a_patch_every_32_pixels(photo: Pixels) -> None:
    assert patch_features(photo[:128, :170]).shape == (3 * 4, DIMENSIONS)
    assert patch_features(photo[:64, :64]).shape == (1, DIMENSIONS)


def test_grey_is_a_picture_of_equal_channels(photo: Pixels) -> None:
    grey = photo[:64, :96, :1]
    np.testing.assert_allclose(
        patch_features(grey), patch_features(grey.repeat(3, 2)), rtol=1e-3, atol=1e-4
    )


def test_large_pictures_give_the_patches_of_their_tiles(
    photo: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [patch_features(photo[:100, columns]) for columns in (slice(0, 80), slice(80, 160))]
    monkeypatch.setattr(packaged, "LARGEST_TILE", 120)
    found = patch_features(photo[:100, :160])
    np.testing.assert_allclose(found, np.concatenate(alone), rtol=1e-3, atol=1e-4)


def test_the_distance_grows_with_blur(photo: Pixels) -> None:
    image = Image.fromarray(photo[:256, :256])
    real = patch_features(np.array(image))
    distances = [
        frechet_distance(real, patch_features(np.array(image.filter(ImageFilter.BoxBlur(radius)))))
        for radius in (0, 1, 3)
    ]
    assert distances[0] == pytest.approx(0, abs=1e-3)
    assert 1 < distances[1] < 0.7 * distances[2]
