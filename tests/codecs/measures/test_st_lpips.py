"""ST-LPIPS: the values of its authors' own code, and tiles."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from glassplate.codecs import Pixels
from glassplate.codecs.errors import MissingExtraError, WeightsError
from glassplate.codecs.measures import packaged_weights as packaged
from glassplate.codecs.measures.feature_distance import weighted_distances
from glassplate.codecs.measures.st_lpips import WEIGHTS, Original, load_network


@pytest.fixture(scope="module")
def part(photo: Pixels) -> Pixels:
    return photo[:150, :170]


@pytest.fixture(scope="module")
def original(part: Pixels) -> Original:
    return Original(part)


def test_values_are_those_of_the_authors_code(
    original: Original, part: Pixels, photo: Pixels
) -> None:
    """Of stlpips_pytorch 0.0.2, LPIPS(net="alex", variant="shift_tolerant")."""
    blocks = np.repeat(np.repeat(part[::5, ::5], 5, 0), 5, 1)
    assert original.st_lpips(255 - part) == pytest.approx(0.4413614, rel=1e-4)
    assert original.st_lpips(photo[:150, 1:171]) == pytest.approx(0.0038145, rel=1e-3)
    assert original.st_lpips(blocks) == pytest.approx(0.1553087, rel=1e-4)


def test_an_equal_picture_has_no_distance(original: Original, part: Pixels) -> None:
    assert original.st_lpips(part) == 0


def test_grey_is_a_picture_of_equal_channels(part: Pixels) -> None:
    grey = part[:, :, :1]
    as_colour = Original(grey.repeat(3, 2)).st_lpips(255 - grey.repeat(3, 2))
    assert Original(grey).st_lpips(255 - grey) == pytest.approx(as_colour)


def test_large_pictures_are_measured_in_tiles(
    part: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mean by area of the tiles' distances."""
    inverted = 255 - part
    columns = [slice(0, 85), slice(85, 170)]
    alone = [Original(part[:, one]).st_lpips(inverted[:, one]) for one in columns]
    monkeypatch.setattr(packaged, "LARGEST_TILE", 150)
    assert Original(part).st_lpips(inverted) == pytest.approx(sum(alone) / 2, rel=1e-5)


def test_other_shapes_are_refused(original: Original, part: Pixels) -> None:
    with pytest.raises(ValueError, match="unequal shapes"):
        original.st_lpips(part[1:])


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stlpips_pytorch", None)
    load_network.cache_clear()
    with pytest.raises(MissingExtraError, match=r"glassplate\[perceptual\]"):
        load_network()


def test_other_weights_are_refused() -> None:
    with pytest.raises(WeightsError, match="are not the weights of sha256 0000"):
        replace(WEIGHTS, sha256="0000").load()


def test_every_tensor_of_the_network_is_where_the_pictures_are() -> None:
    """On the device that computes nothing: a tensor left on another one would be refused."""
    network = load_network("meta")
    found = network.features(torch.empty(2, 3, 64, 64, device="meta"))
    distances = weighted_distances(found, found, network.linear)
    assert distances.device.type == "meta"
    assert distances.shape == (2,)
