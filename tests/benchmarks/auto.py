"""What choosing a codec for each picture gains, against each codec alone, and what it costs.

    python -m tests.benchmarks.auto --photos KODAK_FOLDER [--pictures 6]

At SSIMULACRA2 65, 80 and 90: bytes, seconds of one core and what was reached, by `auto`, by `auto`
trying every candidate to the end, and by AVIF (4:2:0), JPEG XL and `hyperprior` (tuned for the eye)
alone; a codec that misses the target has no bytes. Goes on where it stopped: points are kept in
results/auto.json as they are measured. A first pass takes every fourth picture.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from glassplate.codecs import Codec, Target, get_codec
from glassplate.codecs.errors import TargetMissedError
from glassplate.codecs.measures.ssimulacra2 import ssimulacra2
from tests.benchmarks.machine import RESULTS, write_result

NAME = "auto"
TARGETS = (65, 80, 90)
CODECS: dict[str, tuple[str, dict[str, Any]]] = {
    "auto": ("auto", {}),
    "exhaustive": ("auto", {"exhaustive": True}),
    "avif": ("avif", {}),
    "jxl": ("jxl", {}),
    "hyperprior": ("hyperprior", {"tune": "eye"}),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=None)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    codecs = {
        label: get_codec(name, device="cpu", options=o) for label, (name, o) in CODECS.items()
    }
    path = RESULTS / f"{NAME}.json"
    points = json.loads(path.read_text())["points"] if path.exists() else []
    done = {point["picture"] for point in points}
    paths = sorted(asked.photos.glob("*.png"))
    ordered = [one for start in range(4) for one in paths[start::4] if one.name not in done]
    for one in ordered[: asked.pictures]:
        points += measure(one, codecs)
        points.sort(key=lambda point: (point["picture"], point["target"]))
        write_result(NAME, {"summary": summary(points), "points": points})


def measure(path: Path, codecs: dict[str, Any]) -> list[dict[str, Any]]:
    """One picture's points, by rising target."""
    image = np.asarray(Image.open(path).convert("RGB"))
    points = []
    for target in TARGETS:
        point: dict[str, Any] = {"picture": path.name, "target": target}
        for label, codec in codecs.items():
            point[label] = _by(codec, image, target)
        points.append(point)
    return points


def _by(codec: Codec, image: Any, target: float) -> dict[str, Any]:
    started = time.process_time()
    try:
        (encoded,) = codec.encode([image], Target(ssimulacra2=target))
    except TargetMissedError:
        return {"bytes": None, "seconds": round(time.process_time() - started, 3)}
    seconds = time.process_time() - started
    (decoded,) = codec.decode([encoded.bitstream])
    look = ssimulacra2(image, decoded)
    found: dict[str, Any] = {"bytes": len(encoded.bitstream), "seconds": round(seconds, 3)}
    found |= {"ssimulacra2": None if look is None else round(look, 3)}
    if encoded.candidates:
        (won,) = (one.codec for one in encoded.candidates if one.how == "stored")
        found["won"] = won
    return found


def summary(points: list[dict[str, Any]]) -> dict[str, Any]:
    """For each target: bytes against the better of AVIF and JPEG XL, regret, and time.

    worst: The picture on which `auto` does least well against the better of the two, in percent.
    share_of_saving: Of what trying all would save, how much `auto` saves.
    """
    found = {}
    for target in TARGETS:
        mine = [point for point in points if point["target"] == target]
        better = [min(p["avif"]["bytes"], p["jxl"]["bytes"]) for p in mine]
        auto = [p["auto"]["bytes"] for p in mine]
        full = [p["exhaustive"]["bytes"] for p in mine]
        changes = [100 * (a / b - 1) for a, b in zip(auto, better, strict=True)]
        seconds = {label: sum(p[label]["seconds"] for p in mine) for label in CODECS}
        won = [p["auto"]["won"] for p in mine]
        found[str(target)] = {
            "pictures": len(mine),
            "mean_percent": round(sum(changes) / len(changes), 2),
            "sum_percent": round(100 * (sum(auto) / sum(better) - 1), 2),
            "worst_percent": round(max(changes), 2),
            "share_of_saving": round((sum(better) - sum(auto)) / (sum(better) - sum(full)), 4),
            "seconds": {label: round(value, 2) for label, value in seconds.items()},
            "times_avif": round(seconds["auto"] / seconds["avif"], 2),
            "won": {label: won.count(label) for label in sorted(set(won))},
        }
    return found


if __name__ == "__main__":
    main()
