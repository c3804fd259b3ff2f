"""Command-line values: shared option types, and the texts that people write in them.

Ranges are checked in one place, the pydantic models of the pipelines; a refusal there comes back
as a usage error that names the option.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast, get_args

import typer
from pydantic import BaseModel

from glassplate.codecs.base import Device, Region
from glassplate.codecs.errors import ConfigError
from glassplate.codecs.registry import parse_options
from glassplate.flows.terminal.output import output_of as output_of

if TYPE_CHECKING:
    from pydantic import ValidationError

    from glassplate.pipelines.compress.config import CompressConfig
    from glassplate.pipelines.evaluate.codec_curves import EvaluateConfig

Model = TypeVar("Model", bound=BaseModel)

_OPTION_OF_FIELD = {
    "source": "SOURCE",
    "archive": "ARCHIVE",
    "codec_options": "--codec-option",
    "target": "--quality / --target-psnr / --target-ms-ssim / --target-ssimulacra2 / --max-bpp",
    "target.quality": "--quality",
    "target.psnr": "--target-psnr",
    "target.ms_ssim": "--target-ms-ssim",
    "target.ssimulacra2": "--target-ssimulacra2",
    "measures": "--measure",
    "target.max_bpp": "--max-bpp",
    "verify_fraction": "--verify",
}

_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


SourceArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="Directories, globs, files, .zip, .tar or Parquet files with pictures inside, folders"
        " of such shards, .parquet, .csv, .jsonl or .txt lists of paths or URLs, or - for paths on"
        " standard input; any fsspec URL.",
        show_default=False,
    ),
]
ArchiveArgument = Annotated[
    str,
    typer.Argument(metavar="ARCHIVE", help="The archive: a directory or URL.", show_default=False),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="JSON lines on stdout and nothing else there."),
]
MaxPixelsOption = Annotated[
    int,
    typer.Option("--max-pixels", help="Larger pictures are not decoded: a guard against bombs."),
]
LossyOption = Annotated[
    bool,
    typer.Option(
        "--lossy",
        help="Also where the format has no place for all of it: 16-bit colours, alpha, frames.",
    ),
]
WhereOption = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="SQL",
        help='A DuckDB condition over the catalogue: "width > 1000 and psnr < 32".',
        show_default=False,
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda",
        help="Where codecs that use torch run; cuda without a GPU is an error.",
    ),
]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="No progress on stderr.")]


def compress_config(
    *,
    quality: float | None,
    target_psnr: float | None,
    target_ms_ssim: float | None,
    max_bpp: float | None,
    target_ssimulacra2: float | None = None,
    runner: str = "local",
    runner_options: Mapping[str, Any] | None = None,
    **fields: Any,
) -> CompressConfig:
    """The options of a run. Raises ConfigError naming the option."""
    from glassplate.pipelines.compress.config import CompressConfig

    target = {
        "quality": quality,
        "psnr": target_psnr,
        "ms_ssim": target_ms_ssim,
        "ssimulacra2": target_ssimulacra2,
        "max_bpp": max_bpp,
    }
    where = {**(runner_options or {}), "name": runner}
    return validated(CompressConfig, {"target": target, "runner": where, **fields})


def evaluate_config(**fields: Any) -> EvaluateConfig:
    """The options of an evaluation. Raises ConfigError naming the option."""
    from glassplate.pipelines.evaluate.codec_curves import EvaluateConfig

    return validated(EvaluateConfig, fields)


def validated(
    model: type[Model], fields: dict[str, Any], options: Mapping[str, str] | None = None
) -> Model:
    """A model from its fields. Raises ConfigError naming the option.

    options: Field -> option, where the one is not called like the other.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise _usage_error(error, {**_OPTION_OF_FIELD, **(options or {})}) from error


def _usage_error(error: ValidationError, options: Mapping[str, str]) -> ConfigError:
    first = error.errors()[0]
    parts = [str(part) for part in first["loc"]]
    field = ".".join(parts)
    head = parts[0] if parts else ""
    option = options.get(field) or options.get(head) or "--" + head.replace("_", "-")
    cause = first["msg"].removeprefix("Value error, ")
    if isinstance(first["input"], str | int | float):
        cause += f" (got {first['input']!r})"
    if head == "runner":
        option = "--runner-option" if parts[1:] else "--runner"
        cause = ": ".join([*parts[2:], cause])
        return ConfigError(cause, "See `glassplate runners`.", option)
    return ConfigError(cause, "See --help.", option)


def parse_codec_options(pairs: list[str]) -> dict[str, Any]:
    """What --codec-option says: ['factor=0.15'] -> {'factor': 0.15}."""
    return parse_options(pairs, "--codec-option")


def parse_runner_options(pairs: list[str]) -> dict[str, str]:
    """What --runner-option says: ['version=1.20'] -> {'version': '1.20'}. Text: 1.20 is not 1.2."""
    options = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not (name and equals):
            raise ConfigError(f"{pair!r} is not NAME=VALUE", subject="--runner-option")
        options[name.replace("-", "_")] = text
    return options


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
