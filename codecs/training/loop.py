"""The training loop that all models share; what is learned is behind the `Task` protocol."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from glassplate.codecs.base import resolve_device
from glassplate.codecs.errors import EncodeError, StoppedError
from glassplate.codecs.training.average import moving_average
from glassplate.codecs.training.callbacks import SILENT, Callbacks, Step
from glassplate.codecs.training.checkpoint import Checkpoint
from glassplate.codecs.training.config import TrainConfig
from glassplate.codecs.training.data import open_crops
from glassplate.codecs.training.schedule import Schedule
from glassplate.codecs.training.sheet import write_sheet

logger = logging.getLogger(__name__)

METRICS = "metrics.jsonl"
"""The validation records of a run, in its folder."""
LOSSES = "losses.jsonl"
"""Its losses, a line for every `LOSSES_EVERY` steps: means by name."""
LOSSES_EVERY = 20
SAMPLES = "samples"
"""Pictures that validations made, in its folder."""
HELD_OUT = 16
"""Crops that are validated on."""
LONGEST_STEP = 5.0
"""Seconds; a step that took longer was suspended, and counts as this much."""


class Task(Protocol):
    """What one model adds to the loop."""

    def build(self, crops: Tensor) -> nn.Module:
        """A fresh model, started from training crops (N, 3, H, W) in [0, 1]."""
        ...

    def loss(self, model: nn.Module, crops: Tensor, late: bool) -> Tensor | dict[str, Tensor]:
        """A scalar to minimise, or several by name, whose sum is."""
        ...

    def validate(self, model: nn.Module, crops: Tensor) -> dict[str, Any]:
        """JSON-able measures of a model on held-out crops.

        If there is one named `samples`, (N, 3, S, S) in [0, 1], a sheet of these pictures is
        written, and its name stands in the record.
        """
        ...


def train(
    task: Task, config: TrainConfig, callbacks: Callbacks = SILENT
) -> tuple[nn.Module, list[dict[str, Any]]]:
    """Train, or go on from the checkpoint in `config.out`.

    Returns:
        The averaged model, on the CPU, and all validation records so far.

    Raises StoppedError, with a checkpoint written, if the callbacks said so; ConfigError if the
    checkpoint is of another run, WeightsError if it is unsound, InputError without pictures.
    """
    return _Run(task, config, callbacks).run()


class _Run:
    def __init__(self, task: Task, config: TrainConfig, callbacks: Callbacks) -> None:
        self.task, self.config, self.callbacks = task, config, callbacks
        self.device = torch.device(resolve_device(config.device))
        self.schedule = Schedule(config.learning_rate, config.steps, config.minutes)
        config.out.mkdir(parents=True, exist_ok=True)
        self.path = config.out / "checkpoint.pt"
        self.metrics = config.out / METRICS
        self.losses = _Losses(config.out / LOSSES)
        torch.manual_seed(config.seed)
        self.store = open_crops(config, callbacks)
        self.indices, held_out = self.store.split()
        self.held_out = self.store.centres(held_out[:HELD_OUT], config.late_crop).to(self.device)
        self.model = task.build(self.store.sample(self.indices, 48, config.crop)).to(self.device)
        moving = moving_average(config.average)
        self.average = AveragedModel(self.model, multi_avg_fn=moving, use_buffers=True)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=config.learning_rate,
            betas=(config.momentum, 0.999),
            weight_decay=0,
        )
        self.step, self.minutes = 0, 0.0
        if self.path.exists():
            self._restore(Checkpoint.load(self.path, config))

    def run(self) -> tuple[nn.Module, list[dict[str, Any]]]:
        saved = validated = self.minutes
        if self.step == 0:
            self._validate(float("nan"))
        running = float("nan")
        while self.schedule.progress(self.step, self.minutes) < 1:
            if self.callbacks.stop():
                self._save()
                cause = f"stopped at step {self.step}, minute {self.minutes:.1f}"
                raise StoppedError(
                    cause, "The same again goes on from there.", str(self.config.out)
                )
            begin = time.perf_counter()
            losses = self._train_step()
            self.minutes += min(time.perf_counter() - begin, LONGEST_STEP) / 60
            self.losses.add(losses, self.step, self.minutes)
            loss = sum(losses.values())
            running = loss if running != running else 0.99 * running + 0.01 * loss
            self._tell(running)
            begin = time.perf_counter()
            save = self.minutes - saved >= self.config.checkpoint_minutes
            validate = self.minutes - validated >= self.config.validate_minutes
            if save:
                self._save()
            if validate:
                self._validate(running)
            self.minutes += (time.perf_counter() - begin) / 60
            saved = self.minutes if save else saved
            validated = self.minutes if validate else validated
        self._save()
        self._validate(running)
        records = read_metrics(self.metrics)
        if self.config.start:
            _warn_of_no_gain(records, self.config.out)
        return self.average.module.cpu(), records

    def _train_step(self) -> dict[str, float]:
        config = self.config
        late = self.schedule.progress(self.step, self.minutes) >= config.late_from
        size = config.late_crop if late else config.crop
        count = max(1, config.batch * config.crop**2 // size**2)
        crops = self.store.sample(self.indices, count, size, self.device)
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.rate(self.step, self.minutes)
        found = self.task.loss(self.model, crops, late)
        losses = found if isinstance(found, dict) else {"loss": found}
        self.optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        if not torch.isfinite(norm):
            raise EncodeError(
                f"the loss is no longer finite at step {self.step}",
                "Resume from the checkpoint with a lower learning rate.",
                str(config.out),
            )
        self.optimizer.step()
        self.average.update_parameters(self.model)
        self.step += 1
        return {name: loss.item() for name, loss in losses.items()}

    def _tell(self, loss: float) -> None:
        share = self.schedule.progress(self.step, self.minutes)
        rate = self.schedule.rate(self.step, self.minutes)
        self.callbacks.on_step(Step(self.step, self.minutes, share, loss, rate))

    @torch.no_grad()
    def _validate(self, loss: float) -> None:
        measures = self.task.validate(self.average.module, self.held_out)
        if "samples" in measures:
            name = f"{SAMPLES}/{self.step:07}.png"
            write_sheet(measures["samples"], self.config.out / name)
            measures["samples"] = name
        record = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "step": self.step,
            "minutes": round(self.minutes, 2),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "pictures": len(self.indices),
            "device": str(self.device),
            "loss": None if loss != loss else round(loss, 4),
            **measures,
        }
        line = json.dumps(record)
        logger.info("%s", line)
        with self.metrics.open("a") as file:
            file.write(line + "\n")
        self.callbacks.on_validation(record)

    def _save(self) -> None:
        Checkpoint(
            config=self.config.model_dump(mode="json"),
            model=self.model.state_dict(),
            average=self.average.state_dict(),
            optimizer=self.optimizer.state_dict(),
            step=self.step,
            minutes=self.minutes,
            rng=torch.get_rng_state(),
        ).save(self.path)

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.model.load_state_dict(checkpoint.model)
        self.average.load_state_dict(checkpoint.average)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.step, self.minutes = checkpoint.step, checkpoint.minutes
        torch.set_rng_state(checkpoint.rng)
        logger.info("resumed at step %d, minute %.1f", self.step, self.minutes)


class _Losses:
    """Writes the curve of each loss as the means of a few steps."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.since: dict[str, list[float]] = {}

    def add(self, losses: dict[str, float], step: int, minutes: float) -> None:
        for name, loss in losses.items():
            self.since.setdefault(name, []).append(loss)
        if step % LOSSES_EVERY == 0:
            means = {name: round(fmean(values), 5) for name, values in self.since.items()}
            self.since.clear()
            with self.path.open("a") as file:
                file.write(json.dumps({"step": step, "minutes": round(minutes, 3), **means}) + "\n")


def _warn_of_no_gain(records: list[dict[str, Any]], out: Path) -> None:
    """Warn of no gain by weights that were tuned, on pictures that they have not seen."""
    losses = [record["validation_loss"] for record in records if "validation_loss" in record]
    if losses and losses[-1] >= losses[0]:
        logger.warning(
            "%s: no better on held-out pictures than what it started from (validation loss %.4f, "
            "before %.4f); keep those weights, or tune on more pictures",
            out,
            losses[-1],
            losses[0],
        )


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The validation records of a run, or the lines of its losses, oldest first."""
    return [json.loads(line) for line in path.read_text().splitlines()]
