"""What a configuration asks for, as parameters of a command or a flow.

Configurations inside a configuration are asked for in one row with it. One that may be absent is
there if one of its switches is.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from glassplate.codecs.option import Option, options

REQUIRED: Any = inspect.Parameter.empty
_PLAIN = (bool, int, float, str, Path)


@dataclass(frozen=True)
class Form:
    """How a value is written.

    kind: Its type, or that of each, without None. choices: What it may be, if that is a few words.
    many: A list. alone: Or a single one of it. pairs: A mapping, NAME=VALUE on a command line.
    text: The configuration reads text, too ('5%', '4GB'); of pairs, their values are text.
    """

    kind: type = str
    choices: tuple[str, ...] = ()
    many: bool = False
    alone: bool = False
    pairs: bool = False
    text: bool = False

    def of_command(self) -> Any:
        """The type for Typer."""
        if self.pairs or (self.many and not self.text):
            return list[self.kind]  # type: ignore[name-defined]
        return str if self.text else self.kind

    def of_flow(self) -> Any:
        """The type for Prefect, whose parameters are JSON."""
        if self.pairs:
            return dict[str, Any]
        kind = str if self.kind is Path else self.kind
        if self.many:
            several = list[kind]  # type: ignore[valid-type]
            return str | several if self.alone or self.text else several
        return kind | str if self.text else kind


@dataclass(frozen=True)
class Parameter:
    """A field as a parameter of a function.

    path: Where its value stands in the configuration. within: Where the innermost configuration
        stands that it is part of and that may be absent.
    """

    path: tuple[str, ...]
    option: Option
    form: Form
    default: Any
    within: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """As people know it."""
        return self.option.name or self.path[-1]

    @property
    def flag(self) -> str:
        """As it is named on a command line."""
        return self.option.flag(self.path[-1])

    def of_command(self) -> inspect.Parameter:
        """For Typer."""
        kind = self.form.of_command()
        info = typed(
            self.option,
            self.path[-1],
            metavar="|".join(self.form.choices),
            negated=self.default is True,
            shown=self.default not in ("", None),
        )
        return self._parameter(Annotated[kind | None if self.default is None else kind, info])

    def of_flow(self) -> inspect.Parameter:
        """For Prefect."""
        kind = self.form.of_flow()
        if self.option.formerly:
            kind |= self.option.formerly
        return self._parameter(kind if self.default is REQUIRED else kind | None)

    def _parameter(self, annotation: Any) -> inspect.Parameter:
        keyword = inspect.Parameter.KEYWORD_ONLY
        return inspect.Parameter(self.name, keyword, default=self.default, annotation=annotation)


def typed(
    option: Option, field: str, *, metavar: str = "", negated: bool = False, shown: bool = False
) -> Any:
    """What Typer makes an option from, or a positional argument.

    metavar: Where the option has none. negated: With a `--no-` as well. shown: With its default.
    """
    metavar = option.metavar or metavar
    if option.place:
        return typer.Argument(metavar=metavar, help=option.help, show_default=False)
    flag = option.flag(field)
    if negated:
        flag += f"/--no-{flag.removeprefix('--')}"
    return typer.Option(flag, help=option.help, metavar=metavar or None, show_default=shown)


def parameters(model: type[BaseModel], *, absent: bool = False) -> list[Parameter]:
    """What a configuration asks for: what is required first, and what is its own before the rest.

    absent: Whether there may be no such configuration.
    """
    found = [one for field in _own_first(model) for one in _of_field(model, field)]
    if absent:
        found = [_of_absent(one, ()) for one in found]
    return sorted(found, key=lambda one: (one.default is not REQUIRED, one.option.place))


def _own_first(model: type[BaseModel]) -> list[str]:
    """Names of fields, those of a base class after the class's own."""
    stated = dict.fromkeys(name for cls in model.__mro__ for name in inspect.get_annotations(cls))
    return [name for name in stated if name in model.model_fields]


def _of_field(model: type[BaseModel], field: str) -> Iterator[Parameter]:
    info, option = model.model_fields[field], options(model).get(field)
    if option is None:
        yield from _of_nested(info, field)
    elif option.rest:
        name = info.default.model_dump()[info.discriminator]
        told = replace(option, name=option.name or field)
        yield Parameter((field, str(info.discriminator)), told, Form(), name)
        yield Parameter((field,), option.rest, Form(pairs=True, text=True), None)
    else:
        form = _form(info.annotation)
        if any(isinstance(one, BeforeValidator) for one in info.metadata):
            form = replace(form, text=True)
        yield Parameter((field,), option, form, _default(info, option))


def _of_nested(info: FieldInfo, field: str) -> Iterator[Parameter]:
    kinds = _kinds(info.annotation)
    for kind in kinds if len(kinds) == 1 else []:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for one in parameters(kind):
                one = replace(one, path=(field, *one.path))
                yield one if kind is info.annotation else _of_absent(one, (field,))


def _of_absent(one: Parameter, within: tuple[str, ...]) -> Parameter:
    return replace(one, within=within, default=None if one.default is REQUIRED else one.default)


def _default(info: FieldInfo, option: Option) -> Any:
    if option.written:
        return option.written
    if option.depends or info.default_factory or info.default == ():
        return None
    return REQUIRED if info.default is PydanticUndefined else info.default


def _kinds(annotation: Any) -> list[Any]:
    """The members of a union, without None; or the one type."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [one for one in get_args(annotation) if one is not types.NoneType]
    return [annotation]


def _form(annotation: Any) -> Form:
    if annotation in _PLAIN:
        return Form(annotation)
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return Form(type(inner[0]), choices=tuple(map(str, inner)))
    if origin is Annotated:
        reads = any(isinstance(one, BeforeValidator) for one in inner[1:])
        return replace(_form(inner[0]), text=reads)
    if origin is tuple:
        return Form(_form(inner[0]).kind, many=True)
    if origin is dict:
        return Form(pairs=True)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Form(dict)  # as JSON; on a command line what the configuration reads
    kinds = _kinds(annotation)
    if kinds == [annotation]:
        raise TypeError(f"an option cannot be a {annotation}")
    if len(kinds) == 1:
        return _form(kinds[0])
    lists = any(get_origin(kind) is tuple for kind in kinds)
    return Form(many=lists, alone=lists)
