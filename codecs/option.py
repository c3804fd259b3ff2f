"""What people read of a configuration's field, wherever they write its value.

It stands in the field's annotation, beside type and range; commands and flows are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True)
class Option:
    """How a field is asked for.

    help: A line or two. name: Where it is not the field's own. metavar: What stands for the value
        in a usage line.
    typed: What is typed on a command line, where it is not `--name`.
    place: Of a positional argument, which is typed without a name: its number among them.
    written: The default as people write it, where Python does otherwise.
    depends: The default depends on other fields, so none is shown.
    fixed: It stays as it was when a run is gone on with.
    switch: The configuration that it is part of is wanted at all if this one is given.
    rest: Of a union of configurations, told apart by this option: how their other fields are
        asked for, all together.
    see: Where to read on after a mistake.
    formerly: A type that deployments give a value of that were made before the field had its own.
    """

    help: str
    name: str = ""
    metavar: str = ""
    typed: str = ""
    place: int = 0
    written: str = ""
    depends: bool = False
    fixed: bool = False
    switch: bool = False
    rest: Option | None = None
    see: str = "--help"
    formerly: type | None = None

    def flag(self, field: str) -> str:
        """As the field is named on a command line."""
        if self.place:
            return self.metavar.rstrip(".")
        return self.typed or "--" + (self.name or field).replace("_", "-")


def options(model: type[BaseModel]) -> dict[str, Option]:
    """The fields of a configuration that people are asked for."""
    return {
        name: found
        for name, field in model.model_fields.items()
        for found in field.metadata
        if isinstance(found, Option)
    }
