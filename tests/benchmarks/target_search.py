"""How many encodings a target takes, by mean curves and by bisection, side by side.

    python -m tests.benchmarks.target_search KODAK_FOLDER

Bisection is what a codec without a mean curve gets, and what all had before. Every third picture,
one thread; `reached` is the mean, dB and points, MS-SSIM in dB, bpp as log2.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from PIL import Image

from glassplate.codecs import Codec, Pixels, Target, get_codec, search
from tests.benchmarks.machine import write_result

CODECS = ("hyperprior", "jpeg", "webp")
TARGETS = (Target(psnr=34), Target(ms_ssim=0.98), Target(ssimulacra2=70), Target(max_bpp=0.6))


def main() -> None:
    torch.set_num_threads(1)
    paths = sorted(Path(sys.argv[1]).glob("*.png"))[::3]
    images = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    rows = []
    for name in CODECS:
        codec = get_codec(name, device="cpu")
        assert isinstance(codec, Codec)
        codec.encode(images[:1], Target(quality=50))  # warm
        for target in TARGETS:
            row: dict[str, Any] = {"codec": name, "target": str(target)}
            for way, known in (("curves", True), ("bisection", False)):
                row[way] = _measure(codec, images, target, known=known)
            rows.append(row)
    encodings = {
        way: mean(row[way]["encodings"] for row in rows) for way in ("curves", "bisection")
    }
    result = {"pictures": [path.stem for path in paths], "mean_encodings": encodings, "rows": rows}
    write_result("target_search", result)


def _measure(codec: Codec, images: list[Pixels], target: Target, *, known: bool) -> dict[str, Any]:
    with _counted(known=known) as values:
        started = time.perf_counter()
        encoded = codec.encode(images, target)
        seconds = time.perf_counter() - started
        trials = len(values)
    decoded = codec.decode([one.bitstream for one in encoded])
    found = [search.reached(target, *three) for three in zip(images, encoded, decoded, strict=True)]
    return {
        "encodings": round(trials / len(images), 2),
        "seconds": round(seconds, 2),
        "reached": round(mean(value for value in found if value is not None), 3),
        "bytes": sum(len(one.bitstream) for one in encoded),
    }


@contextmanager
def _counted(*, known: bool) -> Iterator[list[float | None]]:
    """What was measured during a search, with or without curves."""
    values: list[float | None] = []
    reached, curves = search.reached, search._mean_curves

    def counted(*given: Any) -> float | None:
        values.append(reached(*given))
        return values[-1]

    search.reached = counted
    if not known:
        search._mean_curves = dict
    try:
        yield values
    finally:
        search.reached, search._mean_curves = reached, curves


if __name__ == "__main__":
    main()
