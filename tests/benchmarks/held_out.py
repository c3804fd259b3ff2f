"""Crops that a training run never saw, as files: `python -m tests.benchmarks.held_out ...`.

DATA is what was trained on, CROPS the folder `crops` of the run. The split is by the hash of each
picture's name, the same for every model that is trained on DATA, the codec's, too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from glassplate.codecs.training.data import CropStore


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="absolute path or URL")
    parser.add_argument("crops", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=24, help="evenly spread")
    options = parser.parse_args()
    store = CropStore.build(options.data, options.crops)
    _, indices = store.split()
    count = min(options.count, len(indices))
    options.out.mkdir(parents=True, exist_ok=True)
    for place in range(count):
        index = indices[place * len(indices) // count]
        Image.fromarray(store.pixels(index)).save(options.out / f"{index:05}.png")
    print(f"{count} of {len(indices)} held-out crops")


if __name__ == "__main__":
    main()
