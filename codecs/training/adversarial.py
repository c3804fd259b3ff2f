"""What adversarial training shares: two players, their phases and losses, and how it is lost.

Goodfellow et al., "Generative adversarial nets" (NeurIPS 2014), with its non-saturating loss.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

logger = logging.getLogger(__name__)

GUESSING = 2 * math.log(2)
"""The discriminator's loss when it cannot tell real from made at all."""
LOWEST_LOSS = 0.1
"""Loss of the discriminator: below it the generator has nothing to learn from."""
LOWEST_VARIANCE = 0.02
"""Variance of what is made, relative to what is real: below it everything that is made is alike."""
PATIENCE = 500
"""Phases of the discriminator before anything is called a collapse: both players start weak."""
MOMENTUM = 0.98
"""Momentum of the moving mean of the discriminator's loss."""


class Players(nn.Module):
    """Generator and discriminator, so that one optimiser, checkpoint and average has both.

    They take turns, a phase for each step of the loop: in phase 1 the discriminator learns, in
    phase 2 the generator, against a frozen discriminator.
    """

    phases: Tensor

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.register_buffer("phases", torch.zeros((), dtype=torch.long))

    def next_phase(self) -> Literal[1, 2]:
        """Whose turn it is: 1 and 2 alternate, also across a resumption."""
        done = int(self.phases)
        self.phases += 1
        return 2 if done % 2 else 1


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """What is computed inside gives no gradient to the module's parameters, only through it."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)


def discriminator_loss(real: Tensor, made: Tensor) -> Tensor:
    """Binary cross-entropy of logits of any shape: real is 1, made is 0."""
    return _cross_entropy(real, 1) + _cross_entropy(made, 0)


def generator_loss(made: Tensor) -> Tensor:
    """Binary cross-entropy of the same logits, as if what is made were real."""
    return _cross_entropy(made, 1)


def _cross_entropy(logits: Tensor, truth: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, truth))


@dataclass(frozen=True)
class Collapse:
    """The game is lost: a measure fell below its limit.

    reason: `discriminator-loss`: it tells real from made at will, so the generator learns nothing;
        `sample-variance`: the generator makes the same thing again and again.
    """

    reason: Literal["discriminator-loss", "sample-variance"]
    measured: float
    limit: float

    def __str__(self) -> str:
        what = self.reason.replace("-", " ")
        return f"the GAN has collapsed: {what} {self.measured:.3f} is below {self.limit}"


@dataclass
class Watch:
    """Follows a game and notices collapse.

    loss: Moving mean of the discriminator's. phases: Of the discriminator that it is a mean of.
    """

    loss: float = GUESSING
    phases: int = 0

    def follow(self, loss: Tensor) -> Tensor:
        """Count one phase of the discriminator; gives the loss back."""
        self.loss = MOMENTUM * self.loss + (1 - MOMENTUM) * loss.item()
        self.phases += 1
        return loss

    def judge(self, made: Tensor, real: Tensor) -> dict[str, Any]:
        """Measures for a validation record; `collapse` is a list of `Collapse` as dictionaries.

        Args:
            made, real: (N, C, H, W) each. Their variance is taken over N at each place.
        """
        spread = [pictures.var(0, correction=0).mean() for pictures in (made, real)]
        variance = (spread[0] / spread[1].clamp(min=1e-12)).item()
        measures = (
            Collapse("discriminator-loss", round(self.loss, 4), LOWEST_LOSS),
            Collapse("sample-variance", round(variance, 4), LOWEST_VARIANCE),
        )
        found = [one for one in measures if self.phases >= PATIENCE and one.measured < one.limit]
        for collapse in found:
            logger.warning("%s", collapse)
        return {
            **{one.reason.replace("-", "_"): one.measured for one in measures},
            "collapse": [asdict(collapse) for collapse in found],
        }
