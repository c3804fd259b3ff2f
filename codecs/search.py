"""Encode to a target: the quality that just meets PSNR, MS-SSIM, SSIMULACRA2 or a bit budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from glassplate.codecs.base import Encoded, Pixels, Target, colour
from glassplate.codecs.errors import TargetMissedError
from glassplate.codecs.measures.pixels import psnr


def encode_to_target(
    encode_at: Callable[[float], Encoded],
    decode: Callable[[bytes], Pixels],
    image: Pixels,
    target: Target,
    default_quality: float,
) -> Encoded:
    """`encode_all_to_target` for one picture."""
    (encoded,) = encode_all_to_target(
        lambda _, qualities: [encode_at(qualities[0])],
        lambda bitstreams: [decode(bitstreams[0])],
        [image],
        target,
        default_quality,
    )
    return encoded


def encode_all_to_target(
    encode_at: Callable[[Sequence[int], Sequence[float]], list[Encoded]],
    decode: Callable[[Sequence[bytes]], list[Pixels]],
    images: Sequence[Pixels],
    target: Target,
    default_quality: float,
) -> list[Encoded]:
    """Encode each picture at the quality that its target asks for.

    psnr, ms_ssim, ssimulacra2: the smallest whole-numbered quality that reaches it; max_bpp: the
    greatest that keeps to it; by bisection, in at most seven encodings, all pictures side by side.
    Every candidate is measured, so the result meets the target even where a codec is not monotone.
    If none does: raises TargetMissedError.

    Args:
        encode_at: Places of pictures in `images`, and a quality for each, to encoded pictures.
        decode: Bitstreams to pictures.
    """
    if target.quality is not None or target == Target():
        quality = default_quality if target.quality is None else target.quality
        return encode_at(range(len(images)), [quality] * len(images))
    rising = target.max_bpp is None
    searches = [_Search(place, image, rising) for place, image in enumerate(images)]
    while active := [search for search in searches if search.low <= search.high]:
        trials = encode_at([s.place for s in active], [s.quality for s in active])
        decoded: Sequence[Pixels | None] = [None] * len(trials)
        if rising:
            decoded = decode([trial.bitstream for trial in trials])
        for search, trial, pixels in zip(active, trials, decoded, strict=True):
            search.take(trial, _meets(target, search.image, trial, pixels))
    return [search.found(target) for search in searches]


@dataclass
class _Search:
    """Bisection over whole-numbered qualities for one picture.

    rising: higher qualities meet the target more easily than lower ones, or the reverse.
    best: of the trials that met the target, the smallest if rising, else the one of best quality.
    """

    place: int
    image: Pixels
    rising: bool
    low: int = 0
    high: int = 100
    best: Encoded | None = None

    @property
    def quality(self) -> int:
        """The next to try."""
        return (self.low + self.high) // 2

    def take(self, trial: Encoded, met: bool) -> None:
        """Note a trial at `quality`, and halve what is left to search."""
        if met and (self.best is None or self._is_better(trial, self.best)):
            self.best = trial
        if met == self.rising:
            self.high = self.quality - 1
        else:
            self.low = self.quality + 1

    def _is_better(self, a: Encoded, b: Encoded) -> bool:
        return len(a.bitstream) < len(b.bitstream) if self.rising else a.quality > b.quality

    def found(self, target: Target) -> Encoded:
        """The best. Raises TargetMissedError if no trial met the target."""
        if self.best is None:
            raise TargetMissedError(
                f"no quality setting reaches {target}", "Choose a less strict target."
            )
        return self.best


def _meets(target: Target, image: Pixels, trial: Encoded, decoded: Pixels | None) -> bool:
    """decoded: of the trial; not needed for max_bpp."""
    if target.max_bpp is not None:
        return bool(8 * len(trial.bitstream) <= target.max_bpp * image[..., 0].size)
    assert decoded is not None
    a, b = colour(image), colour(decoded)
    if target.psnr is not None:
        return psnr(a, b) >= target.psnr
    # torch: seldom needed, slow to load
    if target.ms_ssim is not None:
        from glassplate.codecs.measures.structure import ms_ssim

        similarity = ms_ssim(a, b)
        return similarity is not None and similarity >= target.ms_ssim
    from glassplate.codecs.measures.ssimulacra2 import ssimulacra2

    assert target.ssimulacra2 is not None
    look = ssimulacra2(image, decoded)
    return look is not None and look >= target.ssimulacra2
