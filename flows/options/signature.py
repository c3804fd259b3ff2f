"""Signatures of commands and flows, made from the fields of a configuration.

An option is written once: on the field, with its type, range, default and `Option`. From the
signature Typer makes a command line, Prefect the form of a deployment.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import wraps
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel

from glassplate.flows.options.parameters import parameters
from glassplate.flows.options.values import as_typed, checked, fields_of

Model = TypeVar("Model", bound=BaseModel)
Result = TypeVar("Result")
F = TypeVar("F", bound=Callable[..., Any])

_NONE: Mapping[str, Any] = MappingProxyType({})


def as_command(
    model: type[Model],
    run: Callable[..., None],
    help_text: str,
    defaults: Mapping[str, Any] = _NONE,
    without: Collection[str] = (),
    **given: Any,
) -> Callable[..., None]:
    """A command for Typer with a configuration's options, besides `run`'s own parameters.

    run: Called with the configuration as `config`, and its other parameters by name. Where its
        `config` may be None, the configuration's switches say whether it is wanted.
    defaults: Fields with another default here. without: Fields that are not asked for.
    given: Fields that are not asked for, either, and have this value.
    """
    own = inspect.signature(run, eval_str=True).parameters
    absent = own["config"].annotation == model | None
    asked = [
        replace(one, default=defaults.get(one.path[0], one.default))
        for one in parameters(model, absent=absent)
        if one.path[0] not in {*without, *given}
    ]

    def called(**values: Any) -> None:
        fields = fields_of(asked, as_typed(asked, values))
        config = None if fields is None else checked(model, fields | given, asked)
        run(config=config, **{name: values[name] for name in own if name != "config"})

    called.__doc__ = help_text
    signature: list[inspect.Parameter] = []
    for name, parameter in own.items():
        of_config = name == "config"
        signature += [one.of_command() for one in asked] if of_config else [parameter]
    return _signed(called, signature, None)


def command(
    model: type[BaseModel], without: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator: see `as_command`. The help is the function's docstring."""
    return lambda run: as_command(model, run, run.__doc__ or "", without=without)


def as_flow(
    model: type[Model], run: Callable[[Model], Result], **given: Any
) -> Callable[..., Result]:
    """A function for Prefect with a configuration's options as its parameters."""
    asked = [one for one in parameters(model) if one.path[0] not in given]

    @wraps(run)
    def called(**values: Any) -> Result:
        return run(checked(model, (fields_of(asked, values) or {}) | given, asked))

    returned = inspect.signature(run, eval_str=True).return_annotation
    return _signed(called, [one.of_flow() for one in asked], returned)


def _signed(called: F, signature: list[inspect.Parameter], returned: Any) -> F:
    """A function that says of itself that it has this signature."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    named = [parameter.replace(kind=keyword) for parameter in signature]
    told: Any = called
    told.__signature__ = inspect.Signature(named, return_annotation=returned)
    told.__annotations__ = {p.name: p.annotation for p in named} | {"return": returned}
    return called
