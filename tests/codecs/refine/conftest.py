"""A thin codec, a stream of it, and refiners for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from thin_refiner import write_codec, write_refiner

from glassplate.codecs import Pixels, Target
from glassplate.codecs.hyperprior.codec import HyperpriorCodec, HyperpriorConfig


@pytest.fixture(scope="session")
def codec(tmp_path_factory: pytest.TempPathFactory, photo: Pixels) -> HyperpriorCodec:
    path = write_codec(tmp_path_factory.mktemp("codec") / "hyperprior-small.safetensors", photo)
    return HyperpriorCodec(HyperpriorConfig(tile_size=64, bfloat16=False), "cpu", path)


@pytest.fixture(scope="session")
def stream(codec: HyperpriorCodec, photo: Pixels) -> bytes:
    """150 rows, 170 columns."""
    return codec.encode([photo[:150, :170]], Target(quality=20))[0].bitstream


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory, codec: HyperpriorCodec) -> Path:
    """A folder with a refiner of each kind."""
    folder = tmp_path_factory.mktemp("refiners")
    for kind in ("flow", "diffusion", "gan"):
        write_refiner(folder / f"refiner-{kind}.safetensors", codec.weights_path, kind)
    return folder
