"""A worker process on this machine: Beam's own entry point, with its chatter turned down.

Started by `local.local_pipeline` as `python -m glassplate.pipelines.worker`. What our own code
logs goes to the standard error of the command, as it is.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys

from glassplate.pipelines.beam import beam


def main() -> None:
    """Serve the runner whose address Beam put into the environment, until it says stop."""
    from apache_beam.runners.worker import sdk_worker_main

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command hears it, and ends us
    logging.basicConfig(format="%(levelname)s: %(message)s")
    logging.getLogger(beam.__name__).setLevel(logging.CRITICAL)
    os.environ.pop("LOGGING_API_SERVICE_DESCRIPTOR", None)
    os.environ["PIPELINE_OPTIONS"] = json.dumps({"default_sdk_harness_log_level": "WARNING"})
    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
