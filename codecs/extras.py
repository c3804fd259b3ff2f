"""Libraries that only some codecs and commands need, and that come with an extra of the package."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from glassplate.codecs.errors import MissingExtraError


def optional(module: str, extra: str) -> Any:
    """Import a module. Raises MissingExtraError, which names the extra to install."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        fix = f"Install the extra: pip install 'glassplate[{extra}]'."
        raise MissingExtraError("is not installed", fix, module) from error
