"""What `glassplate codecs` says of each codec: `python -m tests.benchmarks.codec_table`.

Every codec of pixels at its defaults, on the five photographs of scikit-image: raw RGB bytes over
bytes of the bitstream, all pictures together, and their mean PSNR. Written to codecs/measured.json,
which the package carries.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import skimage
from PIL import Image
from safetensors import safe_open

import glassplate.codecs
from glassplate.codecs import Codec, Target, codec_names, get_codec
from glassplate.codecs.measures.pixels import psnr
from tests.benchmarks.photographs import NAMES

OUT = Path(glassplate.codecs.__file__).parent / "measured.json"


def measure(codec: Codec) -> dict[str, Any]:
    """Ratio, mean PSNR, and number of trained parameters (None without weights)."""
    folder = Path(skimage.__file__).parent / "data"
    found = [folder / name for name in NAMES if (folder / name).exists()]
    images = [np.array(Image.open(path).convert("RGB")) for path in found]
    streams = [encoded.bitstream for encoded in codec.encode(images, Target())]
    decoded = codec.decode(streams)
    return {
        "parameters": _parameters(codec),
        "ratio": round(sum(image.nbytes for image in images) / sum(map(len, streams)), 1),
        "psnr": round(mean(psnr(*pair) for pair in zip(images, decoded, strict=True)), 2),
    }


def _parameters(codec: Codec) -> int | None:
    if codec.spec.weights_sha256 is None:
        return None
    with safe_open(codec.weights_path, "np") as file:  # type: ignore[attr-defined]
        names = [name for name in file.keys() if not name.startswith("tables.")]  # noqa: SIM118
        return sum(file.get_tensor(name).size for name in names)


def main() -> None:
    codecs = {name: get_codec(name) for name in codec_names()}
    table = {name: measure(codec) for name, codec in codecs.items() if isinstance(codec, Codec)}
    OUT.write_text(json.dumps(table, indent=1) + "\n")
    print(OUT.read_text())


if __name__ == "__main__":
    main()
