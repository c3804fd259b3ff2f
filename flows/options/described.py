"""What may be said for an option, for people: its type, range and choices."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from glassplate.codecs.option import options

_WORDS = {int: "integer", float: "number", str: "text"}


@dataclass(frozen=True)
class Described:
    """An option: its name, what it may be, its default, and what it means."""

    option: str
    allowed: str
    default: Any
    what: str


def described(model: type[BaseModel]) -> list[Described]:
    """The options of a configuration, in their order; a plugin's may say less of theirs."""
    asked = options(model)
    return [
        Described(
            name,
            asked[name].metavar if name in asked and asked[name].metavar else _allowed(field),
            _written(field.get_default(call_default_factory=True)),
            asked[name].help if name in asked else field.description or "",
        )
        for name, field in model.model_fields.items()
    ]


def _allowed(field: FieldInfo) -> str:
    """'integer, 64 to 4096, a multiple of 64', or 'psnr | eye'."""
    return _kind(field.annotation, field.metadata)


def _kind(annotation: Any, metadata: list[Any]) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(inner[0], [*inner[1:], *metadata])
    if origin is Literal:
        return " | ".join(map(str, inner))
    if origin in (Union, types.UnionType):
        kinds = [kind for kind in inner if kind is not types.NoneType]
        parts = [_kind(kind, metadata) for kind in kinds]
        return " | ".join(parts + ["null"] * (len(kinds) < len(inner)))
    if annotation is bool:
        return "true | false"
    word = _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))
    return ", ".join([word, *_limits(metadata)])


def _limits(metadata: list[Any]) -> Iterator[str]:
    low = next((str(m.ge) for m in metadata if isinstance(m, Ge)), None)
    above = next((f"above {m.gt}" for m in metadata if isinstance(m, Gt)), None)
    high = next((str(m.le) for m in metadata if isinstance(m, Le)), None)
    below = next((f"below {m.lt}" for m in metadata if isinstance(m, Lt)), None)
    if low and high:
        yield f"{low} to {high}"
    else:
        yield from filter(None, [low and f"at least {low}", above])
        yield from filter(None, [high and f"at most {high}", below])
    for one in metadata:
        if isinstance(one, MultipleOf):
            yield f"a multiple of {one.multiple_of}"


def _written(value: Any) -> Any:
    """As it is typed."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else value
