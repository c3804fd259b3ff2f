"""A codec with its options in one word: `avif:subsampling=4:4:4+speed=4`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path

from glassplate.codecs import Codec, FileCodec, get_codec
from glassplate.codecs.base import Device
from glassplate.codecs.errors import ConfigError
from glassplate.codecs.registry import parse_options


@cache
def build_choice(choice: str, device: Device, plugins: tuple[str, ...]) -> Codec:
    """Build `NAME` or `NAME:OPTION=VALUE+OPTION=VALUE`; the option `weights` is a file or folder.

    Plugins are imported first. Raises what `get_codec` raises, and ConfigError for a codec that has
    no qualities to choose from.
    """
    import_plugins(plugins)
    name, _, rest = choice.partition(":")
    options = parse_options(rest.split("+") if rest else [], f"codec {choice}")
    weights = options.pop("weights", None)
    codec = get_codec(
        name, device=device, weights=Path(weights) if weights else None, options=options
    )
    if isinstance(codec, FileCodec):
        raise ConfigError("keeps files bit for bit: it has no rate to trade", "", f"codec {name}")
    return codec


def import_plugins(modules: Iterable[str]) -> None:
    """Import the modules that `register` codecs of their own. Raises ConfigError."""
    for module in modules:
        try:
            import_module(module)
        except ImportError as error:
            fix = "It has to be importable in every worker."
            raise ConfigError(f"cannot be imported ({error})", fix, f"plugin {module}") from error
