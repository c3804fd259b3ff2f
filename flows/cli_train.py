"""`glassplate train KIND`: one command for each entry of the registry of trainers."""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from glassplate.codecs import codec_names
from glassplate.codecs.training.callbacks import Callbacks, Step
from glassplate.codecs.training.registry import TRAINERS
from glassplate.flows.live import Show, live_count
from glassplate.flows.options import DeviceOption, JsonOption, NoProgress, output_of, train_config
from glassplate.flows.output import Output, one_line
from glassplate.flows.train_text import step_text, validation_text

INTERVAL = 5.0
"""Seconds between messages about steps and pictures."""

app = typer.Typer(
    name="train",
    help="Train a model, or fine-tune a shipped one on a collection of your own.",
    no_args_is_help=True,
)


def train(
    context: typer.Context,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="URL",
            help="Pictures: a directory, a glob, tar or Parquet files of them; any fsspec URL.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="DIR", help="Where checkpoint, log, weights and model card go."
        ),
    ],
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="NAME", help="Of the model. Default: one for a CPU."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", help="Train this long, earlier runs included."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", help="Or so many steps; the first to be reached ends.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            metavar="WEIGHTS",
            help="Fine-tune these weights, a file or its folder, or `shipped`.",
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", help="Crops a step. Default: as suits the device.")
    ] = None,
    crop: Annotated[int, typer.Option("--crop", help="Side of the crops in pixels.")] = 128,
    learning_rate: Annotated[
        float | None,
        typer.Option("--learning-rate", help="At its peak. Default: lower with --start."),
    ] = None,
    max_crops: Annotated[
        int,
        typer.Option(
            "--max-crops", help="Take at most so many parts of the pictures, 0.8 MB each on disk."
        ),
    ] = 10_000,
    licence: Annotated[
        str, typer.Option("--licence", help="Of the pictures; goes onto the model card.")
    ] = "",
    seed: Annotated[int, typer.Option("--seed", help="Of all random choices.")] = 0,
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
    from glassplate.codecs.training.registry import train_model

    output = output_of(context)
    with (
        _stopping(output) as interrupt,
        live_count(output.stderr, "training", shown=not (no_progress or as_json)) as show,
    ):
        weights = train_model(config, _callbacks(output, interrupt, show))
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    if output.as_json:
        card = str(weights.with_suffix(".md"))
        output.record({"event": "done", "weights": str(weights), "sha256": sha256, "card": card})
    output.message(f"wrote {one_line(str(weights))} (sha256 {sha256[:12]}) and its model card")
    if config.kind in codec_names():
        use = f"glassplate compress SOURCE ARCHIVE --codec {config.kind} --weights {out}"
        output.message(f"next: {one_line(use)}")


_EXAMPLE = """{summary}

Ctrl-C leaves a checkpoint; the same command goes on from it, with more --minutes, too.

Examples:

    glassplate train {kind} --data photos/ --out mine/ --minutes 90

    glassplate train {kind} --data 's3://bucket/*.tar' --out mine/ --start shipped --minutes 10
"""

for _kind, _trainer in TRAINERS.items():
    app.command(_kind, help=_EXAMPLE.format(kind=_kind, summary=_trainer.summary))(train)


class _Interrupt:
    """The first Ctrl-C ends training after the step; a second one, or one before, ends at once."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self.training = False
        self.asked = False

    def __call__(self, *_: Any) -> None:
        if self.asked or not self.training:
            raise KeyboardInterrupt
        self.asked = True
        self.output.message("writing a checkpoint; once more to end at once")


@contextmanager
def _stopping(output: Output) -> Iterator[_Interrupt]:
    interrupt = _Interrupt(output)
    before = {name: signal.signal(name, interrupt) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _callbacks(output: Output, interrupt: _Interrupt, show: Show | None) -> Callbacks:
    told = time.monotonic()

    def is_due() -> bool:
        nonlocal told
        due = time.monotonic() - told >= INTERVAL
        told = time.monotonic() if due else told
        return due

    def on_pictures(pictures: int, crops: int) -> None:
        if is_due():
            output.message(f"reading pictures: {pictures}, {crops} crops")
            if output.as_json:
                output.record({"event": "pictures", "pictures": pictures, "crops": crops})

    def on_step(step: Step) -> None:
        interrupt.training = True
        if show:
            show(step.number, round(step.number / step.share), step_text(step))
        if output.as_json and is_due():
            output.record({"event": "step", **asdict(step), "minutes_left": step.minutes_left})

    def on_validation(record: dict[str, Any]) -> None:
        output.message(validation_text(record))
        if output.as_json:
            output.record({"event": "validation", **record})

    return Callbacks(lambda: interrupt.asked, on_pictures, on_step, on_validation)
