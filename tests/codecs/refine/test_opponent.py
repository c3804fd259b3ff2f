"""Opponent colours: a rotation, whose first axis is lightness."""

from __future__ import annotations

import torch

from glassplate.codecs.layers.opponent import to_opponent, to_rgb


def test_the_way_back_is_exact_and_keeps_energy() -> None:
    x = torch.randn(2, 3, 5, 7)
    there = to_opponent(x)
    torch.testing.assert_close(to_rgb(there), x)
    torch.testing.assert_close(there.square().sum(1), x.square().sum(1))


def test_grey_has_no_colour() -> None:
    grey = torch.randn(1, 1, 4, 4).expand(-1, 3, -1, -1)
    there = to_opponent(grey)
    torch.testing.assert_close(there[:, 0], grey[:, 0] * 3**0.5)
    torch.testing.assert_close(there[:, 1:], torch.zeros(1, 2, 4, 4))
