"""One picture through one codec at one quality: real bytes, quality of the result, time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from statistics import fmean

import numpy as np
import torch

from glassplate.codecs import Codec, Pixels, Target
from glassplate.codecs.base import Device, colour
from glassplate.codecs.errors import BitstreamError, EncodeError, UnsupportedImageError
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.measures.ssimulacra2 import ssimulacra2
from glassplate.codecs.measures.structure import ms_ssim
from glassplate.pipelines.codec_choice import build_choice
from glassplate.pipelines.pictures.ingest import ingest
from glassplate.pipelines.pictures.limits import DEFAULT_MAX_PIXELS
from glassplate.pipelines.sources.places.refs import SourceRef
from glassplate.pipelines.sources.reading import read_source

PSNR_CAP = 60.0
"""The most dB that one picture counts for in a mean; libvmaf's cap for 8 bit, 6 * 8 + 12."""


@dataclass(frozen=True)
class Setting:
    """A codec (see `build_choice`) and how to measure it; small, since it goes to every worker."""

    choice: str
    device: Device = "auto"
    plugins: tuple[str, ...] = ()
    ssimulacra2: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS


@dataclass(frozen=True)
class Subject:
    """A picture that all codecs are measured on."""

    name: str
    width: int
    height: int
    ref: SourceRef

    @property
    def megapixels(self) -> float:
        """Millions of pixels."""
        return self.width * self.height / 1e6


@dataclass(frozen=True)
class Point:
    """One picture through one codec at one quality. bpp is of the whole container."""

    picture: str
    quality: float
    bytes: int
    bpp: float
    psnr: float
    ms_ssim: float | None
    ssimulacra2: float | None
    encode_seconds: float
    decode_seconds: float


def load_pixels(ref: SourceRef, max_pixels: int) -> Pixels:
    """Upright pixels of a source file. Raises InputError, UnsupportedImageError (16 bit, CMYK)."""
    picture = ingest(read_source(ref), ref.name, max_pixels, whole=False)
    if picture.pixels is None:
        raise UnsupportedImageError(str(picture.keep_reason), subject=ref.name)
    return picture.pixels


def measure(setting: Setting, quality: float, picture: Subject) -> Point:
    """Encode and decode a picture. Raises InputError, EncodeError, BitstreamError."""
    pixels = load_pixels(picture.ref, setting.max_pixels)
    codec = _warm_codec(setting.choice, setting.device, setting.plugins)
    try:
        started = time.perf_counter()
        (encoded,) = codec.encode([pixels], Target(quality=quality))
        between = time.perf_counter()
        (decoded,) = codec.decode([encoded.bitstream])
        ended = time.perf_counter()
    except (EncodeError, BitstreamError) as error:
        where = f"{picture.name}, {setting.choice} at quality {quality:g}"
        raise type(error)(error.cause, error.fix, where) from error
    pixels, decoded = colour(pixels), colour(decoded)
    with _one_thread():
        similarity = ms_ssim(pixels, decoded)
    return Point(
        picture=picture.name,
        quality=quality,
        bytes=len(encoded.bitstream),
        bpp=8 * len(encoded.bitstream) / (picture.width * picture.height),
        psnr=psnr(pixels, decoded),
        ms_ssim=similarity,
        ssimulacra2=ssimulacra2(pixels, decoded) if setting.ssimulacra2 else None,
        encode_seconds=between - started,
        decode_seconds=ended - between,
    )


def mean_psnr(values: Iterable[float]) -> float:
    """Mean PSNR in dB over pictures, each of them at most `PSNR_CAP`; +inf if all are lossless.

    So a picture that comes back without loss leaves a mean that can be compared.
    """
    found = list(values)
    if all(value == math.inf for value in found):
        return math.inf
    return fmean(min(value, PSNR_CAP) for value in found)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Torch's threads spin while they wait: where cores are taken, two are far slower than one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@cache
def _warm_codec(choice: str, device: Device, plugins: tuple[str, ...]) -> Codec:
    """A codec that has coded a picture before: libraries loaded, kernels chosen."""
    codec = build_choice(choice, device, plugins)
    noise = np.random.default_rng(0).integers(0, 256, (192, 192, 3), dtype=np.uint8)
    codec.decode([codec.encode([noise], Target(quality=50))[0].bitstream])
    return codec
