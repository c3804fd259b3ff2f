"""SSIMULACRA2 in torch beside PyPI's package: how far apart, and how much faster, side by side.

    python -m tests.benchmarks.ssimulacra2 KODAK_FOLDER

Every picture as a JPEG at six qualities; one thread. The two take turns, so that a busy machine
slows both; times are the shortest of a few turns.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from ssimulacra2 import compute_ssimulacra2

from glassplate.codecs.measures.ssimulacra2 import ssimulacra2
from tests.benchmarks.machine import write_result

QUALITIES = (5, 20, 40, 60, 80, 95)
TURNS = 3


def main() -> None:
    torch.set_num_threads(1)
    points, ours, theirs, megapixels = [], 0.0, 0.0, 0.0
    for path in sorted(Path(sys.argv[1]).glob("*.png")):
        original = np.asarray(Image.open(path).convert("RGB"))
        bmp = _file(original, "BMP")
        for quality in QUALITIES:
            decoded = np.asarray(Image.open(_file(original, "JPEG", quality=quality)))
            other = _file(decoded, "BMP")
            turns = TURNS if quality == QUALITIES[0] else 1
            seconds_ours, seconds_theirs = [], []
            for _ in range(turns):
                found, seconds = _timed(lambda a=original, b=decoded: ssimulacra2(a, b))
                seconds_ours.append(seconds)
                wanted, seconds = _timed(lambda a=bmp, b=other: compute_ssimulacra2(a, b))
                seconds_theirs.append(seconds)
            if turns > 1:
                ours, theirs = ours + min(seconds_ours), theirs + min(seconds_theirs)
                megapixels += original.shape[0] * original.shape[1] / 1e6
            points.append([path.stem, quality, round(wanted, 4), round(found, 4)])
    apart = [abs(found - wanted) for _, _, wanted, found in points]
    write_result(
        "ssimulacra2",
        {
            "points": "picture, JPEG quality, ssimulacra2 0.3.0 (float64), ours (float32)",
            "largest_difference": round(max(apart), 4),
            "seconds_a_megapixel": {
                "ours": round(ours / megapixels, 4), "package": round(theirs / megapixels, 4),
            },
            "times_faster": round(theirs / ours, 1),
            "values": points,
        },
    )  # fmt: skip


def _timed(measure: Callable[[], float | None]) -> tuple[float, float]:
    started = time.perf_counter()
    value = measure()
    assert value is not None
    return value, time.perf_counter() - started


def _file(pixels: np.ndarray, kind: str, **options: int) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file


if __name__ == "__main__":
    main()
