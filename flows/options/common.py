"""Command-line values: shared option types, and the texts that people write in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from glassplate.codecs.base import Device, Region
from glassplate.codecs.errors import ConfigError
from glassplate.flows.options.parameters import typed
from glassplate.flows.options.values import validated as validated
from glassplate.flows.terminal.command import JsonOption as JsonOption
from glassplate.flows.terminal.output import output_of as output_of
from glassplate.pipelines.options import ARCHIVE, DEVICE, FORMAT, LOSSY, MAX_PIXELS, SNAPSHOT, WHERE

if TYPE_CHECKING:
    from glassplate.pipelines.evaluate.codec_curves import EvaluateConfig

_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


ArchiveArgument = Annotated[str, typed(ARCHIVE, "archive")]
WhereOption = Annotated[str | None, typed(WHERE, "where")]
FormatOption = Annotated[str | None, typed(FORMAT, "format")]
SnapshotOption = Annotated[int | None, typed(SNAPSHOT, "snapshot")]
LossyOption = Annotated[bool, typed(LOSSY, "lossy")]
MaxPixelsOption = Annotated[int, typed(MAX_PIXELS, "max_pixels", shown=True)]
DeviceOption = Annotated[str, typed(DEVICE, "device", shown=True)]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="No progress on stderr.")]


def evaluate_config(**fields: Any) -> EvaluateConfig:
    """The options of an evaluation. Raises ConfigError naming the option."""
    from glassplate.pipelines.evaluate.codec_curves import EvaluateConfig

    return validated(EvaluateConfig, fields, {"source": "DIR", "plugins": "--plugin"})


def parse_region(text: str | None) -> Region | None:
    """'x,y,w,h' in pixels of the upright picture."""
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,9}(,\d{1,9}){3}", text.replace(" ", "")):
        raise ConfigError(
            f"{text!r} is not x,y,width,height", "For example 0,0,512,512.", "--region"
        )
    x, y, width, height = (int(part) for part in text.split(","))
    if not (width and height):
        raise ConfigError("the region is empty", subject="--region")
    return Region(x=x, y=y, width=width, height=height)


def parse_device(text: str) -> Device:
    """'auto', 'cpu' or 'cuda'."""
    if text not in get_args(Device):
        raise ConfigError(f"{text!r} is not one of {', '.join(get_args(Device))}", "", "--device")
    return cast(Device, text)


def parse_duration(text: str | None) -> float | None:
    """'90s', '10m', '1.5h', or plain seconds -> seconds."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|d)?\s*", text)
    if not match or float(match[1]) == 0:
        raise ConfigError(
            f"{text!r} is not a duration", "For example 90s, 10m, 2h.", "--max-duration"
        )
    return float(match[1]) * _SECONDS[match[2] or "s"]


def parse_subset(text: str | float) -> float:
    """'5%' or '0.05' -> 0.05, in (0, 1]."""
    from glassplate.pipelines.compress.config import parse_fraction

    try:
        fraction = float(parse_fraction(text))  # type: ignore[arg-type]
    except ValueError:
        fraction = -1.0
    if not 0 < fraction <= 1:
        raise ConfigError(f"{text!r} is not a share of the archive", "For example 5%.", "--subset")
    return fraction
