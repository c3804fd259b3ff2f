"""Where `compact_archive_flow` stood: old deployments name it. Goes after the next release."""

from glassplate.flows.scheduled.compact import compact_archive_flow

__all__ = ["compact_archive_flow"]
