"""Which archive, and where the work on it is done."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from glassplate.codecs.base import Device
from glassplate.pipelines.jobs.runners import LocalRunner, Runner


class JobConfig(BaseModel):
    """Which archive, and where the work on it is done.

    workers: processes of the local runner; elsewhere, how many share a machine's cores.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    archive: str
    workers: int = Field(default=1, ge=1, le=256)
    runner: Runner = LocalRunner()
    device: Device = "auto"
