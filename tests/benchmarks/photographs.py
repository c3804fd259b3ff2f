"""Collections for benchmarks: JPEG files cut from real photographs."""

from __future__ import annotations

import random
from pathlib import Path

import skimage
from PIL import Image

NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")


def write_photographs(folder: Path, count: int, photos: Path | None = None, side: int = 384) -> int:
    """Write `count` different JPEG files; returns their bytes.

    They are `side` x `side` crops at random places of the pictures in `photos`, or of those that
    come with scikit-image, half of them mirrored, at quality 92.
    """
    found = sorted(photos.rglob("*.*")) if photos else own_photographs()
    pictures = [path for path in found if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
    folder.mkdir(parents=True)
    draw = random.Random(0)
    open_pictures = [Image.open(path).convert("RGB") for path in pictures[:64]]
    for number in range(count):
        image = open_pictures[number % len(open_pictures)]
        left = draw.randint(0, max(0, image.width - side))
        top = draw.randint(0, max(0, image.height - side))
        crop = image.crop((left, top, min(left + side, image.width), min(top + side, image.height)))
        if draw.random() < 0.5:
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        crop.save(folder / f"{number:06}.jpg", quality=92)
    return sum(path.stat().st_size for path in folder.iterdir())


def own_photographs() -> list[Path]:
    """Those that come with scikit-image."""
    folder = Path(skimage.__file__).parent / "data"
    return [folder / name for name in NAMES if (folder / name).exists()]
