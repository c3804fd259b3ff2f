"""The options of one compression run, validated once, then passed down unchanged."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from glassplate.codecs import Target
from glassplate.pipelines.jobs.config import JobConfig
from glassplate.pipelines.pictures.limits import DEFAULT_MAX_PIXELS
from glassplate.pipelines.sources.choice import Choice

DEFAULT_MAX_FAILURES = 0.25
DEFAULT_FAILURES = 10
"""Without `max_failures` a run is stopped by more than this share and this number of failures: one
bad file among the few that are new tonight is a row, not a reason to commit nothing."""


def parse_fraction(value: object) -> object:
    """'1%' or '0.01' or 0.01 -> 0.01; anything else is left for pydantic to refuse."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*([\d.]+)\s*%\s*", value)):
        return float(match[1]) / 100
    return value


Fraction = Annotated[float, BeforeValidator(parse_fraction), Field(ge=0, le=1)]


Measure = Literal["ms_ssim", "ssimulacra2"]


def parse_measures(value: object) -> object:
    """'ms-ssim,ssimulacra2' -> ('ms_ssim', 'ssimulacra2'); 'psnr' and 'none' name nothing more."""
    if not isinstance(value, str):
        return value
    names = (name.strip().replace("-", "_") for name in value.split(","))
    return tuple(name for name in names if name not in ("psnr", "none"))


Measures = Annotated[tuple[Measure, ...], BeforeValidator(parse_measures)]


def _single(source: str | tuple[str, ...]) -> str | tuple[str, ...]:
    if not source:
        raise ValueError("there is no source")
    return source[0] if len(source) == 1 and not isinstance(source, str) else source


def _checked(pattern: str) -> str:
    Choice([pattern])
    return pattern


Pattern = Annotated[str, AfterValidator(_checked)]


class CompressConfig(JobConfig):
    """What to compress, how, and when to stop. SOURCE and ARCHIVE are fsspec URLs or paths.

    source: one, or several whose names start below the folder that all have in common.
    include, exclude: globs for names below the source's root; see `sources.choice`.
    weights: of the codec: a file or folder that every worker can read, or what else it knows;
        without them the shipped ones.
    measures: of verified pictures beside PSNR, which is always measured, and what the target names.
    plugins: modules that every worker imports first; they `register` codecs of their own.
    damaged: whether a damaged picture is kept bit for bit, or fails.
    reencode: pictures that another codec, other weights or another target stored are encoded anew.
    """

    source: Annotated[str | tuple[str, ...], AfterValidator(_single)]
    include: tuple[Pattern, ...] = ()
    exclude: tuple[Pattern, ...] = ()
    codec: str = "hyperprior"
    codec_options: dict[str, Any] = Field(default_factory=dict)
    weights: str | None = None
    target: Target = Target()
    retry_failed: bool = False
    reencode: bool = False
    damaged: Literal["keep", "fail"] = "keep"
    max_failures: Fraction | None = None
    max_pixels: int = Field(default=DEFAULT_MAX_PIXELS, ge=1)
    verify_fraction: Fraction = 1.0
    measures: Measures = ("ms_ssim", "ssimulacra2")
    latents: bool = True
    plugins: tuple[str, ...] = ()

    @property
    def sources(self) -> str:
        """What is compressed, in a few words."""
        if isinstance(self.source, str):
            return self.source
        return f"{self.source[0]} and {len(self.source) - 1} more"

    @property
    def choice(self) -> Choice:
        """Which of the source's files are inputs."""
        return Choice(self.include, self.exclude)

    def failures_allowed(self, new_inputs: int) -> float:
        """How many of a run's new inputs may fail before it is stopped."""
        if self.max_failures is not None:
            return self.max_failures * new_inputs
        return max(DEFAULT_FAILURES, DEFAULT_MAX_FAILURES * new_inputs)

    def encode_fingerprint(self) -> str:
        """sha256 over the options that decide the bytes of a shard (not where, nor how fast)."""
        options = self.model_dump(
            mode="json",
            include={
                "codec",
                "codec_options",
                "target",
                "max_pixels",
                "damaged",
                "verify_fraction",
                "measures",
                "latents",
            },
        )
        return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()
