"""The embedded runner: a pipeline on this machine, in this process or in a few of its own."""

from __future__ import annotations

import shlex
import sys
import threading
from typing import Any

from glassplate.pipelines.jobs.beam import beam
from glassplate.pipelines.jobs.config import JobConfig

from apache_beam.options.pipeline_options import PipelineOptions  # isort: skip
from apache_beam.portability import python_urns  # isort: skip
from apache_beam.runners.portability import local_job_service  # isort: skip
from apache_beam.runners.portability.fn_api_runner import FnApiRunner  # isort: skip
from apache_beam.runners.portability.fn_api_runner import worker_handlers  # isort: skip
from apache_beam.transforms.environments import SubprocessSDKEnvironment  # isort: skip


def local_workers(config: JobConfig, shards: int) -> int:
    """Processes to start: no more than there are shards, or GPUs where they are asked for."""
    workers = min(config.workers, shards)
    if config.device == "cuda":
        import torch

        workers = min(workers, torch.cuda.device_count())
    return max(1, workers)


def local_pipeline(workers: int) -> beam.Pipeline:
    """A pipeline on this machine: in this process for one worker, else in processes of its own.

    The runner is named outright because `DirectRunner` would try to download another one. Code
    reaches the processes by import, never by pickling `__main__`.
    """
    options = PipelineOptions(flags=[], direct_num_workers=workers, save_main_session=False)
    if workers == 1:
        return beam.Pipeline(runner=FnApiRunner(), options=options)
    command = f"exec {shlex.quote(sys.executable)} -m glassplate.pipelines.jobs.worker"
    environment = SubprocessSDKEnvironment.from_command_string(command)
    return beam.Pipeline(runner=FnApiRunner(default_environment=environment), options=options)


@worker_handlers.WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)
class _WorkerProcess(worker_handlers.SubprocessSdkWorkerHandler):  # type: ignore[misc]
    """Beam waits for ever on a worker process that was killed; this one ends the run instead."""

    def start_worker(self) -> None:
        self.worker: Any = local_job_service.SubprocessSdkWorker(
            self._worker_command_line, self.control_address, self.provision_info, self.worker_id
        )
        self.worker_thread = threading.Thread(target=self._run, name="run_worker", daemon=True)
        self.worker_thread.start()

    def _run(self) -> None:
        try:
            self.worker.run()
        except RuntimeError as error:
            self.control_conn.abort(error)
