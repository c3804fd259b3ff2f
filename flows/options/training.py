"""The options that all `glassplate train` commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="URL",
        help="Pictures: a directory, a glob, tar or Parquet files of them; any fsspec URL.",
    ),
]
OutOption = Annotated[
    Path,
    typer.Option("--out", metavar="DIR", help="Where checkpoint, log, weights and model card go."),
]
SizeOption = Annotated[
    str | None,
    typer.Option("--size", metavar="NAME", help="Of the model. Default: one for a CPU."),
]
MinutesOption = Annotated[
    float | None,
    typer.Option("--minutes", help="Train this long, earlier runs included."),
]
StepsOption = Annotated[
    int | None, typer.Option("--steps", help="Or so many steps; the first to be reached ends.")
]
StartOption = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="WEIGHTS",
        help="Fine-tune these weights, a file or its folder, or `shipped`.",
    ),
]
BatchOption = Annotated[
    int | None, typer.Option("--batch", help="Crops a step. Default: as suits the device.")
]
CropOption = Annotated[int, typer.Option("--crop", help="Side of the crops in pixels.")]
RateOption = Annotated[
    float | None,
    typer.Option("--learning-rate", help="At its peak. Default: lower with --start."),
]
MaxCropsOption = Annotated[
    int,
    typer.Option(
        "--max-crops", help="Take at most so many parts of the pictures, 0.8 MB each on disk."
    ),
]
LicenceOption = Annotated[
    str, typer.Option("--licence", help="Of the pictures; goes onto the model card.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Of all random choices.")]
