"""The moving average follows a young run, and smooths an old one."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from glassplate.codecs.training.average import moving_average


def averaged(values: list[float], decay: float) -> float:
    model = nn.Linear(1, 1, bias=False)
    average = AveragedModel(model, multi_avg_fn=moving_average(decay))
    for value in values:
        with torch.no_grad():
            model.weight.fill_(value)
        average.update_parameters(model)
    (weight,) = average.module.parameters()
    return weight.item()


def test_a_short_run_is_not_what_it_started_from() -> None:
    assert averaged([0.0] + [1.0] * 300, 0.999) > 0.99


def test_the_last_tenth_of_a_young_run_counts() -> None:
    assert averaged([*range(200)], 0.999) == pytest.approx(180, abs=3)


def test_a_long_run_has_the_decay_that_was_asked_for() -> None:
    assert averaged([0.0] * 400 + [1.0] * 10, 0.9) == pytest.approx(1 - 0.9**10)
