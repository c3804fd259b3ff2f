"""The ways from one stream to a picture that an evaluation of refiners compares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from glassplate.codecs.refine.options import SAMPLERS, Kind, RefineOptions


@dataclass(frozen=True)
class Variant:
    """The stream's picture refined (`refine`), another codec's at no more bits (`peer`), or, with
    neither, the plain decode."""

    name: str
    refine: RefineOptions | None = None
    peer: str | None = None

    @property
    def family(self) -> str:
        """What stays when steps and strength change."""
        if self.refine:
            return self.refine.kind if self.refine.kind == "gan" else self.refine.sampler
        return self.name


PLAIN = Variant("plain")


def compared(peers: Iterable[str], kinds: Iterable[Kind], weights: Path | None) -> list[Variant]:
    """The plain decode, the peers, and each kind as it is used by default."""
    refined = [refining(RefineOptions(kind=kind, weights=weights)) for kind in kinds]
    return [PLAIN, *(Variant(peer, peer=peer) for peer in peers), *refined]


def swept(
    kinds: Iterable[Kind], steps: Iterable[int], strengths: Iterable[float], weights: Path | None
) -> list[Variant]:
    """Every sampler by steps, and the first kind by strength, the defaults of all among them."""
    options = []
    for place, kind in enumerate(kinds):
        usual = RefineOptions(kind=kind, weights=weights)
        options.append(usual)
        for sampler in SAMPLERS[kind]:
            of_sampler = usual.model_copy(update={"sampler": sampler})
            counts = [1] if kind == "gan" else steps
            options += [of_sampler.model_copy(update={"steps": count}) for count in counts]
        blends = [usual.model_copy(update={"strength": strength}) for strength in strengths]
        options += [] if place else blends
    return [refining(one) for one in dict.fromkeys(options)]


def refining(options: RefineOptions) -> Variant:
    """'flow 4', 'ddim 25', 'gan', 'flow 4 at 0.5'."""
    name = "gan" if options.kind == "gan" else f"{options.sampler} {options.steps}"
    if options.strength < 1:
        name += f" at {options.strength:g}"
    return Variant(name, refine=options)
