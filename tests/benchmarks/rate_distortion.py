"""Rate-distortion of codecs on a folder of pictures, in real bytes, all in one run.

    python -m tests.benchmarks.rate_distortion FOLDER [--published FILE] [--codecs a,b] [--every N]

Per codec and setting: mean bits per pixel (container included), mean PSNR over all three channels
of RGB, mean MS-SSIM, and megapixels per second both ways. BD-rate of the first codec against every
other one, by piecewise cubic interpolation, over the range that both cover between 0.1 and 1 bpp of
the first; `--published` takes curves `{codec: [[bpp, dB], ...]}` to compare with as well.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import bjontegaard
import numpy as np
from PIL import Image

from glassplate.codecs import Codec, Pixels, Target, get_codec
from glassplate.codecs.metrics import ms_ssim, psnr
from tests.benchmarks.machine import write_result

SETTINGS: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "hyperprior": ({}, (0, 10, 20, 35, 50, 65, 80, 95)),
    "jpeg": ({}, (5, 10, 20, 35, 55, 75)),
    "webp": ({}, (1, 12, 30, 50, 70, 82)),
    "avif": ({"speed": 6}, (15, 25, 35, 45, 55, 65)),
    "avif-444": ({"speed": 6, "subsampling": "4:4:4"}, (15, 25, 35, 45, 55, 65)),
    "jxl": ({"effort": 7}, (10, 25, 40, 55, 70, 80)),
    "jp2": ({}, (25, 28, 31, 34, 37)),
}
MIN_BPP, MAX_BPP = 0.1, 1.0
Curve = list[tuple[float, float]]


def measure(codec: Codec, images: list[Pixels], quality: float) -> dict[str, float]:
    """Means over the pictures, and speed over all of them together."""
    megapixels = sum(image.shape[0] * image.shape[1] for image in images) / 1e6
    begin = time.perf_counter()
    encoded = [codec.encode([image], Target(quality=quality))[0].bitstream for image in images]
    middle = time.perf_counter()
    decoded = [codec.decode([stream])[0] for stream in encoded]
    end = time.perf_counter()
    pairs = list(zip(images, decoded, strict=True))
    bits = [len(s) * 8 / (i.shape[0] * i.shape[1]) for s, i in zip(encoded, images, strict=True)]
    similar = [ms_ssim(*pair) for pair in pairs]
    return {
        "quality": quality,
        "bpp": round(float(np.mean(bits)), 5),
        "psnr": round(float(np.mean([psnr(*pair) for pair in pairs])), 4),
        "ms_ssim": round(float(np.mean([s for s in similar if s is not None])), 5),
        "encode_mps": round(megapixels / (middle - begin), 2),
        "decode_mps": round(megapixels / (end - middle), 2),
    }


def bd_rate(anchor: Curve, test: Curve) -> dict[str, float] | None:
    """Percent of bits that `test` needs beyond `anchor` at equal PSNR, and the range in common."""
    test = _within(test)
    low = max(min(d for _, d in anchor), min(d for _, d in test))
    high = min(max(d for _, d in anchor), max(d for _, d in test))
    if len(test) < 4 or len(anchor) < 4 or high <= low:
        return None
    rates = [[r for r, _ in sorted(curve)] for curve in (anchor, test)]
    dbs = [[d for _, d in sorted(curve)] for curve in (anchor, test)]
    percent = bjontegaard.bd_rate(
        rates[0], dbs[0], rates[1], dbs[1],
        method="pchip", require_matching_points=False, min_overlap=0,
    )  # fmt: skip
    return {"percent": round(float(percent), 2), "from_db": round(low, 2), "to_db": round(high, 2)}


def _within(curve: Curve) -> Curve:
    """A curve between 0.1 and 1 bpp, its ends interpolated in log rate."""
    curve = sorted(curve)
    logs, dbs = np.log([r for r, _ in curve]), [d for _, d in curve]
    ends = [bpp for bpp in (MIN_BPP, MAX_BPP) if curve[0][0] < bpp < curve[-1][0]]
    inside = [(r, d) for r, d in curve if MIN_BPP < r < MAX_BPP]
    return sorted(inside + [(bpp, float(np.interp(np.log(bpp), logs, dbs))) for bpp in ends])


def load(folder: Path, every: int) -> list[Pixels]:
    """Every n-th picture of a folder, as RGB."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
    return [np.array(Image.open(path).convert("RGB")) for path in paths[::every]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--codecs", default=",".join(SETTINGS), help="the first is compared")
    parser.add_argument("--every", type=int, default=1, help="take every n-th picture only")
    parser.add_argument("--published", type=Path, help="JSON with published curves")
    parser.add_argument("--weights", type=Path, help="of hyperprior, if not the shipped ones")
    parser.add_argument("--name", default="rate_distortion", help="of the file of results")
    options = parser.parse_args()
    images = load(options.folder, options.every)
    points: dict[str, list[dict[str, float]]] = {}
    for name in options.codecs.split(","):
        codec_options, qualities = SETTINGS[name]
        weights = options.weights if name == "hyperprior" else None
        codec = get_codec(name.split("-")[0], options=codec_options, weights=weights)
        assert isinstance(codec, Codec)
        codec.decode([codec.encode(images[:1], Target())[0].bitstream])  # warm up
        points[name] = [measure(codec, images, quality) for quality in qualities]
        print(name, json.dumps(points[name]), flush=True)
    curves = {name: [(p["bpp"], p["psnr"]) for p in row] for name, row in points.items()}
    first, *others = curves
    published = json.loads(options.published.read_text()) if options.published else {}
    write_result(
        options.name,
        {
            "pictures": len(images),
            "codec": first,
            "bd_rate": {other: bd_rate(curves[other], curves[first]) for other in others},
            "bd_rate_against_published": {
                other: bd_rate([(r, d) for r, d in curve], curves[first])
                for other, curve in published.items()
            },
            "points": points,
        },
    )


if __name__ == "__main__":
    main()
