"""One picture through the variants that an evaluation of refiners compares, at one quality.

Results are kept in a folder, so that an evaluation that was interrupted, or that is asked for one
refiner more, measures only what is missing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glassplate.codecs import Codec, Pixels, Target
from glassplate.codecs.base import Device, colour
from glassplate.codecs.errors import TargetMissedError
from glassplate.codecs.measures.efficientnet import DIMENSIONS, patch_features
from glassplate.codecs.measures.official_measures import Found, Given
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.measures.ssimulacra2 import ssimulacra2
from glassplate.codecs.measures.st_lpips import Original
from glassplate.codecs.measures.structure import ms_ssim
from glassplate.codecs.refine.options import RefineOptions
from glassplate.codecs.refine.refiner import Refiner
from glassplate.pipelines.codec_choice import build_choice
from glassplate.pipelines.evaluate.measure import Subject, load_pixels
from glassplate.pipelines.evaluate.variants import Variant
from glassplate.pipelines.pictures.limits import DEFAULT_MAX_PIXELS

FORMAT = 1

Floats = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Bench:
    """What is measured with; small, since it goes to every worker. codec: see `build_choice`.

    folder: Where results are kept. given: Measures beside those that are always taken.
    """

    codec: str
    folder: Path
    device: Device = "auto"
    plugins: tuple[str, ...] = ()
    max_pixels: int = DEFAULT_MAX_PIXELS
    given: tuple[Given, ...] = ()

    def build(self, choice: str) -> Codec:
        """This or another codec. Raises what `get_codec` raises."""
        return build_choice(choice, self.device, self.plugins)

    def refiner(self, options: RefineOptions) -> Refiner:
        """Raises ConfigError for a codec without refiner, WeightsError, DeviceError."""
        return _refiner(self.codec, self.device, self.plugins, options)


@cache
def _refiner(
    codec: str, device: Device, plugins: tuple[str, ...], options: RefineOptions
) -> Refiner:
    return Refiner(build_choice(codec, device, plugins), options, device)


@dataclass(frozen=True)
class Scores:
    """A picture through a variant. bpp: of the whole container that it was made of."""

    bpp: float
    psnr: float
    ms_ssim: float
    ssimulacra2: float
    st_lpips: float


@dataclass(frozen=True)
class Measured:
    """scores: None where a codec cannot go so low. patches: Features of the result's patches.

    given: What the bench's measures found, by name.
    """

    scores: Scores | None
    patches: Floats
    given: dict[str, Found]


class Picture:
    """An original, encoded once for each quality, and compared with what comes back."""

    def __init__(self, bench: Bench, subject: Subject) -> None:
        self.bench, self.subject = bench, subject
        self._streams: dict[float, bytes] = {}
        self._measurers: dict[Given, Callable[[Pixels], Found]] = {}
        self._last = lru_cache(maxsize=1)(lambda quality, variant: self.decode(quality, variant))

    @cached_property
    def pixels(self) -> Pixels:
        """Upright, (H, W, 1 or 3), without alpha."""
        return np.ascontiguousarray(colour(load_pixels(self.subject.ref, self.bench.max_pixels)))

    @cached_property
    def original(self) -> Original:
        """Picture that others are compared with."""
        return Original(self.pixels)

    def originals(self) -> Measured:
        """What describes the original itself, the patches of every measure that has some."""
        key = self._key("original")
        kept = self._kept(key, lambda: {"patches": _half(patch_features(self.pixels))})
        given = {
            one.measure.name: self._given(one, "original", lambda: self.pixels)
            for one in self.bench.given
            if one.measure.of_patches
        }
        return Measured(None, kept["patches"].astype(np.float32), given)

    def measure(self, quality: float, variant: Variant) -> Measured:
        """Scores and features, from the folder if they are there. Raises EncodeError, ..."""
        about = {"quality": float(quality), **self._identity(variant)}
        kept = self._kept(self._key(about), lambda: self._measured(quality, variant))
        scores = json.loads(str(kept["scores"]))
        patches = kept["patches"].astype(np.float32)
        if scores is None:
            return Measured(None, patches, {})
        given = {
            one.measure.name: self._given(one, about, lambda: self._pixels(quality, variant))
            for one in self.bench.given
        }
        return Measured(Scores(**scores), patches, given)

    def stream(self, quality: float) -> bytes:
        """The codec's."""
        if quality not in self._streams:
            codec = self.bench.build(self.bench.codec)
            (encoded,) = codec.encode([self.pixels], Target(quality=quality))
            self._streams[quality] = encoded.bitstream
        return self._streams[quality]

    def bpp(self, stream: bytes) -> float:
        """Bits per pixel of a container."""
        return 8 * len(stream) / (self.subject.width * self.subject.height)

    def decode(self, quality: float, variant: Variant) -> tuple[Pixels, bytes] | None:
        """The picture, and the stream that it was made of; None if a peer cannot go so low."""
        stream = self.stream(quality)
        if variant.refine:
            return self.bench.refiner(variant.refine).refine(stream).pixels, stream
        if not variant.peer:
            return self.bench.build(self.bench.codec).decode([stream])[0], stream
        peer = self.bench.build(variant.peer)
        try:
            (encoded,) = peer.encode([self.pixels], Target(max_bpp=self.bpp(stream)))
        except TargetMissedError:
            return None
        return peer.decode([encoded.bitstream])[0], encoded.bitstream

    def _measured(self, quality: float, variant: Variant) -> Arrays:
        found = self._last(quality, variant)
        if found is None:
            empty = np.zeros((0, DIMENSIONS), np.float16)
            return {"scores": np.array("null"), "patches": empty}
        pixels, stream = self._pixels(quality, variant), found[1]
        similarity = ms_ssim(self.pixels, pixels)
        look = ssimulacra2(self.pixels, pixels)
        # too small pictures were left out
        assert similarity is not None
        assert look is not None
        scores = Scores(
            bpp=self.bpp(stream),
            psnr=psnr(self.pixels, pixels),
            ms_ssim=similarity,
            ssimulacra2=look,
            st_lpips=self.original.st_lpips(pixels),
        )
        kept = np.array(json.dumps(asdict(scores)))
        return {"scores": kept, "patches": _half(patch_features(pixels))}

    def _pixels(self, quality: float, variant: Variant) -> Pixels:
        """Without alpha; what was decoded last is not decoded again."""
        found = self._last(quality, variant)
        assert found is not None  # a peer that cannot go so low has no scores
        return np.ascontiguousarray(colour(found[0]))

    def _given(self, one: Given, about: object, decode: Callable[[], Pixels]) -> Found:
        """A measure's own file, so that another measure, later, is all that is done then."""

        def found() -> Arrays:
            if one not in self._measurers:
                self._measurers[one] = one.against(self.pixels)
            return {"found": self._measurers[one](decode())}

        return self._kept(self._key([about, one.measure.name, one.sha256]), found)["found"]

    def _identity(self, variant: Variant) -> dict[str, Any]:
        """What a result depends on."""
        codecs = [self.bench.build(self.bench.codec)]
        about: dict[str, Any] = {"variant": variant.name}
        if variant.peer:
            codecs.append(self.bench.build(variant.peer))
        if variant.refine:
            refiner = self.bench.refiner(variant.refine)
            about |= {"weights": refiner.weights_sha256, "device": refiner.device}
            about |= variant.refine.model_dump(mode="json", exclude={"weights"})
        return about | {"codecs": [codec.spec.fingerprint for codec in codecs]}

    def _key(self, about: object) -> str:
        ref = self.subject.ref
        text = json.dumps([FORMAT, ref.uri, ref.version, about], sort_keys=True)
        return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()

    def _kept(self, key: str, measure: Callable[[], Arrays]) -> Arrays:
        """From its file, which is written first if it is not there."""
        path = self.bench.folder / f"{key[:32]}.npz"
        if not path.exists():
            found = measure()
            self.bench.folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(f".{os.getpid()}")
            with unfinished.open("wb") as file:
                np.savez_compressed(file, **found)  # type: ignore[arg-type]
            unfinished.replace(path)
        with np.load(path, allow_pickle=False) as kept:
            return dict(kept)


def _half(patches: Floats) -> npt.NDArray[np.float16]:
    return patches.astype(np.float16)
