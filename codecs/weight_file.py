"""Weight files of all our models: safetensors, with what they are in the metadata.

Nothing in a weight file is ever executed; what is not sound, or not finite, is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from glassplate.codecs.errors import WeightsError

T = TypeVar("T")

HALF_FROM = 4096
"""Tensors with at least as many values are stored as float16."""

SHIPPED = Path(__file__).parent / "weights"

_UNSOUND = (SafetensorError, RuntimeError, TypeError, KeyError, ValueError)
"""What reading a file raises, or building a model from one that is not what it says."""


@dataclass(frozen=True)
class WeightFile:
    """A weight file as it was read. sha256: Of its bytes (hex)."""

    path: Path
    sha256: str
    metadata: Mapping[str, str]
    tensors: Mapping[str, Tensor]

    def floats(self) -> dict[str, Tensor]:
        """All tensors as float32."""
        return {name: value.float() for name, value in self.tensors.items()}


def shipped_or_given(weights: Path | None, name: str) -> Path:
    """Where a weight file has to be: among the shipped ones, in a folder, or the file itself."""
    folder = SHIPPED if weights is None else weights
    return folder / name if folder.is_dir() else folder


def find_size(codec: str, weights: Path | None, size: str) -> Path:
    """The weight file of a codec's size. Raises WeightsError if there is none."""
    path = shipped_or_given(weights, f"{codec}-{size}.safetensors")
    if not path.is_file():
        raise WeightsError(
            f"no weights of size {size!r}",
            "Choose a size that is shipped, or name a weight file or its folder.",
            str(path),
        )
    return path


def loader(build: Callable[[WeightFile], T]) -> Callable[[Path], T]:
    """A function that reads a weight file and builds from it, once for each content.

    It raises WeightsError for anything but a sound file with finite values; `build` may raise
    RuntimeError, TypeError, KeyError and ValueError for what is not as it should be.
    """

    @cache
    def of_content(path: Path, sha256: str) -> T:
        try:
            return build(_read(path, sha256))
        except _UNSOUND as error:
            fix = "Train or fetch others."
            raise WeightsError(f"not sound ({error})", fix, str(path)) from error

    def load(path: Path) -> T:
        return of_content(path, digest(path))

    load.__doc__ = build.__doc__
    return load


def _read(path: Path, sha256: str) -> WeightFile:
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name, value in tensors.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise WeightsError(f"{name} is not finite", "Use sound weights.", str(path))
    return WeightFile(path, sha256, metadata, tensors)


def save_weights(
    path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str], half_from: int = HALF_FROM
) -> str:
    """Write a weight file, large float tensors as float16; returns its sha256 (hex)."""
    halved = {
        name: value.half() if value.is_floating_point() and value.numel() >= half_from else value
        for name, value in tensors.items()
    }
    save_file({name: value.contiguous() for name, value in halved.items()}, path, metadata)
    return digest(path)


def digest(path: Path) -> str:
    """sha256 (hex) of a file. Raises WeightsError if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        cause = f"not sound ({error.strerror})"
        raise WeightsError(cause, "Name a weight file or its folder.", str(path)) from error
