"""The one boundary around Pillow's calls: whatever it raises on odd files becomes one error.

Pillow tells of a broken or unknown file by nearly any exception, often one from its insides. Put
around its calls alone, this keeps mistakes of our own from looking like damage.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from glassplate.codecs.pillow import PILLOW_ERRORS

_RAISED_BY_PILLOW = (
    *PILLOW_ERRORS,
    RuntimeError,
    ZeroDivisionError,
    AssertionError,
)


class RefusedError(Exception):
    """Pillow does not read a file. in_header: not even what kind of picture it is."""

    def __init__(self, *, in_header: bool) -> None:
        super().__init__("Pillow does not read this file")
        self.in_header = in_header


@contextmanager
def pillow_reads(*, in_header: bool = False) -> Iterator[None]:
    """Raises RefusedError for what Pillow raises; memory that runs out says nothing of a file."""
    try:
        yield
    except _RAISED_BY_PILLOW as error:
        raise RefusedError(in_header=in_header) from error
