"""Encode to a target: the quality setting that just meets a PSNR or a bit budget."""

from __future__ import annotations

from collections.abc import Callable

from glassplate.codecs.base import Encoded, Pixels, Target
from glassplate.codecs.errors import TargetMissedError
from glassplate.codecs.metrics import psnr


def encode_to_target(
    encode_at: Callable[[float], Encoded],
    decode: Callable[[bytes], Pixels],
    image: Pixels,
    target: Target,
    default_quality: float,
) -> Encoded:
    """Encode a picture at the quality that its target asks for.

    psnr: the smallest whole-numbered quality that reaches it; max_bpp: the greatest that keeps to
    it; both by bisection, in at most seven encodings. Every candidate is measured, so the result
    meets the target even where a codec is not monotone. If none does: raises TargetMissedError.
    """
    if target.psnr is not None:
        wanted_psnr = target.psnr
        reached = _bisect(
            encode_at, lambda trial: psnr(image, decode(trial.bitstream)) >= wanted_psnr, up=True
        )
        best = min(reached, key=lambda trial: len(trial.bitstream), default=None)
    elif target.max_bpp is not None:
        max_bytes = target.max_bpp * image.shape[0] * image.shape[1] / 8
        kept = _bisect(encode_at, lambda trial: len(trial.bitstream) <= max_bytes, up=False)
        best = max(kept, key=lambda trial: trial.quality, default=None)
    else:
        return encode_at(default_quality if target.quality is None else target.quality)
    if best is None:
        raise TargetMissedError(
            f"no quality setting reaches {target}", "Choose a less strict target."
        )
    return best


def _bisect(
    encode_at: Callable[[float], Encoded], meets: Callable[[Encoded], bool], *, up: bool
) -> list[Encoded]:
    """The trials that meet the target. up: higher qualities meet it more easily than lower ones."""
    good = []
    low, high = 0, 100
    while low <= high:
        quality = (low + high) // 2
        trial = encode_at(quality)
        met = meets(trial)
        if met:
            good.append(trial)
        if met == up:
            high = quality - 1
        else:
            low = quality + 1
    return good
