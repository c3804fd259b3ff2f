"""The network before and after training: shapes, conditions, preconditioning."""

from __future__ import annotations

import math

import pytest
import torch
from thin_refiner import THIN_REFINER
from torch import Tensor

from glassplate.codecs.refine.network import SIZES, Condition, ModelConfig, ResidualModel
from glassplate.codecs.refine.training.gan import Gan


def condition(quality: float = 0.3, count: int = 2) -> Condition:
    torch.manual_seed(2)
    plain, scales = torch.randn(count, 3, 32, 48), torch.rand(count, 1, 2, 3)
    return Condition(plain, scales, torch.full((count,), quality))


def levels(signal: float, noise: float) -> tuple[Tensor, Tensor]:
    return torch.full((2, 1, 1, 1), signal), torch.full((2, 1, 1, 1), noise)


@pytest.mark.parametrize("config", [THIN_REFINER, SIZES["small"]], ids=["thin", "small"])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (16, 144), (80, 48)])
@torch.inference_mode()
def test_shapes(config: ModelConfig, height: int, width: int) -> None:
    gan = Gan(ResidualModel(config))
    plain, scales = torch.rand(2, 3, height, width), torch.rand(2, 1, height // 16, width // 16)
    known = Condition(plain, scales, torch.tensor([0.1, 1.0]))
    residual = gan.generator(torch.randn(plain.shape), *levels(0.6, 0.8), known)
    assert residual.shape == plain.shape
    assert gan.discriminator(residual, plain).shape == (2, 1, height // 8, width // 8)


def disturbed() -> ResidualModel:
    torch.manual_seed(0)
    model = ResidualModel(THIN_REFINER)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model


def test_untrained_it_expects_what_a_gaussian_says() -> None:
    model = ResidualModel(THIN_REFINER)
    model.spread[..., 0], model.spread[..., 1] = torch.linspace(-1, -3, 11)[:, None], 0.5
    known = condition(0.35)
    known.scales[:] = 0.2
    y = torch.randn(2, 3, 32, 48)
    found = model(y, *levels(0.6, 0.8), known)
    spread = math.exp(-1.7 + 0.5 * 0.2)
    torch.testing.assert_close(found, y * 0.6 * spread**2 / (0.36 * spread**2 + 0.64))


def test_residuals_are_larger_where_the_scale_is() -> None:
    model = ResidualModel(THIN_REFINER)
    model.spread[..., 1] = torch.tensor([2.0, 0.0, 1.0])
    known = condition()
    known.scales[:] = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    spread = model.spread_at(known)
    assert spread.shape == (2, 3, 32, 48)
    assert spread[0, 0, 3, 3].item() == pytest.approx(math.exp(-2))
    for colour, log in enumerate((0, -2, -1)):
        assert spread[0, colour, 30, 45].item() == pytest.approx(math.exp(log))
    assert (spread.diff(dim=3) >= 0).all()


def test_without_noise_the_residual_is_known() -> None:
    y = torch.randn(2, 3, 32, 48)
    found = disturbed()(y, *levels(1.0, 0.0), condition())
    torch.testing.assert_close(found, y)


def test_every_condition_counts() -> None:
    model = disturbed()
    y, known = torch.randn(2, 3, 32, 48), condition()
    base = model(y, *levels(0.5, 0.5), known)
    assert base.shape == y.shape
    others = [
        model(y, *levels(0.5, 0.1), known),
        model(y, *levels(0.5, 0.5), condition(0.9)),
        model(y, *levels(0.5, 0.5), Condition(known.plain + 0.1, known.scales, known.quality)),
        model(y, *levels(0.5, 0.5), Condition(known.plain, known.scales + 0.1, known.quality)),
    ]
    assert all((other - base).abs().max() > 1e-4 for other in others)


def test_pictures_of_a_batch_do_not_see_each_other() -> None:
    model, known = disturbed(), condition()
    y = torch.randn(2, 3, 32, 48)
    both = model(y, *levels(0.5, 0.5), known)
    first = Condition(known.plain[:1], known.scales[:1], known.quality[:1])
    alone = model(y[:1], *(level[:1] for level in levels(0.5, 0.5)), first)
    torch.testing.assert_close(both[:1], alone)


@pytest.mark.parametrize(("size", "millions"), [("small", 1.5), ("base", 10.0)])
def test_sizes(size: str, millions: float) -> None:
    with torch.device("meta"):
        model = ResidualModel(SIZES[size])
    count = sum(parameter.numel() for parameter in model.parameters())
    assert 0.9 * millions < count / 1e6 < millions
