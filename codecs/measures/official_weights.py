"""Weight files of measures that are not shipped; a user gives them, as they were published.

A file is known by its sha256, so that values stay comparable, and only tensors are read.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from glassplate.codecs.errors import WeightsError

Shapes = Mapping[str, tuple[int, ...]]
_DAMAGED = (pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError)


@dataclass(frozen=True)
class OfficialFile:
    """A file as it was published.

    origin: Who has it. sha256: Its hexadecimal digits, or the first ones, which its name tells.
    shapes: Shapes of the tensors that are needed; others are left alone.
    """

    name: str
    origin: str
    sha256: str
    shapes: Shapes = field(hash=False, repr=False)

    def digest(self, folder: Path) -> str:
        """The sha256 of the file in a folder. Raises WeightsError if it is another file."""
        path = folder / self.name
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise WeightsError(
                f"cannot be read ({error.strerror})", self._fix, str(path)
            ) from error
        if not found.startswith(self.sha256):
            digits = found[: len(self.sha256)]
            cause = f"is not the official file: its sha256 is {digits}, not {self.sha256}"
            raise WeightsError(cause, self._fix, str(path))
        return found

    def tensors(self, folder: Path) -> dict[str, Tensor]:
        """Those that are needed, by name. Raises WeightsError if the file is not sound."""
        self.digest(folder)
        path = folder / self.name
        try:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
        except _DAMAGED as error:
            raise WeightsError("holds no tensors by name", self._fix, str(path)) from error
        if not isinstance(loaded, dict):
            raise WeightsError("holds no tensors by name", self._fix, str(path))
        for name, shape in self.shapes.items():
            tensor = loaded.get(name)
            if not isinstance(tensor, Tensor) or tensor.shape != shape:
                cause = f"{name} is not a tensor of shape {'x'.join(map(str, shape))}"
                raise WeightsError(cause, self._fix, str(path))
        return {name: loaded[name].float() for name in self.shapes}

    @property
    def _fix(self) -> str:
        return f"Take {self.name} from {self.origin}."
