"""Bitstreams written by earlier versions decode to the very same pixels and files.

After a deliberate change of format, set GLASSPLATE_REGENERATE_GOLDEN=1 and run this file.
Decoders that are not ours may round differently from version to version, so for them it is the
PSNR that is held.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glassplate.codecs import Codec, Pixels, Target, codec_names, get_codec
from glassplate.codecs.measures.pixels import psnr

GOLDEN = Path(__file__).parent / "golden"
EXPECTED = GOLDEN / "expected.json"
REGENERATE = os.environ.get("GLASSPLATE_REGENERATE_GOLDEN") == "1"
NAMES = [name for name in codec_names() if name != "hyperprior"]
EXACT = ("svd", "jxl-jpeg", "original")


def _picture() -> Pixels:
    """48x40 RGB, made of integers only: soft waves and an edge."""
    y, x = np.mgrid[0:40, 0:48]
    wave = (x * x // 5 + y * y // 7 + x * y // 3) % 512
    ramp = np.stack([np.minimum(wave, 511 - wave), 5 * x, 255 - 6 * y], axis=2)
    ramp[y + x > 60] //= 2
    return np.clip(ramp, 0, 255).astype(np.uint8)


def _regenerate(name: str) -> None:
    codec = get_codec(name, device="cpu")
    if isinstance(codec, Codec):
        bitstream = codec.encode([_picture()], Target())[0].bitstream
    else:
        buffer = io.BytesIO()
        Image.fromarray(_picture()).save(buffer, "JPEG", quality=60)
        bitstream = codec.encode_file(buffer.getvalue())
    GOLDEN.mkdir(exist_ok=True)
    (GOLDEN / f"{name}.bin").write_bytes(bitstream)
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    expected[name] = _measure(name, bitstream)
    EXPECTED.write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")


def _measure(name: str, bitstream: bytes) -> dict[str, str | float]:
    """sha256 of what an own decoder gives, PSNR for the others."""
    codec = get_codec(name, device="cpu")
    if not isinstance(codec, Codec):
        return {"sha256": hashlib.sha256(codec.decode_file(bitstream)).hexdigest()}
    (pixels,) = codec.decode([bitstream])
    if name in EXACT:
        return {"sha256": hashlib.sha256(pixels.tobytes()).hexdigest()}
    return {"psnr": round(psnr(_picture(), pixels), 2)}


@pytest.mark.parametrize("name", NAMES)
def test_golden(name: str) -> None:
    if REGENERATE:
        _regenerate(name)
    bitstream = (GOLDEN / f"{name}.bin").read_bytes()
    assert len(bitstream) < 2048
    expected = json.loads(EXPECTED.read_text())[name]
    measured = _measure(name, bitstream)
    if "sha256" in expected:
        assert measured == expected
    else:
        assert measured["psnr"] == pytest.approx(expected["psnr"], abs=0.1)
