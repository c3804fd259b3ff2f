"""Following a training run on the command line: progress, records, and how it is ended early."""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import typer

from glassplate.codecs.registry import codec_names
from glassplate.codecs.training.callbacks import Callbacks, Step
from glassplate.codecs.training.config import TrainConfig
from glassplate.flows.options.common import JsonOption, NoProgress, output_of
from glassplate.flows.options.training import check_budget
from glassplate.flows.terminal.live import Show, live_count
from glassplate.flows.terminal.output import Output, human_seconds, one_line
from glassplate.flows.terminal.wording import step_text, validation_text

INTERVAL = 5.0
"""Seconds between messages about steps and pictures."""
_COMPRESS = "compress SOURCE ARCHIVE --codec {kind} --weights {folder}"
_NEXT = dict.fromkeys(codec_names(), _COMPRESS) | {
    "gan": "sample -o FILE --weights {weights}",
    "refiner": "get ARCHIVE ID -o FILE --refiner-weights {weights} --refine ...",
    "restorer": "enhance PICTURE ... --restorer-weights {weights}",
}
"""How what was trained is used."""


def run_training(
    context: typer.Context,
    config: TrainConfig,
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    """Train as configured; progress to stderr, records to stdout with --json."""
    check_budget(config)
    from glassplate.codecs.training.train import train_model
    from glassplate.flows.reports.training import PAGE

    output, clock = output_of(context), _Clock()
    with (
        _stopping(output) as interrupt,
        live_count(output.stderr, "training", shown=not (no_progress or output.as_json)) as show,
    ):
        weights = train_model(config, _callbacks(config, output, interrupt, show, clock))
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    page = config.out / PAGE
    if output.as_json:
        files = {"weights": weights, "card": weights.with_suffix(".md"), "report": page}
        named = {name: str(file) for name, file in files.items()}
        output.record({"event": "done", "sha256": sha256, **named})
    output.message(clock.text())
    output.message(f"wrote {one_line(str(weights))} (sha256 {sha256[:12]}) and its model card")
    output.message(f"how it went: {one_line(str(page))}")
    if config.kind in _NEXT:
        text = _NEXT[config.kind].format(kind=config.kind, weights=weights, folder=config.out)
        output.message(f"next: glassplate {one_line(text)}")


class _Clock:
    """What of the time was training, and what came before and after."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.first = self.last = 0.0

    def stepped(self) -> None:
        """A step is done."""
        self.last = time.monotonic()
        self.first = self.first or self.last

    def text(self) -> str:
        """'trained for 2 min 00 s; before, 8 s of reading pictures; then, 15 s of ...'."""
        now = time.monotonic()
        first, last = self.first or now, self.last or now
        before, during, after = map(human_seconds, (first - self.started, last - first, now - last))
        return (
            f"read pictures for {before}, trained for {during}; validation and export added {after}"
        )


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


def _callbacks(
    config: TrainConfig,
    output: Output,
    interrupt: _Interrupt,
    show: Show | None,
    clock: _Clock,
) -> Callbacks:
    from glassplate.flows.reports.training import write_training_report

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
        clock.stepped()
        if show:
            show(step.number, round(step.number / step.share), step_text(step))
        if output.as_json and is_due():
            output.record({"event": "step", **asdict(step), "minutes_left": step.minutes_left})

    def on_validation(record: dict[str, Any]) -> None:
        output.message(validation_text(record))
        for event in _events(record) if output.as_json else []:
            output.record(event)
        write_training_report(config)

    return Callbacks(lambda: interrupt.asked, on_pictures, on_step, on_validation)


def _events(record: dict[str, Any]) -> list[dict[str, Any]]:
    """A validation, and what it found out, as JSON lines."""
    collapses = record.get("collapse", [])
    return [
        {"event": "validation", **record},
        *({"event": "collapse", "step": record["step"], **one} for one in collapses),
    ]
