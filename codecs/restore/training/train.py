"""From pictures to a restorer's weights and its model card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glassplate.codecs.errors import ConfigError, OptionName
from glassplate.codecs.restore.degradations import NOISES
from glassplate.codecs.restore.network import SIZES, RestorationNet
from glassplate.codecs.restore.options import Task
from glassplate.codecs.restore.training.config import RestorerTrainConfig
from glassplate.codecs.restore.training.task import RestorationTask
from glassplate.codecs.restore.weights import file_name, find, load, save
from glassplate.codecs.training.callbacks import SILENT, Callbacks
from glassplate.codecs.training.card import run_facts
from glassplate.codecs.training.config import TrainConfig
from glassplate.codecs.training.loop import train
from glassplate.codecs.training.start import start_weights

_CARD = """# {name}

- Weight file: `{name}.safetensors`, sha256
  `{sha256}`
- For: {purpose}. Photographs, 8-bit RGB or grey.
  What it puts in is likely, not known: not for evidence, science, or text
- Parameters: {parameters:,}
- Trained by: `glassplate train restorer --task {task}{noise}{start} --seed {seed}`
- Pictures: {pictures} crops from {source}; {licence}
- Training: {steps:,} steps in {minutes:.0f} minutes on {device}, batches of {batch} x {crop}x{crop}

Held-out crops from the same source, PSNR in dB, by what was done to them:

| | damaged | restored |
|---|---|---|
{rows}
"""
_PURPOSES: dict[Task, str] = {
    "denoise": "taking out noise ({noise}) of unknown strength",
    "upscale": "enlarging pictures 2 or 4 times",
}


def train_restorer(config: TrainConfig, callbacks: Callbacks = SILENT) -> Path:
    """Train, or go on training, and write weights and card into `config.out`.

    Raises ConfigError for an unknown size, or a noise for what is no denoiser; InputError if there
    are no pictures; WeightsError for unsound weights to start from; StoppedError if it was stopped.
    """
    if not isinstance(config, RestorerTrainConfig):
        config = RestorerTrainConfig.model_validate(config.model_dump())
    if config.size not in SIZES:
        raise ConfigError(
            f"no size {config.size!r}", f"Known: {', '.join(SIZES)}.", OptionName("size")
        )
    if config.task == "upscale" and config.noise != "all":
        raise ConfigError("only a denoiser learns a noise", "Leave it out.", OptionName("noise"))
    noise = None if config.noise == "all" else config.noise
    start = _start(config)
    task = RestorationTask(SIZES[config.size], config.task, noise, config.half, start)
    model, records = train(task, config, callbacks)
    assert isinstance(model, RestorationNet)
    path = config.out / file_name(config.task)
    sha256 = save(path, model, config.task, config.noise)
    path.with_suffix(".md").write_text(_card(path.stem, sha256, model, config, records[-1]))
    return path


def _start(config: RestorerTrainConfig) -> Path | None:
    return start_weights(
        config,
        lambda named: find(named, config.task),
        lambda path: load(path, config.task).model.config,
        SIZES,
    )


def _card(
    name: str,
    sha256: str,
    model: RestorationNet,
    config: RestorerTrainConfig,
    last: dict[str, Any],
) -> str:
    is_denoiser = config.task == "denoise"
    probes = [key.removeprefix("damaged_") for key in last if key.startswith("damaged_")]
    rows = [
        f"| {probe.replace('_', ' ')} | {last[f'damaged_{probe}']:.2f} "
        f"| {last[f'restored_{probe}']:.2f} |"
        for probe in probes
    ]
    noise = ", ".join(NOISES) if config.noise == "all" else config.noise
    return _CARD.format(
        name=name,
        sha256=sha256,
        purpose=_PURPOSES[config.task].format(noise=noise),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        task=config.task,
        noise=f" --noise {config.noise}" if is_denoiser else "",
        start=f" --start {Path(config.start).name}" if config.start else "",
        seed=config.seed,
        **run_facts(config, last),
        rows="\n".join(rows),
    )
