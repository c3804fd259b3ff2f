"""`autoencoder` beside JPEG and WebP: `python -m tests.benchmarks.autoencoder_kodak FOLDER`.

FOLDER holds the 24 Kodak pictures. JPEG and WebP get no more bits for a picture than the
autoencoder took; `reached` is the share of the pictures for which they can be so small, and their
PSNR is that of these.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from PIL import Image

from glassplate.codecs import Codec, Pixels, Target, get_codec
from glassplate.codecs.autoencoder.codec import AutoencoderCodec
from glassplate.codecs.errors import TargetMissedError
from glassplate.codecs.measures.pixels import psnr
from tests.benchmarks.machine import write_result

QUALITIES = (100, 0)
OTHERS = ("jpeg", "webp")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    paths = sorted(parser.parse_args().folder.glob("kodim*.png"))
    images = [np.array(Image.open(path).convert("RGB")) for path in paths]
    codec = AutoencoderCodec()
    rows = [_row(codec, images, quality) for quality in QUALITIES]
    result = {"pictures": len(images), "weights": codec.spec.weights_sha256, "rows": rows}
    write_result("autoencoder_kodak", result)


def _row(codec: AutoencoderCodec, images: list[Pixels], quality: float) -> dict[str, Any]:
    streams = [encoded.bitstream for encoded in codec.encode(images, Target(quality=quality))]
    bpp = [8 * len(s) / (i.shape[0] * i.shape[1]) for s, i in zip(streams, images, strict=True)]
    decoded = codec.decode(streams)
    row: dict[str, Any] = {
        "quality": quality,
        "bpp": round(mean(bpp), 4),
        "psnr": round(mean(psnr(*pair) for pair in zip(images, decoded, strict=True)), 2),
    }
    for name in OTHERS:
        other = get_codec(name)
        assert isinstance(other, Codec)
        found = [_psnr_within(other, *pair) for pair in zip(images, bpp, strict=True)]
        reached = [value for value in found if value is not None]
        share = round(len(reached) / len(images), 3)
        row[name] = {"psnr": round(mean(reached), 2) if reached else None, "reached": share}
    return row


def _psnr_within(codec: Codec, image: Pixels, bpp: float) -> float | None:
    try:
        (encoded,) = codec.encode([image], Target(max_bpp=bpp))
    except TargetMissedError:
        return None
    return psnr(image, codec.decode([encoded.bitstream])[0])


if __name__ == "__main__":
    main()
