"""A worker process on this machine: Beam's own entry point, with its chatter turned down.

Started by `local.local_pipeline` as `python -m glassplate.pipelines.jobs.worker`. What our own code
logs goes to the standard error of the command, as it is.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Sequence

from glassplate.pipelines.jobs.beam import beam


def main() -> None:
    """Serve the runner whose address Beam put into the environment, until it says stop."""
    from apache_beam.runners.worker import sdk_worker_main

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command hears it, and ends us
    logging.basicConfig(format="%(levelname)s: %(message)s")
    logging.getLogger(beam.__name__).setLevel(logging.CRITICAL)
    _take_one_gpu()
    os.environ.pop("LOGGING_API_SERVICE_DESCRIPTOR", None)
    os.environ["PIPELINE_OPTIONS"] = json.dumps({"default_sdk_harness_log_level": "WARNING"})
    sdk_worker_main.main(sys.argv)


def share_of(worker_id: str, gpus: Sequence[str]) -> str:
    """The GPU of a worker: 'worker_5' of ('0', '1') -> '1'. Ids count up, so all get their turn."""
    return gpus[int(worker_id.rsplit("_", 1)[1]) % len(gpus)]


def _take_one_gpu() -> None:
    """Let this process, and those that it starts, see one of the machine's GPUs."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = visible.split(",") if visible else [str(n) for n in range(torch.cuda.device_count())]
    if len(gpus) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = share_of(os.environ["WORKER_ID"], gpus)


if __name__ == "__main__":
    main()
