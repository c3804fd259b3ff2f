"""What a file loses that is shown as one Pillow image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from PIL import Image

from glassplate.pipelines.pictures.formats import DECODED, most_of_a_sample
from glassplate.pipelines.pictures.metadata import Facts, Loss
from glassplate.pipelines.pictures.metadata.tiff import numbers

_FRAMES = {
    "TIFF": ("multi-page", "pages"),
    "JPEG": ("multi-picture", "pictures"),
    "MPO": ("multi-picture", "pictures"),
    "JPEG2000": ("multi-picture", "pictures"),
}
_BITS, _SAMPLE_FORMAT, _SUB_IFDS, _EXTRA_SAMPLES = 258, 339, 330, 338
_UNSIGNED, _PREMULTIPLIED = 1, 1
_DEEP_MODES = ("F", "I")


def losses_when_shown(image: Image.Image, data: bytes, label: str, facts: Facts) -> Iterator[Loss]:
    """What of a file is neither in its first frame, as Pillow gives it, nor in its metadata.

    Args:
        image: As it was opened, not loaded yet.
        data: The file.
        label: Its format.
        facts: Its metadata.
    """
    frames = int(getattr(image, "n_frames", 1))
    if frames > 1:
        reason, word = _FRAMES.get(image.format or label, ("animation", "frames"))
        yield Loss(reason, f"all but the first of {frames} {word}")
    if label not in DECODED:
        yield Loss("unsupported-format", f"what only {label or 'its own format'} has a place for")
    tags: dict[int, Any] = dict(getattr(image, "tag_v2", {})) if label == "TIFF" else {}
    bits = max(numbers(tags.get(_BITS)), default=8)
    if (bits > 8 or most_of_a_sample(data, label) > 255) and not _is_deep(image.mode):
        yield Loss("16-bit", "more than 8 bits a sample")
    if bits > 16 and image.mode == "I" and _UNSIGNED in numbers(tags.get(_SAMPLE_FORMAT, 1)):
        yield Loss("16-bit", "unsigned samples of 32 bits")
    if bits > 32:
        yield Loss("float", "samples of 64 bits")
    if _SUB_IFDS in tags:
        yield Loss("multi-page", "pictures in sub-directories")
    if _PREMULTIPLIED in numbers(tags.get(_EXTRA_SAMPLES)):
        yield Loss("alpha", "colours as they are multiplied by alpha")
    for loss in facts.losses:
        if not (loss.reason == "signed" and _is_deep(image.mode)):
            yield loss


def _is_deep(mode: str) -> bool:
    return mode in _DEEP_MODES or mode.startswith("I;")
