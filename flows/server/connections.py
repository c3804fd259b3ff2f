"""Connections that cost little: so many at a time, and none that only waits."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

_HEAD_SECONDS = 10
"""For a request's first line and headers, from the first byte or the connection on."""


class BoundedConnection(H11Protocol):
    """uvicorn's, which closes idle connections only after a first answer, and counts none of those
    that never ask."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        most = self.config.limit_concurrency
        if most is not None and len(self.connections) > most:
            transport.abort()
            return
        self._expect_a_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget_the_clock()
        elif self._timer is None:
            self._expect_a_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_the_clock()
        super().connection_lost(exc)

    def _expect_a_head(self) -> None:
        self._timer = self.loop.call_later(_HEAD_SECONDS, self.transport.abort)

    def _forget_the_clock(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
