"""How one picture is stored: by the codec that was asked for, or by a bit-exact tier.

pixels -> codec -> decoded again, measured -> smaller, and on target? -> encoded
             `-- no -> jxl-jpeg (JPEG files) -> original ------------> kept, with the reason

With codec `auto` the file of a JPEG, transcoded bit for bit, is one more candidate: it is stored
where it is no larger than the best of the others, or nothing may be lost.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glassplate.codecs import Codec, CodecSpec, Encoded, FileCodec, get_codec
from glassplate.codecs.base import Candidate, ChoosingCodec, Latent, colour, has_alpha
from glassplate.codecs.errors import (
    BitstreamError,
    EncodeError,
    TargetMissedError,
    UnsupportedImageError,
)
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.measures.ssimulacra2 import ssimulacra2
from glassplate.codecs.measures.structure import ms_ssim
from glassplate.pipelines.archive.format.schema import Status
from glassplate.pipelines.compress.changes.settings import Settings
from glassplate.pipelines.compress.codec import build_codec
from glassplate.pipelines.compress.config import CompressConfig, Measure
from glassplate.pipelines.compress.latents import Latents, Original
from glassplate.pipelines.pictures.ingest import Picture

logger = logging.getLogger(__name__)

_PSNR_TOLERANCE = 0.005  # dB: half a unit of the last digit that anybody reads
_MS_SSIM_TOLERANCE = 0.00005
_SSIMULACRA2_TOLERANCE = 0.05


@dataclass(frozen=True)
class Stored:
    """One stored picture; measures are None where they were not taken."""

    status: Status
    reason: str | None
    spec: CodecSpec
    bitstream: bytes
    bit_exact: bool
    verified: bool
    quality: float | None = None
    psnr: float | None = None
    ms_ssim: float | None = None
    ssimulacra2: float | None = None
    latent: Latent | None = None
    candidates: tuple[Candidate, ...] = ()


class Tiers:
    """The codec of a run and the bit-exact tiers under it. Build one for each worker."""

    def __init__(self, config: CompressConfig, latents: Latents | None = None) -> None:
        """latents: What others of the run have already."""
        self.config = config
        self.codec = build_codec(config)
        exact = [_file_codec("jxl-jpeg"), _file_codec("original")]
        if isinstance(self.codec, FileCodec):
            exact = [self.codec, exact[-1]]
        self.exact: Sequence[FileCodec] = exact
        self.latents = latents or Latents(config)
        self.writers: Sequence[Codec | FileCodec] = [self.codec]
        if isinstance(self.codec, ChoosingCodec):
            self.writers = self.codec.writers(config.target)
        self.settings = Settings.of(self.codec, config.target).fingerprint
        self._others = [Tiers(way, self.latents) for way in config.ways[1:]]

    def of(self, name: str) -> Tiers:
        """Those that a file's name goes to: of the first rule that matches, or these."""
        way = self.config.way_of(name)
        return self._others[way - 1] if way else self

    @property
    def specs(self) -> list[CodecSpec]:
        """Specs of all codecs that may appear in the run's rows."""
        mine = [codec.spec for codec in (*self.writers, *self.exact)] + self.latents.specs
        return mine + [spec for other in self._others for spec in other.specs]

    @property
    def weights(self) -> dict[str, Path]:
        """Fingerprint -> weight file of the codecs that have weights, and of the latents' model."""
        paths = {
            codec.spec.fingerprint: getattr(codec, "weights_path", None) for codec in self.writers
        }
        own = {fingerprint: path for fingerprint, path in paths.items() if path}
        own |= self.latents.weights
        return own | {key: path for other in self._others for key, path in other.weights.items()}

    def keep_reason(self, picture: Picture) -> str | None:
        """Why the pixel codec is not even tried; None: it is."""
        if picture.keep_reason or picture.pixels is None:
            return picture.keep_reason
        if isinstance(self.codec, FileCodec):
            return None
        height, width, channels = picture.pixels.shape
        if not self.codec.refuses(width, height, channels):
            return None
        return "alpha" if has_alpha(picture.pixels) else UnsupportedImageError.code

    def prefers_file(self, original: Original) -> bool:
        """Whether the file is to be stored as it is: a JPEG, of which nothing may be lost."""
        if isinstance(self.codec, FileCodec):
            return True
        if not isinstance(self.codec, ChoosingCodec):
            return False
        lossless = self.codec.is_lossless(self.config.target)
        return lossless and self.exact[0].refuses_file(original.data) is None

    def store_file(
        self, original: Original, reason: str | None, *, untouched: bool = False
    ) -> Stored:
        """Store the bytes, by the first tier that holds them and makes them no more.

        untouched: by that which does not look at what kind of file it is.

        Raises EncodeError if none does.
        """
        for codec in self.exact[-1:] if untouched else self.exact:
            try:
                if refusal := codec.refuses_file(original.data):
                    raise EncodeError(refusal)
                bitstream = codec.encode_file(original.data)
                is_last = codec.spec.name == self.exact[-1].spec.name
                if not is_last and len(bitstream) >= len(original.data):
                    raise EncodeError("it would be larger than the file")
            except EncodeError as error:
                logger.debug("%s: not held by %s: %s", original.image_id, codec.spec.name, error)
                continue
            asked_for = reason is None and (codec is self.codec or self._is_candidate(codec))
            verified = self._is_verified(original.image_id)
            if verified and codec.decode_file(bitstream) != original.data:
                raise BitstreamError("other bytes came back than were stored")
            return Stored(
                status="encoded" if asked_for else "kept",
                reason=None if asked_for else reason or UnsupportedImageError.code,
                spec=codec.spec,
                bitstream=bitstream,
                bit_exact=True,
                verified=verified,
                psnr=math.inf,
                ms_ssim=1.0,
                ssimulacra2=100.0,
            )
        raise EncodeError("no bit-exact tier holds the file", "Is it larger than 2 GiB?")

    def encode(self, originals: Sequence[Original]) -> list[Encoded]:
        """Encode a batch by the pixel codec. Raises what the codec raises."""
        codec: Any = self.codec
        images = [original.picture.pixels for original in originals]
        return list(codec.encode(images, self.config.target))

    def check(self, originals: Sequence[Original], encoded: Sequence[Encoded]) -> list[Stored]:
        """Decode a batch again, measure it, and choose each picture's tier.

        Raises BitstreamError if a picture does not come back.
        """
        chosen = [i for i, o in enumerate(originals) if self._is_verified(o.image_id)]
        codec: Any = self.codec
        decoded = dict(
            zip(chosen, codec.decode([encoded[i].bitstream for i in chosen]), strict=True)
        )
        return [
            self._choose(original, stream, decoded.get(i))
            for i, (original, stream) in enumerate(zip(originals, encoded, strict=True))
        ]

    def _choose(self, original: Original, stream: Encoded, decoded: Any) -> Stored:
        picture = original.picture
        quality = similarity = look = None
        if decoded is not None:
            if picture.pixels is None or decoded.shape != picture.pixels.shape:
                raise BitstreamError("a picture of another shape came back")
            if has_alpha(decoded) and (decoded[..., -1] != picture.pixels[..., -1]).any():
                raise BitstreamError("another alpha came back than was stored")
            quality = psnr(colour(picture.pixels), colour(decoded))
            if self._measures("ms_ssim"):
                similarity = ms_ssim(colour(picture.pixels), colour(decoded))
            if self._measures("ssimulacra2"):
                look = ssimulacra2(picture.pixels, decoded)
        if file := self._smaller_file(original, stream):
            return file
        if reason := self._shortfall(original, stream, quality, similarity, look):
            return replace(self.store_file(original, reason), candidates=_not_stored(stream))
        return Stored(
            status="encoded",
            reason=None,
            spec=stream.spec or self.codec.spec,
            bitstream=stream.bitstream,
            bit_exact=False,
            verified=decoded is not None,
            quality=stream.quality,
            psnr=quality,
            ms_ssim=similarity,
            ssimulacra2=look,
            latent=stream.latent,
            candidates=stream.candidates,
        )

    def _is_candidate(self, codec: FileCodec) -> bool:
        """Whether a bit-exact tier is what was asked for, too."""
        return isinstance(self.codec, ChoosingCodec) and codec is self.exact[0]

    def _smaller_file(self, original: Original, stream: Encoded) -> Stored | None:
        """The file of a JPEG, where `auto` may choose it, meets the target, and is no larger."""
        if not isinstance(self.codec, ChoosingCodec) or self.exact[0].refuses_file(original.data):
            return None
        file = self.store_file(original, None)
        if file.spec != self.exact[0].spec:
            return None
        picture, budget = original.picture, self.config.target.max_bpp
        size = len(file.bitstream)
        if budget is None:
            smaller = size <= len(stream.bitstream) + picture.metadata_bytes
        else:
            smaller = 8 * size <= budget * (picture.width or 0) * (picture.height or 0)
        if not smaller:
            return None
        mine = Candidate(file.spec.name, size, "stored")
        return replace(file, candidates=(mine, *_not_stored(stream)))

    def _measures(self, name: Measure) -> bool:
        """Whether a measure is wanted for its own sake, or is the target."""
        return name in self.config.measures or getattr(self.config.target, name) is not None

    def _shortfall(
        self,
        original: Original,
        stream: Encoded,
        quality: float | None,
        similarity: float | None,
        look: float | None,
    ) -> str | None:
        """Why an encoded picture is not used: it is no smaller, or misses its target."""
        picture, target = original.picture, self.config.target
        if len(stream.bitstream) + picture.metadata_bytes >= len(original.data):
            return "not-smaller"
        pixels = (picture.width or 0) * (picture.height or 0)
        missed = (
            _under(quality, target.psnr, _PSNR_TOLERANCE)
            or _under(similarity, target.ms_ssim, _MS_SSIM_TOLERANCE)
            or _under(look, target.ssimulacra2, _SSIMULACRA2_TOLERANCE)
            or (target.max_bpp and 8 * len(stream.bitstream) > target.max_bpp * pixels)
        )
        return TargetMissedError.code if missed else None

    def _is_verified(self, image_id: str) -> bool:
        """Chosen by the id, so that a retry or another worker chooses the same."""
        return int(image_id[:8], 16) < self.config.verify_fraction * 2**32


def _not_stored(stream: Encoded) -> tuple[Candidate, ...]:
    """The candidates of a stream that is not used."""
    return tuple(
        replace(one, how="tried") if one.how == "stored" else one for one in stream.candidates
    )


def _under(measured: float | None, target: float | None, tolerance: float) -> bool:
    """Whether a measure that was taken misses a target that was set."""
    return target is not None and measured is not None and measured < target - tolerance


def _file_codec(name: str) -> FileCodec:
    codec = get_codec(name)
    assert isinstance(codec, FileCodec)
    return codec
