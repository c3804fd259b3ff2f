"""Autoencoders that others trained: packed into one weight file, then built from it.

    folder of diffusers (config.json, *.safetensors), or
    folder of TAESD state dicts (*encoder.pth, *decoder.pth), or hub id
      -> one safetensors file in the user's cache, named by its sha256 -> archive -> model

The packing needs no library but safetensors; building the diffusers classes needs the extra
`diffusers`. State dicts are unpickled by torch's restricted unpickler only.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from glassplate.codecs.errors import WeightsError
from glassplate.codecs.extras import optional
from glassplate.codecs.layers.autoencoder import Autoencoder
from glassplate.codecs.vae.foreign.taesd import Taesd

DIFFUSERS = ("AutoencoderKL", "AutoencoderTiny", "AutoencoderDC")
TAESD = "taesd"
FOREIGN = (*DIFFUSERS, TAESD)

_FILE = "diffusion_pytorch_model.safetensors"
_HALO_PIXELS = 128


def metadata(kind: str, config: Mapping[str, Any]) -> dict[str, str]:
    """Metadata of a weight file. One entry only: safetensors writes several in any order."""
    return {"vae": json.dumps({"kind": kind, "config": config}, sort_keys=True)}


def bundle(weights: Path) -> Path:
    """Someone else's checkpoint as one weight file in the user's cache. Raises WeightsError.

    weights: a folder, or `owner/name` or `owner/name/subfolder` on the Hugging Face hub.
    """
    folder = weights if weights.is_dir() else _download(weights.as_posix())
    kind, config, tensors = _taesd(folder) if _state_dicts(folder) else _diffusers(folder)
    cache = _cache()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as work:
        packed = Path(work) / "weights.safetensors"
        save_file(tensors, packed, metadata(kind, config))
        path = cache / f"{hashlib.sha256(packed.read_bytes()).hexdigest()}.safetensors"
        packed.replace(path)
    return path


def build_foreign(
    kind: str, config: Mapping[str, Any], tensors: Mapping[str, Tensor], path: Path
) -> Autoencoder:
    """The model in a packed weight file.

    Raises MissingExtraError without diffusers; KeyError, RuntimeError, ValueError for tensors that
    are not those of the model.
    """
    if kind == TAESD:
        return Taesd.from_tensors(tensors)
    model_class = getattr(optional("diffusers", "diffusers"), kind)
    with tempfile.TemporaryDirectory() as work:  # the library converts older names as it loads
        (Path(work) / "config.json").write_text(json.dumps(config))
        (Path(work) / _FILE).symlink_to(path.resolve())
        model, report = model_class.from_pretrained(
            work, use_safetensors=True, low_cpu_mem_usage=False, output_loading_info=True
        )
    if report["missing_keys"]:
        raise ValueError(f"{report['missing_keys'][0]} is missing")
    return _Diffusers(model.float().eval())


class _Diffusers(nn.Module):
    """A diffusers autoencoder, by its posterior mean. Its pictures are in -1..1."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        config = model.config
        self.channels = config.latent_channels
        self.scaling_factor = float(config.get("scaling_factor") or 1.0)
        self.shift_factor = float(config.get("shift_factor") or 0.0)
        with torch.inference_mode():
            probe = self._latent(torch.zeros(1, 3, 64, 64))
        self.stride = 64 // probe.shape[-1]
        self.encoder_halo = self.decoder_halo = _HALO_PIXELS // self.stride

    def encode(self, x: Tensor) -> Tensor:
        """As `Autoencoder` says."""
        return (self._latent(2 * x - 1) - self.shift_factor) * self.scaling_factor

    def decode(self, z: Tensor) -> Tensor:
        """As `Autoencoder` says."""
        x: Tensor = self.model.decode(z / self.scaling_factor + self.shift_factor).sample
        return x / 2 + 0.5

    def _latent(self, x: Tensor) -> Tensor:
        encoded = self.model.encode(x)
        if hasattr(encoded, "latent_dist"):  # AutoencoderKL
            mean: Tensor = encoded.latent_dist.mean
            return mean
        latent: Tensor = encoded[0]  # .latents of AutoencoderTiny, .latent of AutoencoderDC
        return latent


def _diffusers(folder: Path) -> tuple[str, dict[str, Any], dict[str, Tensor]]:
    """Kind, config and tensors of a folder in the layout of diffusers."""
    try:
        config = json.loads((folder / "config.json").read_text())
        kind = config["_class_name"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WeightsError(
            f"no config.json that names a model ({error})",
            "Name a folder in the layout of diffusers, or one with TAESD state dicts.",
            str(folder),
        ) from error
    if kind not in DIFFUSERS:
        raise WeightsError(f"is a {kind}", f"Known: {', '.join(DIFFUSERS)}.", str(folder))
    files = sorted(folder.glob("*.safetensors"))
    chosen = folder / _FILE if folder / _FILE in files else files[0] if len(files) == 1 else None
    if chosen is None:
        raise WeightsError(
            f"holds {len(files)} safetensors files, none named {_FILE}",
            "Pickled weights are not read: save them as safetensors.",
            str(folder),
        )
    try:
        return kind, config, load_file(chosen)
    except SafetensorError as error:
        raise WeightsError(f"not sound ({error})", "Fetch it again.", str(chosen)) from error


def _state_dicts(folder: Path) -> list[Path]:
    """The pair of files, encoder first, or nothing."""
    pairs = [sorted(folder.glob(f"*{part}.pth")) for part in ("encoder", "decoder")]
    return [files[0] for files in pairs] if all(len(files) == 1 for files in pairs) else []


def _taesd(folder: Path) -> tuple[str, dict[str, Any], dict[str, Tensor]]:
    tensors: dict[str, Tensor] = {}
    for part, path in zip(("encoder", "decoder"), _state_dicts(folder), strict=True):
        try:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
            tensors |= {f"{part}.{name}": value.contiguous() for name, value in loaded.items()}
        except (pickle.UnpicklingError, RuntimeError, AttributeError, EOFError) as error:
            raise WeightsError(
                f"not a state dict ({error})", "Only tensors are read.", str(path)
            ) from error
    return TAESD, {}, tensors


def _download(name: str) -> Path:
    hub = optional("huggingface_hub", "diffusers")
    parts = name.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise WeightsError(
            "neither a file, nor a folder, nor owner/name on the Hugging Face hub",
            "Check the path.",
            name,
        )
    subfolder = "".join(f"{part}/" for part in parts[2:])
    patterns = [f"{subfolder}config.json", f"{subfolder}*.safetensors"]
    try:
        root = hub.snapshot_download("/".join(parts[:2]), allow_patterns=patterns)
    except (hub.errors.HfHubHTTPError, hub.errors.LocalEntryNotFoundError, ValueError) as error:
        raise WeightsError(
            f"could not be fetched from the hub ({error})", "Check the name.", name
        ) from error
    return Path(root) / subfolder


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "glassplate" / "weights"
