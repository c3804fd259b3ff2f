"""The embedded runner: Beam deals shards out here; processes of our own do them."""

from __future__ import annotations

from glassplate.pipelines.jobs.beam import beam
from glassplate.pipelines.jobs.config import JobConfig

from apache_beam.options.pipeline_options import PipelineOptions  # isort: skip
from apache_beam.runners.portability.fn_api_runner import FnApiRunner  # isort: skip


def local_workers(config: JobConfig, shards: int) -> int:
    """Processes to start: no more than there are shards, or GPUs where they are asked for."""
    workers = min(config.workers, shards)
    if config.device == "cuda":
        import torch

        workers = min(workers, torch.cuda.device_count())
    return max(1, workers)


def local_pipeline(workers: int) -> beam.Pipeline:
    """A pipeline on this machine, with a thread for each worker to wait for its process.

    The runner is named outright because `DirectRunner` would try to download another one. Beam
    says that threads need `multi_threading`; they do not, and that one prints what goes wrong.
    """
    options = PipelineOptions(
        flags=[],
        direct_num_workers=workers,
        direct_running_mode="in_memory",
        save_main_session=False,
    )
    return beam.Pipeline(runner=FnApiRunner(), options=options)
