"""Where `retrieve_images` stood: old deployments name it. Goes after the next release."""

from glassplate.flows.scheduled.retrieve import retrieve_images

__all__ = ["retrieve_images"]
