"""Where the search for a target begins: `python -m tests.benchmarks.mean_curves [CODEC...]`.

Every codec of pixels at its defaults, and with options that `auto` chooses from (or those named),
on the five photographs of scikit-image: means of what can be a target, by quality. Written to
codecs/mean_curves.json, which the package carries; MS-SSIM in dB, -10 log10(1 - x), bpp as its
logarithm to base 2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from PIL import Image

import glassplate.codecs
from glassplate.codecs import Codec, Pixels, Target, codec_names, get_codec
from glassplate.codecs.base import Encoded
from glassplate.codecs.registry import parse_options
from glassplate.codecs.search import reached
from tests.benchmarks.photographs import own_photographs

OUT = Path(glassplate.codecs.__file__).parent / "mean_curves.json"
QUALITIES = (0, 10, 25, 40, 55, 70, 80, 85, 90, 95, 98, 99, 100)
VARIANTS = (
    "avif:subsampling=4:4:4",
    "avif:subsampling=4:4:4+tune=psnr",
    "avif:tune=psnr",
    "hyperprior:tune=eye",
)
TARGETS = {
    "psnr": Target(psnr=1),
    "ms_ssim": Target(ms_ssim=0.5),
    "ssimulacra2": Target(ssimulacra2=1),
    "max_bpp": Target(max_bpp=1),
}


def curve(codec: Codec, images: list[Pixels]) -> dict[str, list[float]]:
    """The means of each measure, by rising quality."""
    found: dict[str, list[float]] = {"quality": list(QUALITIES)} | {name: [] for name in TARGETS}
    for quality in QUALITIES:
        encoded = codec.encode(images, Target(quality=quality))
        decoded = codec.decode([one.bitstream for one in encoded])
        for name, target in TARGETS.items():
            values = [
                _value(target, *three) for three in zip(images, encoded, decoded, strict=True)
            ]
            found[name].append(round(mean(values), 3))
    return found


def _value(target: Target, image: Pixels, encoded: Encoded, decoded: Pixels) -> float:
    value = reached(target, image, encoded, decoded)
    assert value is not None
    return min(value, 60.0) if target.psnr or target.ms_ssim else value


def main() -> None:
    torch.set_num_threads(1)
    images = [np.array(Image.open(path).convert("RGB")) for path in own_photographs()]
    curves = json.loads(OUT.read_text()) if sys.argv[1:] else {}
    for choice in sys.argv[1:] or [*codec_names(), *VARIANTS]:
        name, _, rest = choice.partition(":")
        options = parse_options(rest.split("+") if rest else [], choice)
        codec = get_codec(name, device="cpu", options=options)
        if isinstance(codec, Codec):
            curves[choice] = curve(codec, images)
    lines = [f" {json.dumps(name)}: {json.dumps(curves[name])}" for name in sorted(curves)]
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
