"""What noise a refiner should learn from: `python -m tests.benchmarks.refine_ablation DATA WORK`.

Ten small networks, alike but for what they are trained on, each for the same steps on
the same crops of DATA, then sampled with 1 to 25 steps on held-out crops. Against each other:

- the noise level: rectified flow from the reconstruction and noise of its own error, or from pure
  noise; diffusion whose highest noise is 100 (pure noise), 1, 0.3 or 0.1 times what a picture spans
- what is learned: the regression alone, or ST-LPIPS after a few steps, too
- the schedule's shift, 1 to 0.03: below 1 less noise, at which more of the training is spent

A network after one step stands for none: what it adds is noise of the residual's spread.

WORK keeps crops and checkpoints, so that a run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from torch import Tensor, nn

from glassplate.codecs import Pixels, Target, get_codec
from glassplate.codecs.base import Codec
from glassplate.codecs.hyperprior.weights import find
from glassplate.codecs.hyperprior.weights import load as load_codec
from glassplate.codecs.measures.efficientnet import patch_features
from glassplate.codecs.measures.frechet import Features, frechet_distance
from glassplate.codecs.measures.pixels import psnr
from glassplate.codecs.measures.st_lpips import Original
from glassplate.codecs.refine.network import ModelConfig, ResidualModel
from glassplate.codecs.refine.options import RefineOptions
from glassplate.codecs.refine.refiner import Refiner
from glassplate.codecs.refine.schedule import Schedule, ShiftedCosine, StraightLine
from glassplate.codecs.refine.training.config import RefinerTrainConfig
from glassplate.codecs.refine.training.perceptual import PerceptualTask
from glassplate.codecs.refine.training.task import DenoisingTask
from glassplate.codecs.refine.weights import About, save
from glassplate.codecs.training.data import open_crops
from glassplate.codecs.training.loop import train
from tests.benchmarks.machine import write_result

MODEL = ModelConfig((32, 64, 96), (1, 1, 2))
QUALITY = 15
PICTURES = 6
CROP = 64
STEPS = (1, 4, 25)


@dataclass(frozen=True)
class Trial:
    """A way to train, and how what it gives is sampled.

    schedule: None for a flow from the reconstruction. steps: Of training, if not those of all.
    perceptual: Weight of ST-LPIPS.
    """

    name: str
    sampler: str
    schedule: Schedule | None
    steps: int | None = None
    perceptual: float = 0.0

    def options(self, weights: Path, steps: int) -> RefineOptions:
        kind = "flow" if self.sampler.endswith("flow") else "diffusion"
        return RefineOptions(kind=kind, sampler=self.sampler, steps=steps, weights=weights)


class Unwatched:
    """Without the validation in between, which would take most of the time."""

    def validate(self, model: nn.Module, crops: Tensor) -> dict[str, Any]:
        return {}


class Regression(Unwatched, DenoisingTask):
    pass


class Perceptual(Unwatched, PerceptualTask):
    pass


TRIALS = (
    Trial("untrained: noise alone", "flow", None, steps=1),
    Trial("flow from the reconstruction", "flow", None),
    Trial("flow from the reconstruction, ST-LPIPS", "flow", None, perceptual=30),
    Trial("flow from pure noise", "noise-flow", StraightLine()),
    *(Trial(f"diffusion, shift {shift:g}", "ddim", ShiftedCosine(shift, 100))
      for shift in (1, 0.3, 0.1, 0.03)),
    *(Trial(f"diffusion, noise up to {most:g}", "ddim", ShiftedCosine(0.1, most))
      for most in (1, 0.3, 0.1)),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("work", type=Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=8)
    options = parser.parse_args()
    codec = get_codec("hyperprior")
    assert isinstance(codec, Codec)
    folders = {trial: options.work / trial.name.replace(" ", "-") for trial in TRIALS}
    configs = {
        trial: RefinerTrainConfig(
            source=options.data,
            out=folder,
            steps=trial.steps or options.steps,
            batch=options.batch,
            crop=CROP,
            late_from=1,
            average=0.99,
        )
        for trial, folder in folders.items()
    }
    for folder in folders.values():  # of the crops, all read one copy
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "crops").exists():
            (options.work / "crops").mkdir(exist_ok=True)
            (folder / "crops").symlink_to((options.work / "crops").absolute())
    pictures = held_out(next(iter(configs.values())))
    streams = [one.bitstream for one in codec.encode(pictures, Target(quality=QUALITY))]
    originals = [Original(picture) for picture in pictures]
    real: list[Features] = [patch_features(picture) for picture in pictures]
    rows = [{"trial": "plain"} | scores(originals, real, codec.decode(streams))]
    minutes = {}
    for trial, config in configs.items():
        weights, minutes[trial.name] = trained(trial, config)
        for steps in STEPS:
            refiner = Refiner(codec, trial.options(weights, steps))
            found = [refiner.refine(stream).pixels for stream in streams]
            rows.append({"trial": trial.name, "steps": steps} | scores(originals, real, found))
            print(rows[-1], flush=True)
    pixels = sum(picture.shape[0] * picture.shape[1] for picture in pictures)
    write_result(
        "refine_ablation",
        {
            "quality": QUALITY,
            "bpp": round(8 * sum(map(len, streams)) / pixels, 4),
            "pictures": len(pictures),
            "patches": len(np.concatenate(real)),
            "training": {
                "steps": options.steps,
                "batch": options.batch,
                "crop": CROP,
                "minutes": minutes,
            },
            "parameters": sum(value.numel() for value in ResidualModel(MODEL).parameters()),
            "rows": rows,
        },
    )


def held_out(config: RefinerTrainConfig) -> list[Pixels]:
    """Some crops that no run is trained on."""
    store = open_crops(config)
    _, indices = store.split()
    chosen = [indices[place * len(indices) // PICTURES] for place in range(PICTURES)]
    return [np.array(store.pixels(index)) for index in dict.fromkeys(chosen)]


def trained(trial: Trial, config: RefinerTrainConfig) -> tuple[Path, float]:
    """The weights, and how many minutes they took."""
    codec = load_codec(find(None, "small"))
    frozen = codec.model.requires_grad_(False)
    task: DenoisingTask = Regression(MODEL, frozen, trial.schedule)
    if trial.perceptual:
        task = Perceptual(MODEL, frozen, perceptual=trial.perceptual)
    model, records = train(task, config)
    assert isinstance(model, ResidualModel)
    options = trial.options(config.out, 1)
    schedule = trial.schedule if isinstance(trial.schedule, ShiftedCosine) else ShiftedCosine()
    path = config.out / f"refiner-{options.kind}.safetensors"
    save(path, model, About(options.kind, "hyperprior", codec.sha256, schedule))
    return path, records[-1]["minutes"]


def scores(
    originals: list[Original], real: list[Features], decoded: list[Pixels]
) -> dict[str, Any]:
    """Mean PSNR and ST-LPIPS, and the Fréchet distance over all patches."""
    pairs = list(zip(originals, decoded, strict=True))
    patches = [patch_features(pixels) for pixels in decoded]
    return {
        "psnr": round(fmean(psnr(one.pixels, pixels) for one, pixels in pairs), 3),
        "st_lpips": round(fmean(one.st_lpips(pixels) for one, pixels in pairs), 4),
        "frechet": round(frechet_distance(np.concatenate(real), np.concatenate(patches)), 4),
    }


if __name__ == "__main__":
    main()
