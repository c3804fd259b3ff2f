"""Where `compress_archive` stood: old deployments name it. Goes after the next release."""

from glassplate.flows.scheduled.compress import compress_archive

__all__ = ["compress_archive"]
