"""Weights that a run starts from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from glassplate.codecs.errors import WeightsError


def check_size(found: object, sizes: Mapping[str, object], size: str, path: Path) -> None:
    """Raises WeightsError if weights are of another size than the model that is to be trained.

    found: The configuration of the model in the file. sizes: Configurations by name.
    """
    if found != sizes[size]:
        raise WeightsError(
            f"are not weights of size {size!r}", "Give the --size that they have.", str(path)
        )
