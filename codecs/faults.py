"""What is wrong with a value, or a file, in our words, not in pydantic's or the system's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SAID: Mapping[str, str] = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be names with values",
    "extra_forbidden": "is not known",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large",
    "int_type": "must be a whole number",
    "json_invalid": "is no JSON ({error})",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "missing": "is missing",
    "model_type": "must be names with values",
    "multiple_of": "must be a multiple of {multiple_of}",
    "path_type": "must be a path",
    "string_pattern_mismatch": "must be of the form {pattern}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "string_type": "must be text",
    "too_long": "must have at most {max_length} parts",
    "too_short": "must have at least {min_length} parts",
    "tuple_type": "must be a list",
    "union_tag_invalid": "must be one of {expected_tags}",
    "union_tag_not_found": "has no {discriminator}",
}


def said(kind: str, message: str, context: Mapping[str, Any] | None = None) -> str:
    """An error of pydantic, by its `type`, `msg` and `ctx`, as what the value must be.

    Whatever our own validators say stays as it is.
    """
    own = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if kind not in _SAID:
        return own
    numbers = {k: f"{v:g}" if isinstance(v, float) else v for k, v in (context or {}).items()}
    return _SAID[kind].format_map(numbers)


def said_of_file(error: Exception) -> str:
    """'a.png: is a directory' for what the system says, with numbers and quotes, of a file."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror[:1].lower()}{error.strerror[1:]}"
    return without_number(str(error))


def without_number(text: str) -> str:
    """What the system says, without the number of its error."""
    return re.sub(r"\[Errno -?\d+\] ?", "", text)
