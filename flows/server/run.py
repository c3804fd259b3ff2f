"""The service as a process: opens the archive, listens, and ends when it is told to."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from glassplate.codecs.errors import ConfigError
from glassplate.flows.server.app import application
from glassplate.flows.server.catalogue import Catalogue
from glassplate.flows.server.connections import BoundedConnection
from glassplate.flows.server.protocol.config import ServeConfig
from glassplate.flows.server.service import Service

_GRACE = 10
"""Seconds that requests have to end, once the service is told to."""


def serve(config: ServeConfig, say: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    say: Told the URL once, when the port is open.

    Raises as `open_archive`, and ConfigError if the port cannot be had.
    """
    catalogue = Catalogue(config)
    with tempfile.TemporaryDirectory(prefix="glassplate-serve-") as folder:
        service = Service(config, catalogue, Path(folder))
        _log_accesses()
        server = uvicorn.Server(_uvicorn_config(config, application(service)))
        with listening(config) as opened:
            host, port = opened.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            say(config.base_url or f"http://{shown}:{port}")
            with _signals_that_end_nothing():
                server.run(sockets=[opened])


def listening(config: ServeConfig) -> socket.socket:
    """An open port. Raises ConfigError.

    Its protocol is named: asyncio sets TCP_NODELAY only where it is, and `socket.create_server`
    leaves it out, so that every short answer would take 40 ms.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((config.host, config.port))
        opened.listen(config.connections)
        return opened
    except (OSError, UnicodeError) as error:
        opened.close()
        cause = f"cannot listen on {config.host}, port {config.port} ({error})"
        raise ConfigError(cause, "Choose another.", "--host / --port") from error


@contextmanager
def _signals_that_end_nothing() -> Iterator[None]:
    """uvicorn ends well by a signal, and then raises it once more: by then all is done."""
    ends = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: None) for number in ends}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _uvicorn_config(config: ServeConfig, app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=config.host,
        port=config.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=config.connections,
        http=BoundedConnection,
        ws="none",
        timeout_keep_alive=5,
        timeout_graceful_shutdown=_GRACE,
    )


def _log_accesses() -> None:
    """One line of JSON for each request, on standard output."""
    log = logging.getLogger("glassplate.access")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
