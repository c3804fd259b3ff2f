"""Which archive, and where the work on it is done."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from glassplate.codecs.base import Device
from glassplate.codecs.option import Option
from glassplate.pipelines.jobs.memory import Bytes, default_workers, share_of_memory
from glassplate.pipelines.jobs.runners import LocalRunner, Runner
from glassplate.pipelines.options import ARCHIVE, DEVICE

MOST_WORKERS = 256


def _workers(fields: dict[str, Any]) -> int:
    """As many as this machine has cores, and memory for; elsewhere one a machine."""
    local = isinstance(fields.get("runner"), LocalRunner)
    return min(default_workers(), MOST_WORKERS) if local else 1


class JobConfig(BaseModel):
    """Which archive, and where the work on it is done.

    workers: processes of the local runner, by default as many as there are cores and memory for;
        elsewhere, how many share a machine's cores and memory.
    worker_memory: bytes that the process of a worker may take; None: its share of the machine's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    archive: Annotated[str, ARCHIVE]
    runner: Annotated[
        Runner,
        Option(
            "A name that `glassplate runners` lists.",
            metavar="NAME",
            see="`glassplate runners`",
            rest=Option(
                "An option of the runner; can be given more than once.",
                name="runner_options",
                typed="--runner-option",
                metavar="NAME=VALUE",
                see="`glassplate runners`",
            ),
        ),
    ] = LocalRunner()
    workers: Annotated[
        int,
        Option(
            "Worker processes; by default as many as there are cores, and memory for. On a"
            " cluster, how many of them share a machine's cores and memory; by default 1."
        ),
    ] = Field(default_factory=_workers, ge=1, le=MOST_WORKERS)
    worker_memory: Annotated[
        Bytes | None,
        Option(
            "What each worker may take: 4GB, 1.5GiB. By default its share of 80 % of the memory"
            " there is. A picture that needs more is kept as it is.",
            metavar="BYTES",
        ),
    ] = None
    device: Annotated[Device, DEVICE] = "auto"

    @model_validator(mode="before")
    @classmethod
    def _default_workers(cls, fields: Any) -> Any:
        """None is as good as nothing."""
        if isinstance(fields, dict) and fields.get("workers", 1) is None:
            return {name: value for name, value in fields.items() if name != "workers"}
        return fields

    def memory_of_worker(self) -> int:
        """Bytes that a worker's process on this machine may take."""
        return self.worker_memory or share_of_memory(self.workers)

    def children(self) -> int:
        """Processes that work for one process of the engine."""
        return self.workers if isinstance(self.runner, LocalRunner) else 1
