"""Rows of the latents table as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def latent_of(row: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    """The latent of a row that has one: (C, h, w) float32, at about unit variance.

    Integers times the scale of their channel; the network's own latent is this divided by
    scaling_factor, plus shift_factor.
    """
    kind = "<u2" if row["dtype"] == "bfloat16" else np.dtype(row["dtype"]).newbyteorder("<")
    values = np.frombuffer(row["latent"], kind).reshape(row["shape"])
    if row["dtype"] == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    latent = values.astype(np.float32)
    if row["scale"] is not None:
        latent *= np.array(row["scale"], np.float32)[:, None, None]
    return latent
