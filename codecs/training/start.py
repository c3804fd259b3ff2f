"""Weights that a run starts from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from glassplate.codecs.errors import WeightsError
from glassplate.codecs.training.config import TrainConfig


def start_weights(
    config: TrainConfig,
    find: Callable[[Path | None], Path],
    config_of: Callable[[Path], object],
    sizes: Mapping[str, object],
) -> Path | None:
    """The weight file that training starts from; None: it starts anew.

    Args:
        config: Says which: a file, its folder, "shipped", or none.
        find: From a file or folder to the file, from None to the shipped one.
        config_of: The configuration of the model in a file.
        sizes: Configurations by name.

    Raises WeightsError for weights that are not there, unsound, or of another size.
    """
    if config.start is None:
        return None
    path = find(None if config.start == "shipped" else Path(config.start))
    if config_of(path) != sizes[config.size]:
        raise WeightsError(
            f"are not weights of size {config.size!r}",
            "Give the --size that they have.",
            str(path),
        )
    return path
