"""`glassplate study autoencoder`: a grid of small models under one budget, and what came out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from glassplate.codecs.errors import ConfigError
from glassplate.codecs.training.config import TrainConfig
from glassplate.flows.options.common import JsonOption, output_of
from glassplate.flows.options.signature import as_command
from glassplate.flows.options.training import check_budget
from glassplate.flows.terminal.command import Command
from glassplate.flows.terminal.output import one_line
from glassplate.flows.terminal.wording import counted

if TYPE_CHECKING:
    from glassplate.codecs.autoencoder.training.study import Result

LEARNING_RATE = 3e-3

app = typer.Typer(name="study")


@app.callback()
def about() -> None:
    """Train variants of a model under one budget and compare them."""


_HELP = """Maximum against stride, plain against residual against variational, at 1 to 4 bits.

The budget is that of the whole grid, in equal shares. The same command goes on where it ended.
Writes study.json, study.md and a figure, with JPEG at the same bits.

Example:

    glassplate study autoencoder --data photos/ --out study/ --minutes 60
"""


def _autoencoder(
    context: typer.Context,
    config: TrainConfig,
    arm: Annotated[
        list[str] | None,
        typer.Option("--arm", help="Only this way of building it; can be repeated."),
    ] = None,
    bits: Annotated[
        list[int] | None, typer.Option("--bits", help="Only so many bits; can be repeated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    check_budget(config)
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
            f"{result.arm}, {counted(result.bits, 'bit')}: {result.bpp:.3f} bpp, "
            f"{result.psnr:.2f} dB after {counted(result.steps, 'step')}"
        )

    results = run_study(_late_twice_as_wide(config), arms, chosen, on_result=tell)
    for file in write_study(results, config.out, f"pictures of {config.source}"):
        if output.as_json:
            output.record({"event": "file", "file": str(file)})
        output.message(f"wrote {one_line(str(file))}")


def _late_twice_as_wide(config: TrainConfig) -> TrainConfig:
    return TrainConfig.model_validate(config.model_dump() | {"late_crop": 2 * config.crop})


app.command("autoencoder", cls=Command)(
    as_command(
        TrainConfig,
        _autoencoder,
        _HELP,
        defaults={"crop": 64},
        kind="autoencoder",
        size=None,
        start=None,
        licence="",
        learning_rate=LEARNING_RATE,
    )
)
