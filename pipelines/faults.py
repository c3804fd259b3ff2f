"""What is wrong with a document that was read, in one line."""

from __future__ import annotations

from pydantic import ValidationError

from glassplate.codecs.faults import said


def first_fault(error: ValidationError) -> str:
    """The first place where anything is wrong, what, and the value if it is short."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    value = first["input"]
    shown = f" ({str(value)[:80]!r})" if isinstance(value, str | int) else ""
    message = said(first["type"], first["msg"], first.get("ctx"))
    return f"{place}: {message}{shown}" if place else message + shown
