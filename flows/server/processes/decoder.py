"""The process that decodes: answers requests, one line of JSON each, and writes files of pixels.

What it writes it writes where the request says, in the service's own folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from glassplate.codecs.base import Region
from glassplate.codecs.cache import ByteBoundedCache
from glassplate.codecs.hyperprior.decoder import LATENTS
from glassplate.codecs.refine.options import RefineOptions
from glassplate.flows.server.processes.pixels import PixelReader, shown
from glassplate.flows.server.processes.process import answers
from glassplate.flows.server.protocol.image_request import FORMATS, REFINED, Rendering
from glassplate.pipelines import Archive
from glassplate.pipelines.archive.deliver.embed import file_bytes
from glassplate.pipelines.jobs.child_process import Answer

_WITHOUT_ALPHA = ("JPEG",)
_BLACK_BELOW = 128
_SAVE: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 90},
    "PNG": {"compress_level": 3},
    "WEBP": {"quality": 90, "method": 2},
    "AVIF": {"quality": 80, "speed": 8},
}


def greeted(greeting: str) -> Answer:
    """What answers requests for pictures and originals."""
    told = json.loads(greeting)
    torch.set_num_threads(told["threads"])
    LATENTS.capacity = told["cache"] // 2 if told["latents"] else 0
    cache: ByteBoundedCache[Image.Image] = ByteBoundedCache(told["cache"] - LATENTS.capacity)
    reader: PixelReader | None = None

    def fulfil(archive: Archive, request: Mapping[str, Any]) -> dict[str, Any]:
        nonlocal reader
        out = Path(request["out"])
        if request["what"] == "original":
            out.write_bytes(archive.original(request["image_id"])[0])
            return {}
        if reader is None or reader.archive is not archive:
            reader = PixelReader(archive, cache)
        fields = request["rendering"]
        rendering = Rendering(**fields | {"region": Region(**fields["region"])})
        data, facts = render(reader, request["image_id"], rendering)
        out.write_bytes(data)
        return facts

    return answers(told, fulfil)


def render(
    reader: PixelReader, image_id: str, rendering: Rendering
) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a file, and what is to be told of how they were made."""
    region, facts = rendering.region, {}
    if rendering.quality == REFINED:
        options = RefineOptions(kind="flow", seed=seed_of(image_id))
        refined = reader.archive.refine(image_id, options, region)
        image, facts = refined.image, refined.facts
        xmp = image.info["xmp"]
        image = shown(image)
        image.info["xmp"] = xmp
    else:
        shrink = min(region.width / rendering.width, region.height / rendering.height)
        image = reader.read(image_id, region, shrink)
    return _as_file(_turned(_scaled(image, rendering), rendering), rendering), facts


def seed_of(image_id: str) -> int:
    """The seed of a picture's refinement: the same for ever."""
    return int(image_id[:16], 16)


def _scaled(image: Image.Image, rendering: Rendering) -> Image.Image:
    size = rendering.width, rendering.height
    if image.size == size:
        return image
    scaled = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    scaled.info = image.info
    return scaled


def _turned(image: Image.Image, rendering: Rendering) -> Image.Image:
    info = image.info
    if rendering.mirror:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turn = {
        90: Image.Transpose.ROTATE_270,  # Pillow counts to the left
        180: Image.Transpose.ROTATE_180,
        270: Image.Transpose.ROTATE_90,
    }.get(rendering.degrees)
    if turn is not None:
        image = image.transpose(turn)
    image.info = info
    return image


def _as_file(image: Image.Image, rendering: Rendering) -> bytes:
    name = FORMATS[rendering.format][0]
    info, grey = dict(image.info), image.mode in ("L", "LA")
    if image.mode in ("LA", "RGBA") and name in _WITHOUT_ALPHA:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        image = white.convert("L" if grey else "RGB")
    if rendering.quality == "color" and grey:
        image = image.convert("RGBA" if image.mode == "LA" else "RGB")
    elif rendering.quality == "gray" and not grey:
        image = image.convert("LA" if image.mode == "RGBA" else "L")
    elif rendering.quality == "bitonal":
        image = image.convert("L").point(lambda level: 255 * (level >= _BLACK_BELOW))
    if grey is not (image.mode in ("L", "LA")):
        info.pop("icc_profile", None)  # which was for other channels
    image.info = info
    return file_bytes(image, name, **_SAVE[name])
