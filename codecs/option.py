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
        in a usage line. depends: The default depends on other fields, so none is shown.
    fixed: It stays as it was when a run is gone on with.
    """

    help: str
    name: str = ""
    metavar: str = ""
    depends: bool = False
    fixed: bool = False

    def flag(self, field: str) -> str:
        """As the field is named on a command line."""
        return "--" + (self.name or field).replace("_", "-")


def options(model: type[BaseModel]) -> dict[str, Option]:
    """The fields of a configuration that people are asked for."""
    return {
        name: found
        for name, field in model.model_fields.items()
        for found in field.metadata
        if isinstance(found, Option)
    }
