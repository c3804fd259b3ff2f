"""Where `train_refiner` stood: old deployments name it. Goes after the next release."""

from glassplate.flows.scheduled.train_refiner import train_refiner

__all__ = ["train_refiner"]
