"""Rows of the latents table as numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from glassplate.pipelines.errors import ShardDamagedError

_DTYPE = re.compile("u?int(8|16|32|64)|float(16|32|64)|bfloat16")


def latent_of(row: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    """The latent of a row that has one: (C, h, w) float32, at about unit variance.

    Integers times the scale of their channel; the network's own latent is this divided by
    scaling_factor, plus shift_factor. Raises ShardDamagedError for a row that no run writes.
    """
    try:
        return _latent_of(row)
    except (ValueError, TypeError) as error:
        cause = f"its latent cannot be read ({error})"
        raise ShardDamagedError(
            cause, "Run `glassplate verify`.", str(row.get("image_id"))
        ) from error


def _latent_of(row: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    if len(row["shape"]) != 3 or not _DTYPE.fullmatch(row["dtype"]):
        raise ValueError(f"shape {row['shape']}, dtype {row['dtype']!r}")
    kind = "<u2" if row["dtype"] == "bfloat16" else np.dtype(row["dtype"]).newbyteorder("<")
    values = np.frombuffer(row["latent"], kind).reshape(row["shape"])
    if row["dtype"] == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    latent = values.astype(np.float32)
    if row["scale"] is not None:
        latent *= np.array(row["scale"], np.float32)[:, None, None]
    return latent
