"""The options of refinement, shared by the commands and flows that give pictures back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassplate.codecs.errors import ConfigError
from glassplate.flows.options.restoration import restore_options
from glassplate.flows.options.values import validated

if TYPE_CHECKING:
    from glassplate.codecs.refine.options import RefineOptions
    from glassplate.pipelines.retrieve.planning import RetrieveConfig

RefineOption = Annotated[
    str,
    typer.Option(
        "--refine",
        metavar="flow|diffusion|gan|none",
        help="Let a model put likely detail into the picture, labelled in the file's XMP.",
    ),
]
SamplerOption = Annotated[
    str | None,
    typer.Option(
        "--sampler",
        metavar="NAME",
        help="flow: flow or noise-flow; diffusion: ddim or ddpm.",
        show_default=False,
    ),
]
StepsOption = Annotated[
    int | None,
    typer.Option("--steps", help="Of the refiner: 4 for flow, 25 for diffusion, 1 for gan."),
]
StrengthOption = Annotated[
    float, typer.Option("--strength", help="From 0, the plain picture, to 1, all of the detail.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Another one invents other detail.")]
RefinerWeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--refiner-weights",
        metavar="FILE",
        help="Of the refiner, a file or its folder; default: the shipped ones.",
        show_default=False,
    ),
]


def refine_options(
    kind: str,
    sampler: str | None,
    steps: int | None,
    strength: float,
    seed: int,
    weights: str | Path | None,
) -> RefineOptions | None:
    """None for the kind 'none'. Raises ConfigError naming the option."""
    from glassplate.codecs.refine.options import RefineOptions

    fields: dict[str, Any] = {"sampler": sampler, "steps": steps, "strength": strength}
    fields |= {"seed": seed, "weights": weights}
    if kind != "none":
        return validated(RefineOptions, {"kind": kind, **fields}, _OPTIONS)
    for name, value in fields.items():
        if value not in (None, RefineOptions.model_fields[name].default):
            option = _OPTIONS.get(name, f"--{name}")
            raise ConfigError("nothing is refined", "Say --refine flow, or leave it out.", option)
    return None


def retrieve_config(
    *,
    refine: str,
    sampler: str | None,
    steps: int | None,
    strength: float,
    seed: int,
    refiner_weights: str | Path | None,
    denoise: bool,
    upscale: int | None,
    restorer_weights: str | Path | None,
    runner: str,
    runner_options: Mapping[str, Any],
    **fields: Any,
) -> RetrieveConfig:
    """The options of a retrieval. Raises ConfigError naming the option."""
    from glassplate.pipelines.retrieve.planning import RetrieveConfig

    refinement = refine_options(refine, sampler, steps, strength, seed, refiner_weights)
    restoration = restore_options(denoise, upscale, restorer_weights)
    where = {**runner_options, "name": runner}
    fields |= {"refine": refinement, "restore": restoration, "runner": where}
    return validated(RetrieveConfig, fields, {"out": "OUT", "": "--refine"})


_OPTIONS = {"kind": "--refine", "weights": "--refiner-weights", "": "--sampler / --steps"}
