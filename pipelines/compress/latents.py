"""Embeddings and latents beside the bitstreams, whatever codec wrote those."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from glassplate.codecs import CodecSpec, Pixels
from glassplate.codecs.base import Latent, colour
from glassplate.codecs.embedding import DIMENSIONS, embedding
from glassplate.codecs.errors import (
    BitstreamError,
    GlassplateError,
    OutOfMemoryError,
    TooManyPixelsError,
    UnsupportedImageError,
)
from glassplate.codecs.memory import memory_errors
from glassplate.pipelines.archive.format.schema import TROUBLES, BitstreamRow, LatentRow
from glassplate.pipelines.archive.read.picture import from_file
from glassplate.pipelines.archive.read.reader import open_archive
from glassplate.pipelines.compress.changes.carried import Carried, carried_rows
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.latents_model import latents_model
from glassplate.pipelines.errors import ShardDamagedError
from glassplate.pipelines.pictures.ingest import Picture
from glassplate.pipelines.storage.store import Store

logger = logging.getLogger(__name__)

_NOT_SHOWN = (TooManyPixelsError, UnsupportedImageError)
"""What says that a kept file has no pixels to make a latent of; all else may be another day."""


@dataclass(frozen=True)
class Original:
    """A source file, its id (sha256 of the bytes) and what `ingest` made of it."""

    image_id: str
    data: bytes
    picture: Picture


class Latents:
    """Makes the rows of the latents table for one run's options. Build one for each worker.

    `none` makes none. `embedding` makes a small vector for each picture that has pixels, with the
    latent of the run's codec where it has one. `vae` adds the latent of an autoencoder, also for
    files that are kept, which are shown with 8 bits a sample for it.
    """

    def __init__(self, config: CompressConfig) -> None:
        """Raises WeightsError, DeviceError, MissingExtraError."""
        self._config = config
        self._model = latents_model(config)

    @property
    def specs(self) -> list[CodecSpec]:
        """The autoencoder's, if there is one."""
        return [self._model.spec] if self._model else []

    @property
    def models(self) -> dict[str, str]:
        """Its fingerprint and name."""
        return {spec.fingerprint: spec.name for spec in self.specs}

    @property
    def weights(self) -> dict[str, Path]:
        """Its fingerprint and weight file."""
        return {self._model.spec.fingerprint: self._model.weights_path} if self._model else {}

    def row(self, original: Original, own: Latent | None) -> LatentRow | None:
        """The row of a picture; own: the latent that its codec gave. None: nothing is wanted."""
        pixels = original.picture.pixels
        if self._config.latents == "none" or (pixels is None and not self._model):
            return None
        if pixels is not None:
            return self._row(original.image_id, pixels, own)
        try:
            with memory_errors(original.image_id):
                return self._row(original.image_id, self._shown(original), own)
        except GlassplateError as error:  # the file is kept all the same; the next run tries again
            logger.warning("no latent: %s", error)
            return None

    def of_stored(self, carried: Sequence[Carried], store: Store) -> Iterator[LatentRow]:
        """Latents of pictures that are stored already, from what the archive gives back."""
        wanted = [one for one in carried if one.latent]
        if not wanted or not self._model:
            return
        archive = open_archive(store.url, max_pixels=self._config.max_pixels)
        for row in carried_rows(store, wanted):
            image_id, pixels = row.image_id or "", None
            try:
                with memory_errors(image_id):
                    if row.reason not in TROUBLES:  # what killed a process is not opened again
                        with suppress(*_NOT_SHOWN):
                            pixels = _pixels(archive.get(image_id, lossy=True))
                    latent = self._row(image_id, pixels, None)
            except (BitstreamError, ShardDamagedError, OutOfMemoryError) as error:
                logger.warning("no latent: %s", error)  # the next run tries again
                continue
            yield latent

    def _row(self, image_id: str, pixels: Pixels | None, own: Latent | None) -> LatentRow:
        """pixels: None for what cannot be shown; the row says that the model was asked."""
        if pixels is None:
            return LatentRow(image_id, [0.0] * DIMENSIONS, model=next(iter(self.models), None))
        vector = [float(value) for value in embedding(colour(pixels))]
        latent, model = own, None
        if latent is None and self._model:
            latent = self._model.stored_latents([colour(pixels)])[0]
            model = self._model.spec.fingerprint
        if latent is None:
            return LatentRow(image_id, vector)
        values = latent.values.byteswap() if sys.byteorder == "big" else latent.values
        return LatentRow(
            image_id,
            vector,
            values.tobytes(),
            list(values.shape),
            latent.dtype,
            None if latent.scale is None else [float(value) for value in latent.scale],
            latent.scaling_factor,
            latent.shift_factor,
            model,
        )

    def _shown(self, original: Original) -> Pixels | None:
        """A kept file as 8-bit pixels; None where it cannot be shown."""
        bare = BitstreamRow(original.image_id, b"")
        name = original.image_id
        limit = self._config.max_pixels
        with suppress(*_NOT_SHOWN):
            return _pixels(from_file(original.data, bare, None, name, lossy=True, max_pixels=limit))
        return None


def _pixels(picture: Image.Image) -> Pixels:
    """(H, W, 3) uint8; deeper samples are scaled to 8 bits."""
    if picture.mode.startswith(("I", "F")):
        samples = np.asarray(picture).astype(np.float32)
        low, high = (
            (0, 65535) if picture.mode.startswith("I;16") else (samples.min(), samples.max())
        )
        scaled = (samples - low) * (255 / max(float(high - low), 1e-9))
        picture = Image.fromarray(np.clip(scaled.round(), 0, 255).astype(np.uint8))
    return np.asarray(picture.convert("RGB"))
