"""The codec that a run's options ask for."""

from __future__ import annotations

from pathlib import Path

from glassplate.codecs import Codec, FileCodec, get_codec
from glassplate.codecs.base import resolve_device
from glassplate.codecs.errors import ConfigError, GlassplateError
from glassplate.pipelines.codec_choice import import_plugins
from glassplate.pipelines.compress.config import CompressConfig


def build_codec(config: CompressConfig) -> Codec | FileCodec:
    """The codec that the options ask for, plugins imported first. Raises ConfigError, too."""
    import_plugins(config.plugins)
    if config.device == "cuda":  # what was asked for has to be there, whether it is needed or not
        resolve_device(config.device)
    weights = Path(config.weights) if config.weights else None
    codec = get_codec(
        config.codec, device=config.device, weights=weights, options=config.codec_options
    )
    if weights and not codec.spec.weights_sha256:
        raise ConfigError("has no weights", "Leave out --weights.", f"codec {config.codec}")
    return codec


def build_codecs(config: CompressConfig) -> list[Codec | FileCodec]:
    """The same for the run, then for each of its rules, which errors name."""
    codecs = [build_codec(config)]
    for number, (rule, way) in enumerate(zip(config.rules, config.ways[1:], strict=True), 1):
        try:
            codecs.append(build_codec(way))
        except GlassplateError as error:
            subject = f"--rules, rule {number} ({', '.join(rule.match)}): {error.subject}"
            raise type(error)(error.cause, error.fix, subject.removesuffix(": ")) from error
    return codecs
