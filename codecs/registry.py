"""Codecs by name. Classes are imported on first use, so that listing names costs nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from glassplate.codecs.base import Codec, CodecSpec, Device, FileCodec
from glassplate.codecs.errors import ConfigError, UnknownCodecError, WeightsError
from glassplate.codecs.faults import said

_CLASSES: dict[str, str] = {
    "autoencoder": "glassplate.codecs.autoencoder.codec:AutoencoderCodec",
    "avif": "glassplate.codecs.classical.libraries:AvifCodec",
    "htj2k": "glassplate.codecs.classical.libraries:Htj2kCodec",
    "hyperprior": "glassplate.codecs.hyperprior.codec:HyperpriorCodec",
    "jp2": "glassplate.codecs.classical.libraries:Jp2Codec",
    "jpeg": "glassplate.codecs.classical.libraries:JpegCodec",
    "jxl": "glassplate.codecs.classical.libraries:JxlCodec",
    "jxl-jpeg": "glassplate.codecs.classical.bit_exact:JxlJpegCodec",
    "original": "glassplate.codecs.classical.bit_exact:OriginalCodec",
    "svd": "glassplate.codecs.svd.codec:SvdCodec",
    "vae": "glassplate.codecs.vae.codec:VaeCodec",
    "webp": "glassplate.codecs.classical.libraries:WebpCodec",
}
"""name -> 'module:class'. A class has a `Config` (frozen pydantic model) and the constructor
`(config, device, weights)`, weights being a folder or file, None for the shipped ones; `summary`
and `source` (paper or standard) are a line each, for people."""


_CHOOSERS = {"auto": "glassplate.codecs.auto.codec:AutoCodec"}
"""The same for codecs that choose among others, picture by picture."""


def register(name: str, target: str) -> None:
    """Make a codec known under a name; target is 'module:class', importable in every worker."""
    _CLASSES[name] = target


def codec_names() -> list[str]:
    """All that have bitstreams of their own, sorted."""
    return sorted(_CLASSES)


def choices() -> list[str]:
    """Everything that `get_codec` builds: those that choose among others first."""
    return [*sorted(_CHOOSERS), *codec_names()]


def codec_class(name: str) -> Any:
    """The class behind a name. Raises UnknownCodecError."""
    known = _CHOOSERS | _CLASSES
    if name not in known:
        raise UnknownCodecError(f"no codec named {name!r}", f"Known: {', '.join(choices())}.")
    module, attribute = known[name].split(":")
    return getattr(import_module(module), attribute)


def measured(name: str) -> dict[str, Any]:
    """What the shipped codec does at its defaults: parameters, ratio and psnr, each may be None.

    parameters: trained ones. ratio: raw RGB bytes over bitstream. psnr: mean, dB. All on the
    photographs of scikit-image; tests/benchmarks/codec_table.py measures anew.
    """
    table = json.loads(Path(__file__).with_name("measured.json").read_text())
    known: dict[str, Any] = table.get(name, {})
    return {key: known.get(key) for key in ("parameters", "ratio", "psnr")}


def parse_options(pairs: Iterable[str], subject: str) -> dict[str, Any]:
    """['factor=0.15'] -> {'factor': 0.15}. Values are JSON where they can be, else text.

    Raises ConfigError about `subject`.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not (name and equals):
            raise ConfigError(f"{pair!r} is not NAME=VALUE", subject=subject)
        try:
            options[name.replace("-", "_")] = json.loads(text)
        except ValueError:
            options[name.replace("-", "_")] = text
    return options


def get_codec(
    name: str,
    *,
    device: Device = "auto",
    weights: Path | None = None,
    options: Mapping[str, Any] | None = None,
) -> Codec | FileCodec:
    """Build a codec. Raises UnknownCodecError, ConfigError, DeviceError, WeightsError."""
    cls = codec_class(name)
    config_class: type[BaseModel] = cls.Config
    try:
        config = config_class.model_validate(dict(options or {}), strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "options"
        known = ", ".join(config_class.model_fields) or "none"
        cause = said(first["type"], first["msg"], first.get("ctx"))
        raise ConfigError(
            f"{where} {cause}", f"Options of this codec: {known}.", f"codec {name}"
        ) from error
    codec: Codec | FileCodec = cls(config, device, weights)
    return codec


def codec_from_spec(
    spec: CodecSpec, *, device: Device = "auto", weights: Path | None = None
) -> Codec | FileCodec:
    """Rebuild the codec that wrote an archive; without weights, by those of all shipped ones.

    Raises WeightsError, with the sha256 that is needed and the place that was looked at, if its
    weights are not there or others are.
    """
    wanted = f"needs the weights of sha256 {spec.weights_sha256}"
    fix, subject = "The archive that it wrote has them under models/.", f"codec {spec.name}"
    try:
        codec = get_codec(spec.name, device=device, weights=weights, options=spec.params)
    except WeightsError as error:
        raise WeightsError(
            f"{wanted}, and {error.cause} ({error.subject})", fix, subject
        ) from error
    if codec.spec.weights_sha256 != spec.weights_sha256:
        if weights is None and (shipped := _shipped(spec.weights_sha256)):
            return codec_from_spec(spec, device=device, weights=shipped)
        path = getattr(codec, "weights_path", None)
        cause = f"{wanted}, and those at {path} have {codec.spec.weights_sha256}"
        raise WeightsError(cause, fix, subject)
    return codec


def _shipped(sha256: str | None) -> Path | None:
    """The shipped weight file of this content."""
    from glassplate.codecs.weight_file import SHIPPED, digest  # torch: seldom needed, slow to load

    return next((path for path in SHIPPED.glob("*.safetensors") if digest(path) == sha256), None)
