"""Pictures restored on the way out, and labelled as what they then are."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from glassplate.codecs.errors import UnsupportedImageError
from glassplate.codecs.progress import OnStep, unseen
from glassplate.codecs.restore.degradations import as_image
from glassplate.codecs.restore.restorer import Restorer
from glassplate.pipelines.archive.labels.xmp import with_label

MODES = ("L", "LA", "RGB", "RGBA")
"""What can be restored, as Pillow names it; palettes become RGB."""
_METADATA = ("icc_profile", "exif", "xmp", "segments", "dpi", "comment")


@dataclass(frozen=True)
class RestoredPicture:
    """A restored picture, labelled in its XMP, and what the label says.

    changed: False if a denoiser found nothing to take out: the picture is as it was.
    """

    image: Image.Image
    facts: dict[str, Any]
    changed: bool = True


def facts_of(restorer: Restorer) -> dict[str, Any]:
    """What a restored file says of itself."""
    scale = restorer.options.scale
    return {
        "software": f"Glassplate {importlib.metadata.version('glassplate')}",
        "restorer": restorer.options.task,
        "restorer_weights_sha256": restorer.weights_sha256,
        **({"scale": scale} if scale else {}),
    }


def restored(
    image: Image.Image,
    restorer: Restorer,
    label: str,
    progress: OnStep = unseen,
) -> RestoredPicture:
    """Restore a picture; its metadata stay. `label` names it in errors.

    progress: Called with (windows done, windows in all).

    Raises UnsupportedImageError for anything but 8-bit grey and RGB, TooManyPixelsError.
    """
    info = image.info
    if image.mode == "P":
        image = image.convert("RGB")
    if image.mode not in MODES or "transparency" in info:
        raise UnsupportedImageError(
            "cannot be restored (another mode, or a transparent colour)",
            "8-bit grey and RGB pictures can, with alpha, too.",
            label,
        )
    pixels = np.array(image)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    found = restorer.find(pixels)
    changed = not (found and found.is_clean)
    picture = as_image(restorer.restore(pixels, progress, found))
    picture.info.update({name: info[name] for name in _METADATA if info.get(name)})
    facts = facts_of(restorer) | ({"found": str(found)} if found else {})
    picture.info["xmp"] = with_label(info.get("xmp"), facts, changed=changed)
    return RestoredPicture(picture, facts, changed)
