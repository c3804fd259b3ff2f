"""Streams written earlier parse to the very same symbols, and decode to the same pixels within 1.

After a deliberate change of format or weights, run this file with GLASSPLATE_REGENERATE_GOLDEN=1.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
    "eye": (3, 40.0, HyperpriorConfig(tune="eye")),
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


OLDER = """
import sys
from pathlib import Path
import numpy as np
from glassplate.codecs.hyperprior.codec import HyperpriorCodec, HyperpriorConfig
codec = HyperpriorCodec(HyperpriorConfig(tile_size=64), "cpu")
opened = codec.open(Path(sys.argv[1]).read_bytes())
print([opened.symbols(tile).crc() for tile in range(len(opened.grid))])
np.save(sys.argv[2], codec.decode([Path(sys.argv[1]).read_bytes()])[0])
"""


@pytest.mark.slow
@pytest.mark.parametrize("instructions", ["avx2", "default"])
def test_golden_streams_on_an_older_processor(tmp_path: Path, instructions: str) -> None:
    """Without AVX-512, and with what every x86-64 has, as far as the libraries can be told."""
    onednn, openblas = {"avx2": ("AVX2", "Haswell"), "default": ("SSE41", "Prescott")}[instructions]
    environment = os.environ | {
        "ATEN_CPU_CAPABILITY": instructions,
        "ONEDNN_MAX_CPU_ISA": onednn,
        "OPENBLAS_CORETYPE": openblas,
    }
    command = [sys.executable, "-c", OLDER, str(GOLDEN / "colour.bin"), str(tmp_path / "out.npy")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == json.loads((GOLDEN / "colour.json").read_text())
    decoded = np.load(tmp_path / "out.npy").astype(int)
    assert np.abs(decoded - np.array(Image.open(GOLDEN / "colour.png"))).max() <= 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is at hand")
@pytest.mark.parametrize("name", CASES)
def test_golden_streams_on_a_gpu(name: str) -> None:
    codec = HyperpriorCodec(CASES[name][2], "cuda")
    stream = (GOLDEN / f"{name}.bin").read_bytes()
    assert symbol_crcs(codec, stream) == json.loads((GOLDEN / f"{name}.json").read_text())
    decoded = codec.decode([stream])[0].astype(int)
    expected = np.array(Image.open(GOLDEN / f"{name}.png")).reshape(decoded.shape).astype(int)
    assert np.abs(decoded - expected).max() <= 2
