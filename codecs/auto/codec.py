"""For each picture the smallest stream that meets the target, of those that several codecs write.

It stands among the codecs and not in the pipeline: everything that takes a codec (a run, its plan,
its settings and re-runs, evaluation) takes this one, and what it returns are ordinary streams of
the codec that won, which name it in their headers. An archive knows only that codec, by its spec
and, where it has them, its weights; a reader never hears of `auto`. What needs the source's file
and not its pixels (a JPEG transcoded bit for bit) is the pipeline's: see `compress/tiers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from glassplate.codecs.auto.race import Entrant, race
from glassplate.codecs.base import (
    Candidate,
    Codec,
    CodecSpec,
    Device,
    Encoded,
    Pixels,
    Region,
    Target,
)
from glassplate.codecs.container.bitstream import unpack
from glassplate.codecs.errors import BitstreamError, TargetMissedError, UnsupportedImageError
from glassplate.codecs.option import Option
from glassplate.codecs.registry import get_codec

Name = Literal["hyperprior", "jxl", "avif"]

_FOR_THE_EYE = ("hyperprior:tune=eye", "jxl", "avif:subsampling=4:4:4", "avif")
_FOR_SQUARED_ERRORS = ("hyperprior", "jxl", "avif:subsampling=4:4:4+tune=psnr", "avif:tune=psnr")
"""Candidates with their options, where those are not the defaults; the fastest first."""

_NEAR = {"hyperprior": 0.4, "jxl": 0.15}
"""Codecs of which qualities between whole ones make a difference, and what part of one is worth
another trial: 1 % of the bytes or so."""


class AutoConfig(BaseModel):
    """Options of the choice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidates: Annotated[
        tuple[Name, ...],
        Option("Codecs to choose from, by commas."),
        BeforeValidator(lambda value: value.split(",") if isinstance(value, str) else value),
        Field(min_length=1),
    ] = ("hyperprior", "jxl", "avif")
    exhaustive: Annotated[
        bool,
        Option(
            "Search with every candidate to the end, also with those that are not expected to win:"
            " a few times slower, and hardly smaller."
        ),
    ] = False


class AutoCodec:
    """The best of `hyperprior`, `jxl` and `avif` (4:2:0 and 4:4:4) for each picture.

    For the eye (SSIMULACRA2, MS-SSIM, a quality) those are tuned for it, `hyperprior` and `avif`
    for squared errors where the target is PSNR. A quality is a target for SSIMULACRA2, 0 to 100,
    and 100 is lossless, by `jxl`. With a bit budget, whose streams all have about the same size,
    the one of the highest SSIMULACRA2 is taken.
    """

    Config: ClassVar[type[BaseModel]] = AutoConfig
    name: ClassVar[str] = "auto"
    summary: ClassVar[str] = "For each picture the smallest of hyperprior, jxl, avif and jxl-jpeg"
    source: ClassVar[str] = "those of the codecs that it chooses from"
    default_quality: ClassVar[float] = 80

    def __init__(
        self,
        config: AutoConfig | None = None,
        device: Device = "auto",
        weights: Path | None = None,
    ) -> None:
        """weights: of `hyperprior`. Raises WeightsError, DeviceError."""
        self.config = config or AutoConfig()
        self._place = device
        self._weights = weights
        self._built: dict[str, Codec] = {}
        learned = self._build(_FOR_THE_EYE[0]) if "hyperprior" in self.config.candidates else None
        self.device: str = getattr(learned, "device", "cpu")
        self.weights_path: Path | None = getattr(learned, "weights_path", None)
        self.spec = CodecSpec(
            self.name,
            params=self.config.model_dump(mode="json"),
            weights_sha256=learned.spec.weights_sha256 if learned else None,
        )

    def writers(self, target: Target) -> Sequence[Codec]:
        """The codecs whose streams it gives for a target."""
        return [self._build(label) for label in self._labels(target)]

    def is_lossless(self, target: Target) -> bool:
        """Whether the target asks for every pixel as it is: quality 100."""
        return target.quality is not None and target.quality >= 100

    def refuses(self, width: int, height: int, channels: int) -> str | None:
        """What no candidate holds, for the reason that the first one has."""
        reasons = [
            codec.refuses(width, height, channels) for codec in self.writers(Target(quality=80))
        ]
        return reasons[0] if all(reasons) else None

    def encode(self, images: Sequence[Pixels], target: Target) -> list[Encoded]:
        """Pictures of any sizes, each by the codec that is best for it.

        Raises TargetMissedError if no candidate reaches the target.
        """
        return [self._encode(image, target) for image in images]

    def decode(self, bitstreams: Sequence[bytes], region: Region | None = None) -> list[Pixels]:
        """Whole pictures, or the same region of each, by the codecs that their headers name."""
        return [self._writer(data).decode([data], region)[0] for data in bitstreams]

    def _encode(self, image: Pixels, target: Target) -> Encoded:
        height, width, channels = image.shape
        refused, entrants = [], []
        for label, codec in zip(self._labels(target), self.writers(target), strict=True):
            if codec.refuses(width, height, channels):
                refused.append(Candidate(label, None, "refused"))
            elif not (channels == 1 and "4:4:4" in label):  # no chroma: the same as 4:2:0
                near = _NEAR.get(codec.spec.name, 1)
                entrants.append(Entrant(label, codec, image, self._aim(target), near))
        if not entrants:
            raise UnsupportedImageError("no candidate holds such a picture", "Keep its file.")
        if self.is_lossless(target):
            (entrant,) = entrants
            (encoded,) = entrant.codec.encode([image], target)
            found = [Candidate(entrant.label, len(encoded.bitstream), "stored")]
            return _named(encoded, entrant.codec, found + refused)
        winner = race(entrants, exhaustive=self.config.exhaustive)
        if winner is None or winner.best is None:
            raise TargetMissedError(
                f"no candidate reaches {target}", "Choose a less strict target."
            )
        found = [entrant.candidate(winner, entrants) for entrant in entrants]
        return _named(winner.best, winner.codec, found + refused)

    def _aim(self, target: Target) -> Target:
        """The target with qualities as what they mean here."""
        if target == Target():
            target = Target(quality=self.default_quality)
        return target if target.quality is None else Target(ssimulacra2=target.quality)

    def _labels(self, target: Target) -> list[str]:
        """The candidates for a target, with their options."""
        if self.is_lossless(target):
            return ["jxl"]
        labels = _FOR_THE_EYE if target.psnr is None else _FOR_SQUARED_ERRORS
        return [label for label in labels if label.partition(":")[0] in self.config.candidates]

    def _build(self, label: str) -> Codec:
        """The codec of a label, built when it is first needed."""
        if label not in self._built:
            name, _, rest = label.partition(":")
            options = dict(part.split("=", 1) for part in rest.split("+")) if rest else {}
            weights = self._weights if name == "hyperprior" else None
            codec: Any = get_codec(name, device=self._place, weights=weights, options=options)
            self._built[label] = codec
        return self._built[label]

    @cached_property
    def _all(self) -> dict[bytes, Codec]:
        """Every codec whose streams it may have given, by the fingerprint in their headers."""
        targets = (Target(quality=80), Target(psnr=40), Target(quality=100))
        codecs = [codec for target in targets for codec in self.writers(target)]
        return {codec.spec.short_fingerprint: codec for codec in codecs}

    def _writer(self, bitstream: bytes) -> Codec:
        header = unpack(bitstream).header
        codec = self._all.get(header.fingerprint)
        if codec is None:
            raise BitstreamError(
                f"written by {header.codec} {header.fingerprint.hex()}, none of the candidates",
                "Build the codec from the spec it was written with.",
                "header",
            )
        return codec


def _named(encoded: Encoded, codec: Codec, candidates: Sequence[Candidate]) -> Encoded:
    return Encoded(
        encoded.bitstream, encoded.quality, encoded.latent, codec.spec, tuple(candidates)
    )
