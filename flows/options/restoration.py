"""The options of restoration, shared by the commands and flows that give pictures back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassplate.codecs.errors import ConfigError
from glassplate.flows.options.values import validated

if TYPE_CHECKING:
    from glassplate.codecs.restore.options import RestoreOptions

DenoiseOption = Annotated[
    bool,
    typer.Option(
        "--denoise", help="Take out Gaussian noise, missing pixels or JPEG artefacts; labelled."
    ),
]
UpscaleOption = Annotated[
    int | None,
    typer.Option(
        "--upscale",
        metavar="2|4",
        help="Enlarge, and let a model put likely detail in; labelled in the file's XMP.",
        show_default=False,
    ),
]
RestorerWeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--restorer-weights",
        metavar="FILE",
        help="Of the restorer, a file or its folder; default: the shipped ones.",
        show_default=False,
    ),
]


def restore_options(
    denoise: bool, upscale: int | None, weights: str | Path | None
) -> RestoreOptions | None:
    """None if neither is wanted. Raises ConfigError naming the option."""
    from glassplate.codecs.restore.options import RestoreOptions

    if not denoise and upscale is None:
        if weights is not None:
            fix = "Say --denoise or --upscale, or leave it out."
            raise ConfigError("nothing is restored", fix, "--restorer-weights")
        return None
    if denoise and upscale is not None:
        raise ConfigError(
            "one at a time", "Denoise first, then upscale what comes out.", "--denoise / --upscale"
        )
    return validated(RestoreOptions, {"scale": upscale, "weights": weights}, _OPTIONS)


_OPTIONS = {"scale": "--upscale", "weights": "--restorer-weights"}
