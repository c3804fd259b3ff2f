"""A worker process on this machine: Beam's own entry point, with its chatter turned down.

Started by `runners.local_pipeline` as `python -m glassplate.pipelines.worker`.
"""

from __future__ import annotations

import json
import logging
import os
import sys

from glassplate.pipelines.beam import beam


def main() -> None:
    """Serve the runner whose address Beam put into the environment, until it says stop."""
    from apache_beam.runners.worker import sdk_worker_main

    logging.getLogger(beam.__name__).setLevel(logging.ERROR)
    os.environ["PIPELINE_OPTIONS"] = json.dumps({"default_sdk_harness_log_level": "ERROR"})
    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
