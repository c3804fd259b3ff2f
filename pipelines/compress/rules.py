"""Presets, and rules for kinds of input: which codec and target, said in a word or a small file.

    [[rule]]
    match = "*.{jpg,jpeg}"          # as --include reads it; upper and lower case are the same
    codec = "jxl-jpeg"

    [[rule]]
    match = ["scans/**", "*.tif"]
    preset = "lossless"

The first rule that matches a file's name, below the source's root, holds; without one, what the run
says. What a rule does not say, the run says; options and weights are those of a codec, and go with
it. A run keeps its rules, not the file's name: later runs and the manifest know what they were.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from glassplate.codecs import Target
from glassplate.pipelines.sources.choice import matcher
from glassplate.pipelines.storage.store import Store

Preset = Literal["lossless", "visually-lossless", "small", "latents"]

PRESETS: Mapping[Preset, Mapping[str, Any]] = {
    "lossless": {"codec": "auto", "target": {"quality": 100.0}},
    "visually-lossless": {"codec": "auto", "target": {"ssimulacra2": 90.0}},
    "small": {"codec": "auto", "target": {"ssimulacra2": 65.0}},
    "latents": {"codec": "vae"},
}

_TARGETS = {
    "quality": "quality",
    "target_psnr": "psnr",
    "target_ms_ssim": "ms_ssim",
    "target_ssimulacra2": "ssimulacra2",
    "max_bpp": "max_bpp",
}
"""How targets are named where people write them, and in `Target`."""


def with_preset(fields: Any) -> Any:
    """Fields with what their preset says. Raises ValueError where they say something else."""
    if not isinstance(fields, Mapping) or not fields.get("preset"):
        return fields
    preset = fields["preset"]
    if preset not in PRESETS:
        return fields  # its own refusal says what there is
    says = PRESETS[preset]
    for name, value in says.items():
        given = fields.get(name)
        given = given.model_dump(exclude_none=True) if isinstance(given, Target) else given
        if isinstance(given, Mapping):
            given = {key: one for key, one in given.items() if one is not None}
        if given and given != value:
            told = ", ".join(f"{k} {v:g}" for k, v in value.items()) if name == "target" else value
            raise ValueError(f"preset {preset} says {name} {told}; leave out one of the two")
    return {**fields, **says}


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _checked(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        matcher(pattern)
    return patterns


class Rule(BaseModel):
    """How files are stored whose names match. None: as the run says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: Annotated[
        tuple[str, ...], BeforeValidator(_as_tuple), AfterValidator(_checked), Field(min_length=1)
    ]
    preset: Preset | None = None
    codec: str | None = None
    codec_options: dict[str, Any] = Field(default_factory=dict)
    weights: str | None = None
    target: Target | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, fields: Any) -> Any:
        if isinstance(fields, Mapping):
            target = {_TARGETS[name]: fields[name] for name in _TARGETS if name in fields}
            fields = {name: value for name, value in fields.items() if name not in _TARGETS}
            if target:
                fields["target"] = target
        return with_preset(fields)

    @model_validator(mode="after")
    def _options_are_of_a_codec(self) -> Rule:
        if (self.codec_options or self.weights) and not self.codec:
            raise ValueError("codec_options and weights go with a codec; name it, too")
        if not (self.codec or self.target):
            raise ValueError("it says neither codec nor target nor preset")
        return self

    def matches(self, name: str) -> bool:
        """Whether it is about a file of this name, below the source's root."""
        return bool(_of_all(self.match).fullmatch(name))

    @property
    def fields(self) -> dict[str, Any]:
        """What it says, as fields of a run."""
        found: dict[str, Any] = {}
        if self.codec:
            found |= {"codec": self.codec, "codec_options": self.codec_options}
            found |= {"weights": self.weights}
        if self.target:
            found["target"] = self.target
        return found


def read_rules(value: object) -> object:
    """The rules in a TOML file, as mappings; anything but a path is left as it is.

    Raises ValueError naming the file and what is wrong.
    """
    if not isinstance(value, str):
        return value
    try:
        folder, slash, name = value.rpartition("/")
        document = tomllib.loads(Store(folder + slash or ".").read(name).decode())
    except OSError as error:
        raise ValueError(f"{value} cannot be read ({error})") from error
    except ValueError as error:  # not UTF-8, or not TOML
        raise ValueError(f"{value} is not TOML: {error}") from error
    rules = document.get("rule")
    others = ", ".join(name for name in document if name != "rule")
    if others or not isinstance(rules, list) or not rules:
        what = f"has {others} beside them" if others else "has none"
        raise ValueError(f"{value} {what}; it is to hold tables [[rule]] and nothing else")
    for number, rule in enumerate(rules, 1):
        _check(value, number, rule)
    return rules


def first_match(rules: Iterable[Rule], name: str) -> int | None:
    """The number of the rule that holds for a name, from 0; None: none does."""
    return next((number for number, rule in enumerate(rules) if rule.matches(name)), None)


def _check(file: str, number: int, rule: Any) -> None:
    """Raises ValueError naming file, rule, key and what is allowed."""
    from pydantic import ValidationError

    try:
        Rule.model_validate(rule)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        cause = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            known = ", ".join(["match", "preset", "codec", "codec_options", "weights", *_TARGETS])
            cause = f"is no key of a rule; there are {known}"
        match = rule.get("match") if isinstance(rule, dict) else None
        about = f" ({match})" if match else ""
        raise ValueError(
            f"{file}: rule {number}{about}: {where + ': ' if where else ''}{cause}"
        ) from error


@cache
def _of_all(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(matcher, patterns)), re.IGNORECASE)
