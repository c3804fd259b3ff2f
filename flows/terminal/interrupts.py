"""Ctrl-C while a flow runs on Prefect's temporary server."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Hold Ctrl-C back; processes that are started meanwhile never see it, what is running does.

    A terminal sends SIGINT to a command and to all processes that it has started. Where the
    temporary server dies of it before the flow has ended, Prefect asks that server for minutes.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
