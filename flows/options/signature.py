"""Signatures of commands and flows, made from the fields of a configuration.

An option is written once: on the field, with its type, range, default and `Option`. From the
signature Typer makes a command line, Prefect the form of a deployment.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from glassplate.codecs.option import Option, options
from glassplate.flows.options.common import validated

Model = TypeVar("Model", bound=BaseModel)
Result = TypeVar("Result")
F = TypeVar("F", bound=Callable[..., Any])

_NONE: Mapping[str, Any] = MappingProxyType({})
_PLAIN = (bool, int, float, str, Path)


@dataclass(frozen=True)
class Parameter:
    """A field as a parameter of a function; kind: its type, without None."""

    field: str
    option: Option
    kind: type
    default: Any
    choices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As people know it."""
        return self.option.name or self.field

    def of_command(self) -> inspect.Parameter:
        """For Typer."""
        metavar = self.option.metavar or "|".join(self.choices) or None
        info = typer.Option(
            self.option.flag(self.field),
            help=self.option.help,
            metavar=metavar,
            show_default=self.default not in ("", None),
        )
        return self._parameter(Annotated[self._optional(self.kind), info])

    def of_flow(self) -> inspect.Parameter:
        """For Prefect, whose parameters are JSON."""
        kind: Any = str if self.kind is Path else self.kind
        required = self.default is inspect.Parameter.empty
        return self._parameter(kind if required else kind | None)

    def _optional(self, kind: Any) -> Any:
        return kind | None if self.default is None else kind

    def _parameter(self, annotation: Any) -> inspect.Parameter:
        keyword = inspect.Parameter.KEYWORD_ONLY
        return inspect.Parameter(self.name, keyword, default=self.default, annotation=annotation)


def parameters(model: type[BaseModel]) -> list[Parameter]:
    """What a configuration asks for, in the order of its fields, what is required first."""
    asked = options(model)
    found = [_parameter(model, field, option) for field, option in asked.items()]
    return sorted(found, key=lambda one: one.default is not inspect.Parameter.empty)


def _parameter(model: type[BaseModel], field: str, option: Option) -> Parameter:
    info = model.model_fields[field]
    kind, choices = _plain(info.annotation)
    default = inspect.Parameter.empty if info.default is PydanticUndefined else info.default
    return Parameter(field, option, kind, None if option.depends else default, choices)


def _plain(annotation: Any) -> tuple[type, tuple[str, ...]]:
    """The type that a value is written as, and what it may be, if that is a few words."""
    if annotation in _PLAIN:
        return annotation, ()
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return str, tuple(map(str, inner))
    if origin in (Union, types.UnionType):
        kinds = [one for one in inner if one is not types.NoneType]
        return _plain(kinds[0]) if len(kinds) == 1 else (str, ())
    if origin is Annotated:
        return _plain(inner[0])
    raise TypeError(f"an option cannot be a {annotation}")


def as_command(
    model: type[Model],
    run: Callable[..., None],
    help_text: str,
    defaults: Mapping[str, Any] = _NONE,
    **given: Any,
) -> Callable[..., None]:
    """A command for Typer with a configuration's options, besides `run`'s own parameters.

    run: Called with the configuration as `config`, and its other parameters by name; the first of
        these is the context. defaults: Fields with another default here. given: Fields that are not
        asked for.
    """
    asked = _asked(model, given, defaults)
    own = [
        p for p in inspect.signature(run, eval_str=True).parameters.values() if p.name != "config"
    ]

    def called(**values: Any) -> None:
        fields = _fields(asked, values) | given
        rest = {parameter.name: values[parameter.name] for parameter in own}
        run(config=_config(model, fields, asked), **rest)

    called.__doc__ = help_text
    return _signed(called, [*own[:1], *(one.of_command() for one in asked), *own[1:]], None)


def as_flow(
    model: type[Model], run: Callable[[Model], Result], **given: Any
) -> Callable[..., Result]:
    """A function for Prefect with a configuration's options as its parameters."""
    asked = _asked(model, given)

    @wraps(run)
    def called(**values: Any) -> Result:
        return run(_config(model, _fields(asked, values) | given, asked))

    returned = inspect.signature(run, eval_str=True).return_annotation
    return _signed(called, [one.of_flow() for one in asked], returned)


def _asked(
    model: type[BaseModel], given: Mapping[str, Any], defaults: Mapping[str, Any] = _NONE
) -> list[Parameter]:
    return [
        replace(one, default=defaults.get(one.field, one.default))
        for one in parameters(model)
        if one.field not in given
    ]


def _signed(called: F, signature: list[inspect.Parameter], returned: Any) -> F:
    """A function that says of itself that it has this signature."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    named = [parameter.replace(kind=keyword) for parameter in signature]
    told: Any = called
    told.__signature__ = inspect.Signature(named, return_annotation=returned)
    told.__annotations__ = {p.name: p.annotation for p in named} | {"return": returned}
    return called


def _fields(asked: list[Parameter], values: dict[str, Any]) -> dict[str, Any]:
    given = {one.field: values.get(one.name) for one in asked}
    return {field: value for field, value in given.items() if value is not None}


def _config(model: type[Model], fields: dict[str, Any], asked: list[Parameter]) -> Model:
    return validated(model, fields, {one.field: one.option.flag(one.field) for one in asked})
