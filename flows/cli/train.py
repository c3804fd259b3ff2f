"""`glassplate train KIND`: one command for each entry of the registry of trainers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from glassplate.codecs.training.trainers import TRAINERS
from glassplate.flows.cli.training_run import run_training
from glassplate.flows.options.common import (
    DeviceOption,
    JsonOption,
    NoProgress,
    hyperprior_config,
    refiner_config,
    restorer_config,
    train_config,
)
from glassplate.flows.options.training import (
    BatchOption,
    CropOption,
    DataOption,
    LicenceOption,
    MaxCropsOption,
    MinutesOption,
    OutOption,
    RateOption,
    SeedOption,
    SizeOption,
    StartOption,
    StepsOption,
)

app = typer.Typer(name="train", no_args_is_help=True)


@app.callback()
def about() -> None:
    """Train a model, or fine-tune a shipped one on a collection of your own."""


def train(
    context: typer.Context,
    data: DataOption,
    out: OutOption,
    size: SizeOption = None,
    minutes: MinutesOption = None,
    steps: StepsOption = None,
    start: StartOption = None,
    batch: BatchOption = None,
    crop: CropOption = 128,
    learning_rate: RateOption = None,
    max_crops: MaxCropsOption = 10_000,
    licence: LicenceOption = "",
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    config = train_config(
        kind=context.info_name,
        source=data,
        out=out,
        size=size,
        minutes=minutes,
        steps=steps,
        start=start,
        batch=batch,
        crop=crop,
        learning_rate=learning_rate,
        max_crops=max_crops,
        licence=licence,
        seed=seed,
        device=device,
    )
    run_training(context, config, shown=not no_progress)


def train_hyperprior(
    context: typer.Context,
    data: DataOption,
    out: OutOption,
    ms_ssim: Annotated[
        float,
        typer.Option("--ms-ssim", help="Share of MS-SSIM in what is lost, 0.3 say; 0 to 1."),
    ] = 0.0,
    ssimulacra2: Annotated[
        float,
        typer.Option("--ssimulacra2", help="Share of SSIMULACRA2; squared errors are the rest."),
    ] = 0.0,
    size: SizeOption = None,
    minutes: MinutesOption = None,
    steps: StepsOption = None,
    start: StartOption = None,
    batch: BatchOption = None,
    crop: Annotated[
        int | None,
        typer.Option("--crop", help="Side of the crops in pixels: 128, or 256 for the eye."),
    ] = None,
    learning_rate: RateOption = None,
    max_crops: MaxCropsOption = 10_000,
    licence: LicenceOption = "",
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    config = hyperprior_config(
        source=data,
        out=out,
        ms_ssim=ms_ssim,
        ssimulacra2=ssimulacra2,
        size=size,
        minutes=minutes,
        steps=steps,
        start=start,
        batch=batch,
        crop=crop,
        learning_rate=learning_rate,
        max_crops=max_crops,
        licence=licence,
        seed=seed,
        device=device,
    )
    run_training(context, config, shown=not no_progress)


def train_refiner(
    context: typer.Context,
    data: DataOption,
    out: OutOption,
    kind: Annotated[
        str, typer.Option("--kind", metavar="flow|diffusion|gan", help="Which refiner.")
    ] = "flow",
    codec_weights: Annotated[
        Path | None,
        typer.Option(
            "--codec-weights",
            metavar="FILE",
            help="The weights of hyperprior whose pictures are to be refined; default: shipped.",
        ),
    ] = None,
    shift: Annotated[
        float | None, typer.Option("--shift", help="Of diffusion's schedule: below 1, less noise.")
    ] = None,
    max_noise: Annotated[
        float | None, typer.Option("--max-noise", help="Highest noise level of diffusion.")
    ] = None,
    perceptual: Annotated[
        float | None,
        typer.Option(
            "--perceptual",
            help="Weight of ST-LPIPS after a flow's few steps, 8 say; wants the extra perceptual.",
        ),
    ] = None,
    size: SizeOption = None,
    minutes: MinutesOption = None,
    steps: StepsOption = None,
    start: StartOption = None,
    batch: BatchOption = None,
    crop: CropOption = 128,
    learning_rate: RateOption = None,
    max_crops: MaxCropsOption = 10_000,
    licence: LicenceOption = "",
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    config = refiner_config(
        source=data,
        out=out,
        refiner=kind,
        codec_weights=codec_weights,
        shift=shift,
        max_noise=max_noise,
        perceptual=perceptual,
        size=size,
        minutes=minutes,
        steps=steps,
        start=start,
        batch=batch,
        crop=crop,
        learning_rate=learning_rate,
        max_crops=max_crops,
        licence=licence,
        seed=seed,
        device=device,
    )
    run_training(context, config, shown=not no_progress)


def train_restorer(
    context: typer.Context,
    data: DataOption,
    out: OutOption,
    task: Annotated[
        str, typer.Option("--task", metavar="denoise|upscale", help="What it learns.")
    ] = "denoise",
    noise: Annotated[
        str,
        typer.Option(
            "--noise",
            metavar="all|gaussian|missing|jpeg",
            help="Which noise a denoiser learns: all at once, told by the picture alone, or one.",
        ),
    ] = "all",
    size: SizeOption = None,
    minutes: MinutesOption = None,
    steps: StepsOption = None,
    start: StartOption = None,
    batch: BatchOption = None,
    crop: CropOption = 128,
    learning_rate: RateOption = None,
    max_crops: MaxCropsOption = 10_000,
    licence: LicenceOption = "",
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    config = restorer_config(
        source=data,
        out=out,
        task=task,
        noise=noise,
        size=size,
        minutes=minutes,
        steps=steps,
        start=start,
        batch=batch,
        crop=crop,
        learning_rate=learning_rate,
        max_crops=max_crops,
        licence=licence,
        seed=seed,
        device=device,
    )
    run_training(context, config, shown=not no_progress)


_EXAMPLE = """{summary}

Ctrl-C leaves a checkpoint; the same command goes on from it, with more --minutes, too. How it goes,
losses and samples over time, is in training.html.

Examples:

    glassplate train {kind} --data photos/ --out mine/ --minutes 90

    glassplate train {kind} --data 's3://bucket/*.tar' --out mine/ {more} --minutes 10
"""

_OWN_COMMANDS: dict[str, tuple[Callable[..., None], str]] = {
    "gan": (train, "--size 64"),
    "hyperprior": (train_hyperprior, "--start shipped --ms-ssim 0.3 --ssimulacra2 0.3"),
    "refiner": (train_refiner, "--kind diffusion"),
    "restorer": (train_restorer, "--task upscale"),
}

for _kind, _trainer in TRAINERS.items():
    _command, _more = _OWN_COMMANDS.get(_kind, (train, "--start shipped"))
    _help = _EXAMPLE.format(kind=_kind, summary=_trainer.summary, more=_more)
    app.command(_kind, help=_help)(_command)
