"""From the values of parameters to a configuration, and back.

Ranges are checked in one place, the configuration; a refusal there comes back as a usage error that
names the option.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from glassplate.codecs.errors import ConfigError
from glassplate.codecs.faults import said
from glassplate.codecs.registry import parse_options
from glassplate.flows.options.parameters import Parameter, parameters

if TYPE_CHECKING:
    from pydantic import ValidationError

Model = TypeVar("Model", bound=BaseModel)
Path = tuple[str, ...]


def config_of(model: type[Model], **values: Any) -> Model:
    """A configuration from parameters of a flow. Raises ConfigError naming the option."""
    asked = parameters(model)
    return checked(model, fields_of(asked, values) or {}, asked)


def values_of(config: BaseModel) -> dict[str, Any]:
    """The parameters of a flow for a configuration: JSON, by name."""
    fields = config.model_dump(mode="json")
    asked = parameters(type(config))
    paths = {one.path for one in asked}
    return {one.name: _without(_at(fields, one.path), one.path, paths) for one in asked}


def _at(fields: Any, path: Path) -> Any:
    for part in path:
        fields = (fields or {}).get(part)
    return fields


def _without(value: Any, path: Path, others: set[Path]) -> Any:
    """A mapping without what is a parameter of its own."""
    if not isinstance(value, dict):
        return value
    return {name: one for name, one in value.items() if (*path, name) not in others}


def fields_of(asked: Sequence[Parameter], values: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields of a configuration, nested as it is; None if it may be absent, and is.

    Raises ConfigError for an option of a configuration that is absent.
    """
    given = {one: values.get(one.name, one.default) for one in asked}
    given = {one: value for one, value in given.items() if value is not None}
    absent = set(_absent(asked, given))
    if () in absent:
        return None
    fields: dict[str, Any] = {}
    for one in sorted(given, key=lambda one: len(one.path)):
        if one.within not in absent:
            inner = fields
            for part in one.path[:-1]:
                inner = inner.setdefault(part, {})
            value = given[one]
            inner[one.path[-1]] = dict(value) if isinstance(value, Mapping) else value
    return fields


def _absent(asked: Sequence[Parameter], given: Mapping[Parameter, Any]) -> Iterator[Path]:
    """Where there is no configuration, since none of its switches was given."""
    for within in dict.fromkeys(one.within for one in asked if one.within is not None):
        inside = [one for one in asked if one.within == within]
        switches = [one for one in inside if one.option.switch]
        if any(given.get(one) not in (None, False, "none") for one in switches):
            continue
        yield within
        for one in inside:
            if one not in switches and given.get(one) not in (None, one.default):
                flags = " or ".join(switch.flag for switch in switches)
                raise ConfigError(f"goes with {flags} only", f"Say {flags}, too.", one.flag)


def as_typed(asked: Sequence[Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values from a command line: NAME=VALUE becomes a mapping. Raises ConfigError."""
    read = dict(values)
    for one in asked:
        if one.form.pairs:
            parse = text_options if one.form.text else parse_options
            read[one.name] = parse(values[one.name] or [], one.flag)
    return read


def text_options(pairs: Sequence[str], flag: str) -> dict[str, str]:
    """['version=1.20'] -> {'version': '1.20'}. It stays text: 1.20 is not 1.2."""
    options = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not (name and equals):
            raise ConfigError(f"{pair!r} is not NAME=VALUE", subject=flag)
        options[name.replace("-", "_")] = text
    return options


def checked(model: type[Model], fields: dict[str, Any], asked: Sequence[Parameter]) -> Model:
    """A configuration from its fields. Raises ConfigError naming the option."""
    from pydantic import ValidationError

    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise _refusal(error, asked) from error


def validated(
    model: type[Model], fields: dict[str, Any], flags: Mapping[str, str] | None = None
) -> Model:
    """A model whose fields are no `Option`s. Raises ConfigError naming the option.

    flags: Field -> option, where the one is not called like the other.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate(fields)
    except ValidationError as error:
        head = str(error.errors()[0]["loc"][0]) if error.errors()[0]["loc"] else ""
        flag = (flags or {}).get(head) or "--" + head.replace("_", "-")
        raise ConfigError(_cause(error), "See --help.", flag) from error


def _refusal(error: ValidationError, asked: Sequence[Parameter]) -> ConfigError:
    place = tuple(map(str, error.errors()[0]["loc"]))
    below = [one for one in asked if one.path[: len(place)] == place]
    if len(below) > 1:
        below = [one for one in below if one.option.switch] or below
        below = [one for one in below if not one.form.pairs]
    inside = below if place else [one for one in below if one.option.switch]
    found = inside or [one for one in asked if one.path == place[: len(one.path)]]
    cause = _cause(error)
    if not below and found and found[0].form.pairs:
        cause = ": ".join([*place[2:], cause])
    see = found[0].option.see if found else "--help"
    return ConfigError(cause, f"See {see}.", " / ".join(one.flag for one in found))


def _cause(error: ValidationError) -> str:
    first = error.errors()[0]
    cause = said(first["type"], first["msg"], first.get("ctx"))
    if isinstance(first["input"], str | int | float):
        cause += f" (got {first['input']!r})"
    return cause
