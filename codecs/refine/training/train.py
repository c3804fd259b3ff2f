"""From pictures and a codec's weights to a refiner's weights and its model card."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path
from typing import Any

from glassplate.codecs.errors import ConfigError, OptionName, WeightsError
from glassplate.codecs.hyperprior.weights import find as find_codec
from glassplate.codecs.hyperprior.weights import load as load_codec
from glassplate.codecs.refine.network import SIZES, ResidualModel
from glassplate.codecs.refine.options import Kind
from glassplate.codecs.refine.schedule import ShiftedCosine
from glassplate.codecs.refine.training.config import RefinerTrainConfig
from glassplate.codecs.refine.training.gan import Gan, GanTask
from glassplate.codecs.refine.training.perceptual import PerceptualTask
from glassplate.codecs.refine.training.task import DenoisingTask
from glassplate.codecs.refine.weights import About, load, save
from glassplate.codecs.training.callbacks import SILENT, Callbacks
from glassplate.codecs.training.card import run_facts
from glassplate.codecs.training.config import TrainConfig
from glassplate.codecs.training.loop import train
from glassplate.codecs.training.start import start_weights
from glassplate.codecs.weight_file import SHIPPED

_CARD = """# {name}

- Weight file: `{name}.safetensors`, sha256 `{sha256}`
- Refines: pictures of codec `hyperprior` with weights sha256 `{codec}`, and no others
- Parameters: {parameters:,}
- Trained by: `glassplate train refiner --kind {kind} --size {size}{perceptual}`
- Pictures: {pictures} crops from {source}; {licence}
- Training: {steps:,} steps in {minutes:.0f} minutes on {device}, batches of
  {batch} x {crop}x{crop}{start}
- For: photographs that are to look sharp. It invents detail that was not in the picture: not for
  evidence, science, or text

Held-out crops from the same source. Detail: energy of fine detail, 1 is the original's.

| quality | PSNR dB plain | refined | detail plain | refined |
|---|---|---|---|---|
{rows}
"""


def train_refiner(config: TrainConfig, callbacks: Callbacks = SILENT) -> Path:
    """Train, or go on training, and write weights and card into `config.out`.

    Raises ConfigError for an unknown size, or ST-LPIPS for another kind than flow,
    MissingExtraError if that cannot be had, InputError if there are no pictures, WeightsError for
    unsound weights of the codec or to start from, StoppedError if it was stopped.
    """
    if not isinstance(config, RefinerTrainConfig):
        config = RefinerTrainConfig.model_validate(config.model_dump())
    if config.size not in SIZES:
        raise ConfigError(
            f"no size {config.size!r}", f"Known: {', '.join(SIZES)}.", OptionName("size")
        )
    kind = config.refiner
    codec = load_codec(find_codec(config.codec_weights, "small"))
    about = About(kind, "hyperprior", codec.sha256, ShiftedCosine(config.shift, config.max_noise))
    if config.perceptual and kind != "flow":
        raise ConfigError(
            f"is not for {kind}", "Leave it out, or train a flow.", OptionName("perceptual")
        )
    options: dict[str, Any] = {
        "model": SIZES[config.size],
        "codec": copy.deepcopy(codec.model).requires_grad_(False),
        "schedule": about.schedule if kind == "diffusion" else None,
        "half": config.half,
        "start": _start(config, kind),
    }
    denoising = (
        PerceptualTask(**options, perceptual=config.perceptual)
        if config.perceptual
        else DenoisingTask(**options, steps=1 if kind == "gan" else 4, generator=kind == "gan")
    )
    task = GanTask(denoising) if kind == "gan" else denoising
    model, records = train(task, config, callbacks)
    refiner = model.generator if isinstance(model, Gan) else model
    assert isinstance(refiner, ResidualModel)
    path = config.out / f"refiner-{kind}.safetensors"
    sha256 = save(path, refiner, about)
    path.with_suffix(".md").write_text(_card(path.stem, sha256, refiner, about, config, records))
    return path


def _start(config: RefinerTrainConfig, kind: Kind) -> Path | None:
    def find(named: Path | None) -> Path:
        path = named or SHIPPED
        path = path / f"refiner-{kind}.safetensors" if path.is_dir() else path
        if not path.is_file():
            raise WeightsError("no such weights", "Leave out --start, or name others.", str(path))
        return path

    return start_weights(config, find, lambda path: load(path).model.net.config, SIZES)


def _named(start: Path | str) -> str:
    """Weights to start from, as a card has them: content and name, no folder of this machine."""
    path = Path(start)
    if not path.is_file():
        return f"{path.name} weights"
    return f"`{path.name}`, sha256 `{hashlib.sha256(path.read_bytes()).hexdigest()}`"


def _card(
    name: str,
    sha256: str,
    model: ResidualModel,
    about: About,
    config: RefinerTrainConfig,
    records: list[dict[str, Any]],
) -> str:
    last = records[-1]
    qualities = [key.rpartition("_")[2] for key in last if key.startswith("plain_psnr_")]
    columns = ("plain_psnr", "refined_psnr", "plain_detail", "refined_detail")
    rows = [[q, *(f"{last[f'{column}_{q}']:.2f}" for column in columns)] for q in qualities]
    return _CARD.format(
        name=name,
        sha256=sha256,
        codec=about.codec_weights,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        kind=about.kind,
        size=config.size,
        perceptual=f" --perceptual {config.perceptual:g}" if config.perceptual else "",
        **run_facts(config, last),
        start=f", from {_named(config.start)}" if config.start else "",
        rows="\n".join(f"| {' | '.join(row)} |" for row in rows),
    )
