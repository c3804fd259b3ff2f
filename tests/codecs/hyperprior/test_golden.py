"""Streams written earlier parse to the very same symbols, and decode to the same pixels within 1.

After a deliberate change of format or weights, run this file with GLASSPLATE_REGENERATE_GOLDEN=1.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glassplate.codecs import Pixels, Region, Target
from glassplate.codecs.hyperprior.codec import HyperpriorCodec, HyperpriorConfig

GOLDEN = Path(__file__).parent / "golden"
REGENERATE = os.environ.get("GLASSPLATE_REGENERATE_GOLDEN") == "1"
CASES = {
    "colour": (3, 50.0, HyperpriorConfig(tile_size=64)),
    "grey": (1, 80.0, HyperpriorConfig()),
    "float32": (3, 20.0, HyperpriorConfig(bfloat16=False)),
    "alpha": (4, 50.0, HyperpriorConfig(tile_size=64)),
    "grey-alpha": (2, 30.0, HyperpriorConfig()),
}


def symbol_crcs(codec: HyperpriorCodec, stream: bytes) -> list[int]:
    opened = codec.open(stream)
    return [opened.symbols(tile).crc() for tile in range(len(opened.grid))]


def regenerate(name: str, photo: Pixels) -> None:
    channels, quality, config = CASES[name]
    codec = HyperpriorCodec(config, "cpu")
    image = np.ascontiguousarray(photo[90:190, 150:300, [0, 1, 2, 0][:channels]])
    stream = codec.encode([image], Target(quality=quality))[0].bitstream
    GOLDEN.mkdir(exist_ok=True)
    (GOLDEN / f"{name}.bin").write_bytes(stream)
    (GOLDEN / f"{name}.json").write_text(json.dumps(symbol_crcs(codec, stream)) + "\n")
    pixels = codec.decode([stream])[0]
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(GOLDEN / f"{name}.png")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_golden_streams(name: str, threads: int, photo: Pixels) -> None:
    if REGENERATE:
        regenerate(name, photo)
    codec = HyperpriorCodec(CASES[name][2], "cpu")
    stream = (GOLDEN / f"{name}.bin").read_bytes()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert symbol_crcs(codec, stream) == json.loads((GOLDEN / f"{name}.json").read_text())
        decoded = codec.decode([stream])[0].astype(int)
        part = codec.decode([stream], Region(x=30, y=20, width=50, height=40))[0].astype(int)
    finally:
        torch.set_num_threads(before)
    expected = np.array(Image.open(GOLDEN / f"{name}.png")).reshape(decoded.shape).astype(int)
    assert np.abs(decoded - expected).max() <= 1
    assert np.abs(part - expected[20:60, 30:80]).max() <= 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is at hand")
@pytest.mark.parametrize("name", CASES)
def test_golden_streams_on_a_gpu(name: str) -> None:
    codec = HyperpriorCodec(CASES[name][2], "cuda")
    stream = (GOLDEN / f"{name}.bin").read_bytes()
    assert symbol_crcs(codec, stream) == json.loads((GOLDEN / f"{name}.json").read_text())
    decoded = codec.decode([stream])[0].astype(int)
    expected = np.array(Image.open(GOLDEN / f"{name}.png")).reshape(decoded.shape).astype(int)
    assert np.abs(decoded - expected).max() <= 2
