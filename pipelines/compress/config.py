"""The options of one compression run, validated once, then passed down unchanged."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from glassplate.codecs import Target
from glassplate.codecs.option import Option
from glassplate.pipelines.compress.rules import Preset, Rule, first_match, read_rules, with_preset
from glassplate.pipelines.jobs.config import JobConfig
from glassplate.pipelines.options import MAX_PIXELS
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


LatentsOf = Literal["none", "embedding", "vae"]
"""What is stored for training and search; each one has what those before it have."""


def parse_latents(value: object) -> object:
    """True -> 'embedding', False -> 'none', as the option was before it named a model."""
    return {True: "embedding", False: "none"}[value] if isinstance(value, bool) else value


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
    preset: says codec and target. rules: for names that match, they hold instead of those.
    measures: of verified pictures beside PSNR, which is always measured, and what the target names.
    plugins: modules that every worker imports first; they `register` codecs of their own.
    damaged: whether a damaged picture is kept bit for bit, or fails.
    latents: embeddings, and the codec's own latents where it has some; or those of an autoencoder
        for every picture, whatever its codec.
    latents_weights: of that autoencoder; without them the shipped ones.
    reencode: pictures that another codec, other weights or another target stored are encoded anew.
    """

    source: Annotated[
        str | tuple[str, ...],
        Option(
            "Directories, globs, files, .zip, .tar or Parquet files with pictures inside, folders"
            " of such shards, .parquet, .csv, .jsonl or .txt lists of paths or URLs, or - for paths"
            " on standard input; any fsspec URL.",
            metavar="SOURCE...",
            place=1,
        ),
        AfterValidator(_single),
    ]
    include: Annotated[
        tuple[Pattern, ...],
        Option(
            "Take only what this matches: '*.tif' anywhere, '2024/**' below the source's root;"
            " of a folder, all that is in it. Can be repeated.",
            metavar="GLOB",
        ),
    ] = ()
    exclude: Annotated[
        tuple[Pattern, ...],
        Option(
            "Leave out what this matches, also of what --include takes. Can be repeated.",
            metavar="GLOB",
        ),
    ] = ()
    preset: Annotated[
        Preset | None,
        Option(
            "Codec and target in one word: lossless (JPEG files bit for bit), visually-lossless"
            " (SSIMULACRA2 90), small (65), by codec auto; latents, by codec vae.",
        ),
    ] = None
    codec: Annotated[
        str,
        Option(
            "A name that `glassplate codecs` lists; hyperprior without one.",
            metavar="NAME",
            depends=True,
        ),
    ] = "hyperprior"
    codec_options: Annotated[
        dict[str, Any],
        Option(
            "An option of the codec; can be given more than once.",
            typed="--codec-option",
            metavar="NAME=VALUE",
        ),
    ] = Field(default_factory=dict)
    weights: Annotated[
        str | None,
        Option(
            "Weights of the codec: a file or folder; for vae also a diffusers model or its hub id.",
            metavar="PATH",
        ),
    ] = None
    target: Target = Target()
    rules: Annotated[
        tuple[Rule, ...],
        Option(
            "A TOML file with codec and target for kinds of input; the first [[rule]] whose match"
            " is like a file's name holds.",
            metavar="FILE",
        ),
        BeforeValidator(read_rules),
    ] = ()
    retry_failed: Annotated[
        bool,
        Option(
            "Try inputs again that failed in an earlier run, or were kept because they are"
            " damaged, too large or unsupported."
        ),
    ] = False
    reencode: Annotated[
        bool,
        Option(
            "Store pictures anew, from their sources, that another codec, other weights or"
            " another quality stored."
        ),
    ] = False
    max_failures: Annotated[
        Fraction | None,
        Option(
            "Commit nothing if more than this share of the new inputs fails: 1%, 0.01."
            " Default: 25%, and more than 10.",
            metavar="SHARE",
        ),
    ] = None
    max_pixels: Annotated[int, MAX_PIXELS, Field(ge=1)] = DEFAULT_MAX_PIXELS
    damaged: Annotated[
        Literal["keep", "fail"],
        Option("Keep damaged pictures bit for bit, or let them fail and leave them out."),
    ] = "keep"
    verify_fraction: Annotated[
        Fraction,
        Option(
            "Share of the pictures that are decoded again and measured before the commit.",
            typed="--verify",
            metavar="SHARE",
            written="100%",
        ),
    ] = 1.0
    measures: Annotated[
        Measures,
        Option(
            "What is measured beside PSNR, by commas; psnr: nothing more, which is faster.",
            typed="--measure",
            metavar="LIST",
            written="ms-ssim,ssimulacra2",
        ),
    ] = ("ms_ssim", "ssimulacra2")
    latents: Annotated[
        LatentsOf,
        Option(
            "What is stored for search and training, too: a small embedding of each picture, with"
            " the codec's own latents where it has some; the latents of an autoencoder, whatever"
            " the codec, also of pictures that are stored already; nothing.",
            formerly=bool,
        ),
        BeforeValidator(parse_latents),
    ] = "embedding"
    latents_weights: Annotated[
        str | None,
        Option(
            "Weights of that autoencoder: a file or folder, a diffusers model or its hub id.",
            metavar="PATH",
        ),
    ] = None
    plugins: Annotated[
        tuple[str, ...],
        Option(
            "Import this module first; it registers codecs of its own. Can be repeated.",
            typed="--plugin",
            metavar="MODULE",
        ),
    ] = ()

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, fields: Any) -> Any:
        return with_preset(fields)

    @property
    def ways(self) -> tuple[CompressConfig, ...]:
        """The run's own options, then those of each rule; what it does not say, the run says."""
        said = [rule.fields for rule in self.rules]
        return (self, *(self.model_copy(update={**one, "rules": ()}) for one in said))

    def way_of(self, name: str) -> int:
        """Which of the ways a file of this name goes."""
        found = first_match(self.rules, name)
        return 0 if found is None else found + 1

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

    @model_validator(mode="after")
    def _weights_of_latents(self) -> Self:
        if self.latents_weights and self.latents != "vae":
            raise ValueError("latents_weights are of the latents 'vae', which are not asked for")
        return self

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
                "rules",
                "max_pixels",
                "damaged",
                "verify_fraction",
                "measures",
                "latents",
                "latents_weights",
            },
        )
        return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()
