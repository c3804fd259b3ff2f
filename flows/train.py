"""Where `train_codec` stood: old deployments name it. Goes after the next release."""

from glassplate.flows.scheduled.train import train_codec

__all__ = ["train_codec"]
