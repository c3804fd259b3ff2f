"""What a codec is: a frozen spec, `encode` to a target, `decode` whole or by region.

The two kinds, and what flows through them:

    Pixels       -> Codec.encode          -> Encoded.bitstream -> Codec.decode          -> Pixels
    source bytes -> FileCodec.encode_file -> bitstream         -> FileCodec.decode_file -> bytes
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    Protocol,
    Self,
    TypeAlias,
    runtime_checkable,
)

from pydantic import BaseModel, ConfigDict, Field, model_validator

from glassplate.codecs.errors import DeviceError
from glassplate.codecs.option import Option

if TYPE_CHECKING:  # commands that touch no pixels do without
    import numpy as np
    import numpy.typing as npt

Pixels: TypeAlias = "npt.NDArray[np.uint8]"
"""One picture: (height, width, channels), 8 bit. Channels are 1 (grey), 2 (grey and alpha), 3 (RGB)
or 4 (RGB and alpha); alpha is straight, not premultiplied."""

Device: TypeAlias = Literal["auto", "cpu", "cuda"]


class Target(BaseModel):
    """What an encoded picture has to reach. At most one of the five; none: the codec's default.

    quality: the codec's own scale, 0 (smallest) to 100 (best).
    psnr: at least this many dB over all colour channels of the 8-bit picture.
    ms_ssim: at least this MS-SSIM; a picture with a side under 161 pixels has none, and misses it.
    ssimulacra2: at least this SSIMULACRA2 (90: not to be told apart); one under 8 pixels has none.
    max_bpp: at most this many bits per pixel, container included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    quality: Annotated[
        float | None,
        Option("0 (smallest) to 100 (best), on the codec's own scale."),
        Field(ge=0, le=100),
    ] = None
    psnr: Annotated[
        float | None,
        Option("At least this many dB for every picture.", name="target_psnr"),
        Field(gt=0, le=100),
    ] = None
    ms_ssim: Annotated[
        float | None,
        Option("At least this MS-SSIM, 0 to 1, for every picture.", name="target_ms_ssim"),
        Field(gt=0, le=1),
    ] = None
    ssimulacra2: Annotated[
        float | None,
        Option(
            "At least this SSIMULACRA2 for every picture: 90 looks the same, 70 is good.",
            name="target_ssimulacra2",
        ),
        Field(ge=0, le=100),
    ] = None
    max_bpp: Annotated[
        float | None, Option("At most this many bits per pixel."), Field(gt=0, le=64)
    ] = None

    @model_validator(mode="after")
    def _one_at_most(self) -> Self:
        named = self.model_dump(exclude_none=True)
        if len(named) > 1:
            known = ", ".join(type(self).model_fields)
            raise ValueError(f"choose one of {known}; got {', '.join(named)}")
        return self

    def __str__(self) -> str:
        for name, value in self.model_dump(exclude_none=True).items():
            return f"{name}={value:g}"
        return "default"


class Region(BaseModel):
    """A rectangle in pixels of the upright picture: left, top, width, height."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    x: int = Field(ge=0)
    y: int = Field(ge=0)
    width: int = Field(gt=0)
    height: int = Field(gt=0)

    @property
    def right(self) -> int:
        """The first column beyond it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row beyond it."""
        return self.y + self.height


@dataclass(frozen=True)
class CodecSpec:
    """Everything that decides how a codec writes and reads its bitstreams.

    params are the JSON-able fields of the codec's frozen config; weights_sha256 names the
    weight file, for codecs that have one.
    """

    name: str
    version: int = 1
    params: Mapping[str, Any] = field(default_factory=dict)
    weights_sha256: str | None = None

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces."""
        document = {
            "name": self.name,
            "version": self.version,
            "params": dict(self.params),
            "weights_sha256": self.weights_sha256,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> CodecSpec:
        """Inverse of `to_json`. Raises ValueError or TypeError on anything else."""
        return cls(**json.loads(text))

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of the canonical JSON. Bitstreams carry its first 8 bytes."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def short_fingerprint(self) -> bytes:
        """The first 8 bytes of the fingerprint, as containers carry it."""
        return bytes.fromhex(self.fingerprint[:16])


@dataclass(frozen=True)
class Latent:
    """One picture's latent, as it is stored for those who work on latents.

    values: (C, h, w); bfloat16 as its bits, uint16.
    dtype: As numpy names it, or bfloat16.
    scale: (C,) by which integers are multiplied.
    scaling_factor, shift_factor: The network's own latent is value / scaling_factor + shift_factor,
        as diffusers names them; None where the two are the same.
    """

    values: npt.NDArray[np.generic]
    dtype: str
    scale: npt.NDArray[np.float32] | None = None
    scaling_factor: float | None = None
    shift_factor: float | None = None


@dataclass(frozen=True)
class Candidate:
    """What one codec of several takes, or would take, for a picture.

    codec: with its options, as `avif:subsampling=4:4:4`.
    bytes: of the container; None if it cannot hold the picture or misses the target.
    how: stored, tried (searched to the end), predicted (from fewer trials), missed or refused.
    """

    codec: str
    bytes: int | None
    how: Literal["stored", "tried", "predicted", "missed", "refused"]


@dataclass(frozen=True)
class Encoded:
    """One encoded picture.

    bitstream: a whole container (see `bitstream`); everything needed to decode, given the spec.
    quality: the setting on the codec's 0-100 scale that was used.
    latent: where the codec is about latents, these, else None.
    spec: of the codec whose stream it is, where another than the one that was asked.
    candidates: that it was chosen from, if it was.
    """

    bitstream: bytes
    quality: float
    latent: Latent | None = None
    spec: CodecSpec | None = None
    candidates: tuple[Candidate, ...] = ()


@runtime_checkable
class Codec(Protocol):
    """A codec of pixels. Implementations are cheap to build and hold no per-picture state.

    One with weights (spec.weights_sha256) also has `weights_path: Path`, the safetensors file.
    """

    spec: CodecSpec

    def refuses(self, width: int, height: int, channels: int) -> str | None:
        """Why a picture of this shape cannot be held (one clause), or None if it can."""
        ...

    def encode(self, images: Sequence[Pixels], target: Target) -> list[Encoded]:
        """Encode pictures of any sizes. Raises EncodeError, UnsupportedImageError."""
        ...

    def decode(self, bitstreams: Sequence[bytes], region: Region | None = None) -> list[Pixels]:
        """Decode whole pictures, or the same region of each. Raises BitstreamError."""
        ...


@runtime_checkable
class ChoosingCodec(Codec, Protocol):
    """A codec that chooses among others for each picture, and has no bitstreams of its own."""

    def writers(self, target: Target) -> Sequence[Codec]:
        """Those whose streams it gives for a target."""
        ...

    def is_lossless(self, target: Target) -> bool:
        """Whether the target asks for every pixel as it is."""
        ...


@runtime_checkable
class FileCodec(Protocol):
    """A bit-exact tier: the source file comes back byte for byte."""

    spec: CodecSpec

    def refuses_file(self, data: bytes) -> str | None:
        """Why these bytes cannot be held (one clause), or None if they can."""
        ...

    def encode_file(self, data: bytes) -> bytes:
        """Source bytes to a container. Raises EncodeError."""
        ...

    def decode_file(self, bitstream: bytes) -> bytes:
        """The source bytes, exactly. Raises BitstreamError."""
        ...


def crop(image: Pixels, region: Region | None) -> Pixels:
    """The region of a (H, W, C) picture, clipped to it; the picture itself for None.

    Raises ValueError for a region that lies outside the picture.
    """
    if region is None:
        return image
    if region.y >= image.shape[0] or region.x >= image.shape[1]:
        raise ValueError(f"the region lies outside the {image.shape[1]} x {image.shape[0]} picture")
    part = image[region.y : region.y + region.height, region.x : region.x + region.width]
    import numpy as np

    return np.ascontiguousarray(part)


def colour(image: Pixels) -> Pixels:
    """The channels of a picture without its alpha, as a view."""
    return image[..., :-1] if has_alpha(image) else image


def has_alpha(image: Pixels) -> bool:
    """Whether the last of the channels is alpha."""
    return image.shape[2] in (2, 4)


def resolve_device(device: Device) -> str:
    """'cpu' or 'cuda'. Raises DeviceError if a GPU is asked for by name and is not there."""
    if device == "cpu":
        return "cpu"
    import torch  # heavy; most commands never need it

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise DeviceError("no CUDA device is available", "Use --device cpu or --device auto.")
    return "cpu"
