"""Where a pipeline runs: one small adapter for each Beam runner."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner


def local_pipeline(workers: int) -> beam.Pipeline:
    """A pipeline on this machine: in this process for one worker, else in processes of its own.

    The runner is named outright because `DirectRunner` would try to download another one. Code
    reaches the processes by import, never by pickling `__main__`.
    """
    options = PipelineOptions(
        flags=[],
        direct_num_workers=workers,
        direct_running_mode="in_memory" if workers == 1 else "multi_processing",
        save_main_session=False,
    )
    return beam.Pipeline(runner=FnApiRunner(), options=options)


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
