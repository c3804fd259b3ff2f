"""`glassplate study autoencoder`: a grid of small models under one budget, and what came out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from glassplate.codecs.errors import ConfigError
from glassplate.flows.options.common import (
    DeviceOption,
    JsonOption,
    output_of,
    train_config,
)
from glassplate.flows.options.training import (
    BatchOption,
    CropOption,
    DataOption,
    MaxCropsOption,
    MinutesOption,
    OutOption,
    SeedOption,
    StepsOption,
)
from glassplate.flows.terminal.output import one_line

if TYPE_CHECKING:
    from glassplate.codecs.autoencoder.training.study import Result

LEARNING_RATE = 3e-3

app = typer.Typer(name="study")


@app.callback()
def about() -> None:
    """Train variants of a model under one budget and compare them."""


@app.command()
def autoencoder(
    context: typer.Context,
    data: DataOption,
    out: OutOption,
    minutes: MinutesOption = None,
    steps: StepsOption = None,
    arm: Annotated[
        list[str] | None,
        typer.Option("--arm", help="Only this way of building it; can be repeated."),
    ] = None,
    bits: Annotated[
        list[int] | None, typer.Option("--bits", help="Only so many bits; can be repeated.")
    ] = None,
    batch: BatchOption = None,
    crop: CropOption = 64,
    max_crops: MaxCropsOption = 10_000,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Maximum against stride, plain against residual against variational, at 1 to 4 bits.

    The budget is that of the whole grid, in equal shares. The same command goes on where it ended.
    Writes study.json, study.md and a figure, with JPEG at the same bits.

    Example:

        glassplate study autoencoder --data photos/ --out study/ --minutes 60
    """
    config = train_config(
        kind="autoencoder", source=data, out=out, minutes=minutes, steps=steps, batch=batch,
        crop=crop, late_crop=2 * crop, max_crops=max_crops, seed=seed, device=device,
        learning_rate=LEARNING_RATE,
    )  # fmt: skip
    from glassplate.codecs.autoencoder.model import ARMS, BITS
    from glassplate.codecs.autoencoder.training.study import run_study
    from glassplate.flows.reports.study import write_study

    arms, chosen = arm or list(ARMS), bits or list(BITS)
    if unknown := [name for name in arms if name not in ARMS]:
        raise ConfigError(f"no arm {unknown[0]!r}", f"Known: {', '.join(ARMS)}.", "--arm")
    if any(one not in BITS for one in chosen):
        raise ConfigError("bits are 1 to 4", "", "--bits")
    output = output_of(context)

    def tell(result: Result) -> None:
        if output.as_json:
            output.record({"event": "result", **asdict(result)})
        output.message(
            f"{result.arm}, {result.bits} bits: {result.bpp:.3f} bpp, {result.psnr:.2f} dB "
            f"after {result.steps} steps"
        )

    results = run_study(config, arms, chosen, on_result=tell)
    for file in write_study(results, out, f"pictures of {config.source}"):
        if output.as_json:
            output.record({"event": "file", "file": str(file)})
        output.message(f"wrote {one_line(str(file))}")
