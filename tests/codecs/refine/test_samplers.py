"""Schedules at their ends and in between; samplers where the answer is known in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from glassplate.codecs.refine.ddim import sample_ddim
from glassplate.codecs.refine.ddpm import sample_ddpm
from glassplate.codecs.refine.flow import grain, sample_flow
from glassplate.codecs.refine.sampling import Denoiser, Noise
from glassplate.codecs.refine.schedule import MAX_LOG_SNR, ShiftedCosine, StraightLine

MEAN, SPREAD = 0.3, 0.2
COUNT = 40_000
Sample = Callable[[Denoiser, Noise, int], Tensor]
SAMPLERS: dict[str, Sample] = {
    "flow": lambda denoise, noise, steps: sample_flow(denoise, noise, SPREAD, steps),
    "flow from noise": lambda denoise, noise, steps: sample_flow(denoise, noise, 1.0, steps),
    "ddpm": lambda denoise, noise, steps: sample_ddpm(denoise, noise, ShiftedCosine(), steps),
    "ddim": lambda denoise, noise, steps: sample_ddim(denoise, noise, ShiftedCosine(), steps),
}


def noise(step: int) -> Tensor:
    """An even grid of normal quantiles, in another order at each step: no sampling error."""
    quantiles = (torch.arange(COUNT, dtype=torch.float64) + 0.5) / COUNT
    values = math.sqrt(2) * torch.erfinv(2 * quantiles - 1)
    generator = torch.Generator().manual_seed(step)
    return values[torch.randperm(COUNT, generator=generator)] if step else values


def denoiser(mean: float, spread: float) -> Denoiser:
    """The expected residual where residuals are normal."""

    def denoise(y: Tensor, signal: float, level: Tensor | float) -> Tensor:
        gain = signal * spread**2 / (signal**2 * spread**2 + level**2)
        return mean + gain * (y - signal * mean)

    return denoise


@pytest.mark.parametrize("sample", SAMPLERS.values(), ids=SAMPLERS.keys())
def test_many_steps_give_the_distribution(sample: Sample) -> None:
    found = sample(denoiser(MEAN, SPREAD), noise, 400)
    assert found.mean().item() == pytest.approx(MEAN, abs=2e-3)
    assert found.std().item() == pytest.approx(SPREAD, rel=0.02)


@pytest.mark.parametrize("sample", SAMPLERS.values(), ids=SAMPLERS.keys())
@pytest.mark.parametrize("steps", [1, 3])
def test_a_certain_residual_is_found_in_any_number_of_steps(sample: Sample, steps: int) -> None:
    found = sample(denoiser(MEAN, 0.0), noise, steps)
    torch.testing.assert_close(found, torch.full_like(found, MEAN))


@pytest.mark.parametrize("sample", SAMPLERS.values(), ids=SAMPLERS.keys())
def test_one_step_gives_the_mean(sample: Sample) -> None:
    found = sample(denoiser(MEAN, SPREAD), noise, 1)
    assert found.mean().item() == pytest.approx(MEAN, abs=1e-3)
    assert found.std().item() < 0.02 * SPREAD


@pytest.mark.parametrize("name", ["flow", "ddim"])
def test_deterministic_samplers_follow_the_exact_flow(name: str) -> None:
    """The probability flow of a Gaussian keeps the quantile of every particle."""
    exact = MEAN + SPREAD * noise(0)
    errors = [
        (SAMPLERS[name](denoiser(MEAN, SPREAD), noise, steps) - exact).abs().mean().item()
        for steps in (25, 50, 100)
    ]
    assert errors[0] > 1.7 * errors[1] > 1.7**2 * errors[2]  # first order


def test_ddpm_has_the_variance_of_its_recursion() -> None:
    """Two steps by hand: denoise fully noisy data, mix, denoise again."""
    schedule = ShiftedCosine(0.5)
    (a0, s0), (a1, s1), _ = schedule.path(2)

    def gain(signal: float, level: float) -> float:
        return signal * SPREAD**2 / (signal**2 * SPREAD**2 + level**2)

    decay = a0 / a1
    added = s0**2 - decay**2 * s1**2
    slope = (decay * s1**2 + a1 * added * gain(a0, s0)) / s0**2
    variance = (slope * s0) ** 2 + added * s1**2 / s0**2
    expected = gain(a1, s1) * math.sqrt(variance)
    found = sample_ddpm(denoiser(0.0, SPREAD), noise, schedule, 2)
    assert found.std().item() == pytest.approx(expected, rel=0.01)


def test_shifted_cosine() -> None:
    plain, shifted = ShiftedCosine(1.0), ShiftedCosine(0.25)
    half = torch.tensor(0.5)
    assert plain.log_snr(half).item() == pytest.approx(0, abs=1e-6)
    time = torch.tensor([0.2, 0.5, 0.8])
    expected = -2 * torch.log(torch.tan(math.pi / 2 * time)) - 2 * math.log(0.25)
    torch.testing.assert_close(shifted.log_snr(time), expected)
    signal, level = plain.levels(time)
    torch.testing.assert_close(signal, torch.cos(math.pi / 2 * time))
    torch.testing.assert_close(level, torch.sin(math.pi / 2 * time))
    assert (shifted.levels(time)[1] < level).all()


def test_the_ends_of_the_schedules() -> None:
    ends = torch.tensor([0.0, 1.0])
    log_snr = ShiftedCosine(0.5, max_noise=3.0).log_snr(ends)
    assert log_snr.tolist() == pytest.approx([MAX_LOG_SNR, -2 * math.log(3)])
    path = ShiftedCosine(0.5, max_noise=3.0).path(4)
    assert path[0][1] / path[0][0] == pytest.approx(3)
    assert path[-1] == (1, 0)
    assert len(path) == 5
    signal, level = StraightLine().levels(ends)
    assert (signal.tolist(), level.tolist()) == ([0, 1], [1, 0])
    with pytest.raises(ValueError, match="positive"):
        ShiftedCosine(shift=0)


def test_grain_is_of_unit_variance_and_coarser_than_white_noise() -> None:
    white = torch.randn(1, 3, 202, 302, generator=torch.Generator().manual_seed(0))
    found = grain(white)
    assert found.shape == (1, 3, 200, 300)
    assert found.std().item() == pytest.approx(1, abs=0.02)
    beside = (found[..., 1:] * found[..., :-1]).mean().item()
    assert beside == pytest.approx(8 / 18, abs=0.02)  # of the taps 1, 4, 1
    assert torch.equal(grain(white[:, :, 5:, 7:]), found[:, :, 5:, 7:])
