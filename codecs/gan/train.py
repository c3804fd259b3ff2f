"""From pictures to a generator's weights and its model card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glassplate.codecs.errors import ConfigError, OptionName, WeightsError
from glassplate.codecs.gan.model import SIZES, Gan
from glassplate.codecs.gan.task import GanTask
from glassplate.codecs.gan.weights import load, save
from glassplate.codecs.training.callbacks import SILENT, Callbacks
from glassplate.codecs.training.card import run_facts
from glassplate.codecs.training.config import TrainConfig
from glassplate.codecs.training.loop import train
from glassplate.codecs.training.start import start_weights

_CARD = """# {name}

- Weight file: `{name}.safetensors`, sha256 `{sha256}`, a generator of pictures of {side}x{side}
- Parameters: {parameters:,}; the discriminator's are not kept
- Trained by: `glassplate train gan --size {size}{start}`
- Pictures: {pictures} crops from {source}; {licence}
- Training: {steps:,} phases, one of the discriminator and one of the generator in turn, in
  {minutes:.0f} minutes on {device}, batches of {batch} x {crop}x{crop}, shrunk to {side}x{side}
- At the end: loss of the discriminator {discriminator_loss:.2f} (1.39 if it had to guess), variance
  of the samples {sample_variance:.2f} of the pictures'; collapse: {collapse}
- For: courses. Pictures are made from noise; they show nothing that exists
"""


def train_gan(config: TrainConfig, callbacks: Callbacks = SILENT) -> Path:
    """Train, or go on training, and write weights and card into `config.out`.

    Crops are shrunk to the model's size, whatever theirs is. Raises ConfigError for an unknown
    size, InputError if there are no pictures, WeightsError for unsound weights to start from,
    StoppedError if it was stopped.
    """
    if config.size not in SIZES:
        raise ConfigError(
            f"no size {config.size!r}", f"Known: {', '.join(SIZES)}.", OptionName("size")
        )
    config = config.model_copy(update={"late_crop": config.crop})
    task = GanTask(SIZES[config.size], config.half, _start(config))
    model, records = train(task, config, callbacks)
    assert isinstance(model, Gan)
    path = config.out / f"gan-{config.size}.safetensors"
    sha256 = save(path, model.generator)
    path.with_suffix(".md").write_text(_card(path.stem, sha256, model, config, records))
    return path


def _start(config: TrainConfig) -> Path | None:
    def find(named: Path | None) -> Path:
        if named is None:
            fix = "Leave out --start, or name a file."
            raise WeightsError("none are shipped", fix, "codec gan")
        return named / f"gan-{config.size}.safetensors" if named.is_dir() else named

    return start_weights(config, find, lambda path: load(path).generator.config, SIZES)


def _card(
    name: str, sha256: str, model: Gan, config: TrainConfig, records: list[dict[str, Any]]
) -> str:
    last = records[-1]
    return _CARD.format(
        name=name,
        sha256=sha256,
        side=model.generator.config.side,
        parameters=sum(parameter.numel() for parameter in model.generator.parameters()),
        size=config.size,
        start=f" --start {Path(config.start).name}" if config.start else "",
        **run_facts(config, last),
        discriminator_loss=last["discriminator_loss"],
        sample_variance=last["sample_variance"],
        collapse=", ".join(one["reason"] for one in last["collapse"]) or "none",
    )
