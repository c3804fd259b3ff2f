"""The service as a process: opens the archive, listens, and ends when it is told to."""

from __future__ import annotations

import logging
import socket
import sys
import tempfile
from collections.abc import Callable
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
        with _listening(config) as listening:
            host, port = listening.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            say(config.base_url or f"http://{shown}:{port}")
            server.run(sockets=[listening])


def _listening(config: ServeConfig) -> socket.socket:
    """An open port. Raises ConfigError."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server(
            (config.host, config.port), family=family, backlog=config.connections
        )
    except (OSError, UnicodeError) as error:
        cause = f"cannot listen on {config.host}, port {config.port} ({error})"
        raise ConfigError(cause, "Choose another.", "--host / --port") from error


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
