"""The pictures of the README: `python -m tests.benchmarks.readme_pictures`.

By the commands that a user types, on the photograph of coffee that `glassplate demo` writes (CC0):
the original beside JPEG and the default codec at as few bits; the default codec plain and refined.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.benchmarks.machine import RESULTS, write_result

NAME = "coffee.png"
LEFT, TOP, SIDE = 180, 90, 240
BPP = {"side_by_side": 0.3, "refined": 0.15}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _glassplate("demo", work / "photos")
        for other in (work / "photos").rglob("*"):
            if other.is_file() and other.name != NAME:
                other.unlink()
        source = work / "photos" / NAME
        plain = {name: _stored(work, "hyperprior", bpp) for name, bpp in BPP.items()}
        jpeg = _stored(work, "jpeg", BPP["side_by_side"])
        refined = work / "refined.png"
        _get(plain["refined"][0], refined, "--refine", "flow")
        _sheet("side_by_side", [source, jpeg[1], plain["side_by_side"][1]])
        _sheet("refined", [plain["refined"][1], refined])
        rows = {"jpeg": jpeg[2]} | {f"hyperprior, {name}": one[2] for name, one in plain.items()}
        write_result("readme_pictures", {"picture": NAME, "stored": rows})


def _stored(work: Path, codec: str, bpp: float) -> tuple[Path, Path, dict[str, float]]:
    """Archive, decoded picture, and what its row says."""
    archive, decoded = work / f"{codec}-{bpp}", work / f"{codec}-{bpp}.png"
    _glassplate("compress", work / "photos", archive, "--codec", codec, "--max-bpp", bpp)
    _get(archive, decoded)
    row = json.loads(_glassplate("query", archive, "--json"))
    return archive, decoded, {name: round(row[name], 3) for name in ("bpp", "psnr", "ms_ssim")}


def _get(archive: Path, file: Path, *options: str) -> None:
    _glassplate("get", archive, NAME, "-o", file, *options)


def _glassplate(*arguments: object) -> str:
    program = Path(sys.executable).with_name("glassplate")
    done = subprocess.run(
        [program, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def _sheet(name: str, files: list[Path]) -> None:
    """The same part of pictures beside each other, twice as large, as one WebP."""
    parts = []
    for file in files:
        with Image.open(file) as picture:
            part = picture.convert("RGB").crop((LEFT, TOP, LEFT + SIDE, TOP + SIDE))
        parts += [np.asarray(part.resize((2 * SIDE, 2 * SIDE), Image.Resampling.LANCZOS))]
        parts += [np.full((2 * SIDE, 12, 3), 255, np.uint8)]
    Image.fromarray(np.hstack(parts[:-1])).save(RESULTS / f"{name}.webp", quality=90, method=6)


if __name__ == "__main__":
    main()
