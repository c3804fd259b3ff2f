"""What surrounds every answer: who may ask, cross-origin headers, the access log, the clock."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glassplate.flows.server.responses import failure

access_log = logging.getLogger("glassplate.access")

_OPEN = ("/healthz", "/readyz")
_CORS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "ETag, Link, Retry-After, X-Glassplate-Refined",
    "x-content-type-options": "nosniff",
}
_PREFLIGHT = {
    "access-control-allow-methods": "GET, HEAD, OPTIONS",
    "access-control-allow-headers": "*",
    "access-control-max-age": "86400",
}
Count = Callable[[int, float, int], None]
"""Told the status, the seconds and the bytes of every answer."""


class Envelope:
    """ASGI middleware around the whole service."""

    def __init__(self, app: ASGIApp, token: str | None, count: Count, patience: float = 60) -> None:
        """patience: Seconds that a client has to take what is sent next."""
        self._patience = patience
        self._app = app
        self._token = token.encode() if token else None
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; everything else (the application's start and end) passes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, size = time.monotonic(), 500, 0

        async def sending(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                added = _CORS | (_PREFLIGHT if scope["method"] == "OPTIONS" else {})
                message["headers"] = [
                    *message.get("headers", ()),
                    *((name.encode(), value.encode()) for name, value in added.items()),
                ]
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await asyncio.wait_for(send(message), self._patience)

        try:
            await self._answered(scope, receive, sending)
        finally:
            seconds = time.monotonic() - started
            self._count(status, seconds, size)
            access_log.info("%s", json.dumps(_line(scope, status, size, seconds)))

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        elif self._may_ask(scope):
            await self._app(scope, receive, send)
        else:
            reason = "Say the token: in a header, Authorization: Bearer TOKEN, or as ?token=TOKEN."
            await failure(401, "token-missing", reason)(scope, receive, send)

    def _may_ask(self, scope: Scope) -> bool:
        if self._token is None or scope["path"] in _OPEN:
            return True
        said = dict(scope["headers"]).get(b"authorization", b"")
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        given = (said.removeprefix(b"Bearer ").strip(), asked.encode())
        return any(secrets.compare_digest(one, self._token) for one in given)


def _line(scope: Scope, status: int, size: int, seconds: float) -> dict[str, Any]:
    """One line of the access log. Not the query, which may hold the token."""
    client = scope.get("client")
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "client": client[0] if client else None,
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
        "bytes": size,
        "ms": round(1000 * seconds, 1),
    }
