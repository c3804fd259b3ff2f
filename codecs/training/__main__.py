"""Train without the command line: `python -m glassplate.codecs.training config.json`."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path

from glassplate.codecs.hyperprior.train import train_hyperprior
from glassplate.codecs.training.config import TrainConfig


def main(path: Path) -> None:
    """Train `hyperprior` as a JSON file of `TrainConfig` says; SIGTERM ends it early."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = TrainConfig.model_validate_json(path.read_text())
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    train_hyperprior(config, stopped.is_set)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
