"""Where a pipeline runs: one small adapter for each Beam runner."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from glassplate.pipelines.beam import beam

from apache_beam.options.pipeline_options import PipelineOptions  # isort: skip
from apache_beam.runners.portability.fn_api_runner import FnApiRunner  # isort: skip
from apache_beam.transforms.environments import SubprocessSDKEnvironment  # isort: skip


def local_pipeline(workers: int) -> beam.Pipeline:
    """A pipeline on this machine: in this process for one worker, else in processes of its own.

    The runner is named outright because `DirectRunner` would try to download another one. Code
    reaches the processes by import, never by pickling `__main__`.
    """
    options = PipelineOptions(flags=[], direct_num_workers=workers, save_main_session=False)
    if workers == 1:
        return beam.Pipeline(runner=FnApiRunner(), options=options)
    command = f"exec {shlex.quote(sys.executable)} -m glassplate.pipelines.worker"
    environment = SubprocessSDKEnvironment.from_command_string(command)
    return beam.Pipeline(runner=FnApiRunner(default_environment=environment), options=options)


@contextmanager
def quiet_beam() -> Iterator[None]:
    """Keep Beam's own log, which is about its machinery, off the user's terminal."""
    logger = logging.getLogger("apache_beam")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
