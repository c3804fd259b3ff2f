"""Apache Beam, imported without the warning about Google's clients that it prints to everyone."""

import logging

_before = logging.root.manager.disable
logging.disable(logging.WARNING)
import apache_beam as beam  # noqa: E402

logging.disable(_before)

__all__ = ["beam"]
