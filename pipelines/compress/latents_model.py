"""The model of the latents beside the bitstreams, and which pictures have its latents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from glassplate.codecs import get_codec
from glassplate.pipelines.archive.format.manifest import Snapshot
from glassplate.pipelines.archive.format.tables import open_table
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.storage.store import Store

if TYPE_CHECKING:
    from glassplate.codecs.vae.codec import VaeCodec


def latents_model(config: CompressConfig) -> VaeCodec | None:
    """The autoencoder whose latents are asked for. Raises WeightsError, DeviceError."""
    if config.latents != "vae":
        return None
    weights = Path(config.latents_weights) if config.latents_weights else None
    codec: VaeCodec = get_codec("vae", device=config.device, weights=weights)  # type: ignore[assignment]
    return codec


def with_latents(store: Store, snapshot: Snapshot, model: str) -> set[str]:
    """Ids of the pictures that have latents, the model's or their own codec's, or can have none."""
    own = pc.field("model").is_null() & pc.field("dtype").is_valid()
    chosen = own | (pc.field("model") == model)
    table = open_table(store, snapshot, "latents").to_table(["image_id"], filter=chosen)
    return set(table["image_id"].to_pylist())
