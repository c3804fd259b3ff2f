"""A small collection to try things on: scikit-image's pictures, odd formats, and bad files."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from glassplate.codecs.errors import ConfigError

ORIENTATION = 0x0112
_PICTURES = {".png", ".jpg", ".tif", ".gif"}


def write_sample(directory: Path) -> list[Path]:
    """Write the collection into a directory; returns the files, sorted.

    Raises ConfigError if scikit-image is not installed, or if the directory holds files.
    """
    if directory.exists() and any(directory.iterdir()):
        raise ConfigError("the directory is not empty", "Name a new one.", str(directory))
    pictures = _picture_folder()
    directory.mkdir(parents=True, exist_ok=True)
    for picture in sorted(pictures.iterdir()):
        if picture.suffix in _PICTURES:
            shutil.copyfile(picture, directory / picture.name)
    for name, data in [*_odd_files(pictures), *_bad_files(pictures)]:
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    return sorted(path for path in directory.rglob("*") if path.is_file())


def _picture_folder() -> Path:
    package = find_spec("skimage")
    if package is None or package.origin is None:
        raise ConfigError(
            "the sample pictures come from scikit-image, which is not installed",
            "Run: pip install 'glassplate[demo]'.",
        )
    return Path(package.origin).parent / "data"


def _odd_files(pictures: Path) -> Iterator[tuple[str, bytes]]:
    """Good files that need more than the pixel codec, or only look new."""
    coffee = _open(pictures / "coffee.png")
    chelsea = _open(pictures / "chelsea.png")
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    sideways = chelsea.transpose(Image.Transpose.ROTATE_90)
    yield "odd/rotated-by-exif.jpg", _encode(sideways, "JPEG", quality=92, exif=exif)
    yield "odd/coffee-photo.jpg", _encode(coffee, "JPEG", quality=90)
    yield "odd/cmyk.jpg", _encode(coffee.convert("CMYK"), "JPEG", quality=90)
    yield "odd/same as astronaut.png", (pictures / "astronaut.png").read_bytes()
    alpha = coffee.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(coffee.size))
    yield "odd/alpha.png", _encode(alpha, "PNG")
    grey = np.asarray(chelsea.convert("L"), dtype=np.uint16) * 257
    yield "odd/sixteen-bit.png", _encode(Image.fromarray(grey), "PNG")


def _bad_files(pictures: Path) -> Iterator[tuple[str, bytes]]:
    """Files that cannot be archived as pictures, one kind of trouble each."""
    rocket = (pictures / "rocket.jpg").read_bytes()
    chelsea = (pictures / "chelsea.png").read_bytes()
    yield "bad/empty.jpg", b""
    yield "bad/text.jpg", b"This is a shopping list, not a picture.\n"
    yield "bad/truncated.jpg", rocket[: len(rocket) // 2]
    yield "bad/truncated.png", chelsea[: len(chelsea) // 2]
    yield "bad/notes.txt", b"A text file among the pictures is passed over.\n"


def _open(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _encode(image: Image.Image, format: str, **options: object) -> bytes:  # noqa: A002
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()
