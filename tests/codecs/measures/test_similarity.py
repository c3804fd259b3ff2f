"""MS-SSIM as a loss is the MS-SSIM that pictures are measured by."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glassplate.codecs.measures import structure
from glassplate.codecs.measures.similarity import SMALLEST, ms_ssim


def test_it_is_the_measure_of_8_bit_pictures_and_has_gradients() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (2, SMALLEST // 8, 24, 3)).repeat(8, 1).repeat(8, 2)
    a = base.astype(np.uint8)
    b = (base + rng.normal(0, 12, base.shape)).clip(0, 255).astype(np.uint8)
    x, y = (torch.from_numpy(part).permute(0, 3, 1, 2) / 255 for part in (a, b))
    y.requires_grad_()
    found = ms_ssim(x, y)
    assert found.tolist() == pytest.approx(
        [structure.ms_ssim(*pair) for pair in zip(a, b, strict=True)], abs=1e-4
    )
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert y.grad is not None
    assert float((y.grad * (x - y)).sum()) > 0  # towards the original it rises


def test_sides_that_cannot_be_halved_are_refused() -> None:
    for side in (SMALLEST - 16, SMALLEST + 8):
        with pytest.raises(ValueError, match="halves"):
            ms_ssim(torch.zeros(1, 3, 192, side), torch.zeros(1, 3, 192, side))
