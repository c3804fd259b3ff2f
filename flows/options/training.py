"""What all that trains asks for beyond the ranges of its options."""

from __future__ import annotations

from glassplate.codecs.errors import ConfigError, OptionName
from glassplate.codecs.training.config import TrainConfig


def check_budget(config: TrainConfig) -> None:
    """Raises ConfigError unless a run says when it ends."""
    if config.minutes is None and config.steps is None:
        raise ConfigError(
            "say how long to train", "For example --minutes 60.", OptionName("minutes")
        )
