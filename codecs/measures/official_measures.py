"""Measures whose weights we may not ship: they are used when a user gives the official files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glassplate.codecs.base import Pixels
from glassplate.codecs.errors import WeightsError
from glassplate.codecs.measures import dists, inception, lpips
from glassplate.codecs.measures.feature_distance import Original
from glassplate.codecs.measures.frechet import frechet_distance
from glassplate.codecs.measures.official_weights import OfficialFile

Found = npt.NDArray[np.floating]
"""Finding of one picture: () its distance from the original, or (N, D) features of its patches."""


@dataclass(frozen=True)
class Measure:
    """What is measured with which files, all of them; lower is better.

    network: Made of their tensors. of_patches: Not between pictures, but between all patches.
    """

    name: str
    label: str
    files: tuple[OfficialFile, ...]
    network: Callable[..., Any]
    of_patches: bool = False


MEASURES = (
    Measure("lpips", "LPIPS 0.1 (AlexNet)", (lpips.TRUNK, lpips.LINEAR), lpips.Network),
    Measure("dists", "DISTS", (dists.TRUNK, dists.LINEAR), dists.Network),
    Measure(
        "fid_256",
        f"FID over {inception.PATCH}x{inception.PATCH} patches",
        (inception.TRUNK,),
        inception.Network,
        of_patches=True,
    ),
)


@dataclass(frozen=True)
class Given:
    """A measure whose files are all in a folder. sha256: Of each file."""

    measure: Measure
    folder: Path
    sha256: tuple[str, ...]

    def load(self) -> Any:
        """The network, read once. Raises WeightsError if a file is not sound."""
        return _load(self)

    def against(self, original: Pixels) -> Callable[[Pixels], Found]:
        """What measures pictures decoded from this original."""
        network = self.load()
        if self.measure.of_patches:
            return network.patches  # type: ignore[no-any-return]
        compared = Original(original, network)
        return lambda decoded: np.array(compared.distance(decoded))

    def over(self, originals: Sequence[Found], found: Sequence[Found]) -> float | None:
        """For a collection: the mean; or the Fréchet distance, None without two patches."""
        if not self.measure.of_patches:
            return float(np.mean(found))
        real, made = np.concatenate(originals), np.concatenate(found)
        return frechet_distance(real, made) if len(real) > 1 else None


def find_given(folder: Path) -> tuple[Given, ...]:
    """The measures whose files a folder holds, checked.

    Raises WeightsError if there is none, if one lacks a file, or a file is not the official one.
    """
    given = []
    for measure in MEASURES:
        names = [file.name for file in measure.files]
        missing = [name for name in names if not (folder / name).exists()]
        if not missing:
            digests = tuple(file.digest(folder) for file in measure.files)
            given.append(Given(measure, folder, digests))
        elif len(missing) < len(names):
            cause = f"is not there, and {measure.label} needs it"
            present = ", ".join(name for name in names if name not in missing)
            fix = f"Put it beside {present}, or take that out. {_needed()}"
            raise WeightsError(cause, fix, str(folder / missing[0]))
    if not given:
        cause = "holds weights of no measure" if folder.is_dir() else "is not a folder"
        raise WeightsError(cause, _needed(), str(folder))
    for one in given:
        one.load()
    return tuple(given)


def _needed() -> str:
    """Files that make each measure."""
    needs = []
    for measure in MEASURES:
        files = [f"{file.name} of {file.origin}" for file in measure.files]
        needs.append(f"{measure.label}: {' and '.join(files)}")
    return "; ".join(needs) + "."


@cache
def _load(given: Given) -> Any:
    return given.measure.network(*(file.tensors(given.folder) for file in given.measure.files))
