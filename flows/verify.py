"""Where `verify_archive_flow` stood: old deployments name it. Goes after the next release."""

from glassplate.flows.scheduled.verify import verify_archive_flow

__all__ = ["verify_archive_flow"]
