"""What all requests share: the archive, the decoders, and what was answered before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from starlette.requests import Request

from glassplate.codecs.cache import ByteBoundedCache
from glassplate.codecs.errors import GlassplateError
from glassplate.codecs.refine.decoders import DECODERS
from glassplate.flows.server.catalogue import Catalogue, View
from glassplate.flows.server.processes.decode_pool import DecodePool, Done
from glassplate.flows.server.protocol.config import TILE, ServeConfig
from glassplate.flows.server.protocol.errors import code_of
from glassplate.flows.server.protocol.image_request import REFINED, Rendering
from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.archive.read.locate import Stored
from glassplate.pipelines.jobs.memory import usable_cores

T = TypeVar("T")

_DECODER = "glassplate.flows.server.processes.decoder"
_SEARCHER = "glassplate.flows.server.processes.querying"
_FORGOTTEN = ("bad-archive", "shard-damaged")
"""Errors that a snapshot ends with whose files were removed; a newer one may do better."""

_WHOLE = 4 * TILE
"""Side of the squares of a tiled picture that go to different processes."""


class Service:
    """One archive being served."""

    def __init__(self, config: ServeConfig, catalogue: Catalogue, folder: Path) -> None:
        """folder: Where decoders write their answers; ours alone."""
        self.config = config
        self.catalogue = catalogue
        self.answers: ByteBoundedCache[Done] = ByteBoundedCache(config.cache // 4)
        self.decoders = self._pool(_DECODER, folder, config.workers)
        self.refiners = self._pool(_DECODER, folder, 1) if config.refine else None
        self.searchers = self._pool(_SEARCHER, folder, 1)

    @property
    def pools(self) -> dict[str, DecodePool]:
        """All queues, by what they are for."""
        pools = {"decode": self.decoders, "search": self.searchers}
        return pools | ({"refine": self.refiners} if self.refiners else {})

    def _pool(self, module: str, folder: Path, workers: int) -> DecodePool:
        config = self.config
        greeting = {
            "archive": config.archive,
            "snapshot": self.catalogue.view.number,
            "device": config.device,
            "max_pixels": config.max_pixels,
            "cache": (config.cache - config.cache // 4) // config.workers,
            "latents": "hyperprior" in self.catalogue.view.snapshot.codecs.values(),
            "threads": max(1, usable_cores() // workers),
        }
        bounds = {"memory": config.worker_memory, "waiting": config.waiting}
        return DecodePool(
            module, greeting, folder, workers=workers, timeout=config.timeout, **bounds
        )

    def refines(self, row: ImageRow) -> bool:
        """Whether a picture has the quality `refined`."""
        return self.refiners is not None and row.codec in DECODERS

    def base_url(self, request: Request) -> str:
        """What the URLs of this service begin with, without a slash at the end."""
        return (self.config.base_url or str(request.base_url)).rstrip("/")

    async def looked_up(self, find: Callable[[View], T]) -> tuple[View, T]:
        """Something found in the snapshot of now. Raises as `find`, which may block."""

        async def found(view: View) -> T:
            return await asyncio.to_thread(find, view)

        return await self._in_newest(found)

    async def picture(self, stored: Stored, rendering: Rendering, etag: str) -> Done:
        """A picture as a file. Raises BusyError, AnsweredError."""
        done = self.answers.get(etag)
        if done is None:
            pool = self.decoders
            if rendering.quality == REFINED and self.refiners:
                pool = self.refiners
            x, y = rendering.region.x // _WHOLE, rendering.region.y // _WHOLE
            tiled = stored.image is not None and stored.image.codec in DECODERS
            group = f"{stored.image_id}/{x}/{y}" if tiled else stored.image_id
            request = {"what": "picture", "rendering": as_json(rendering)}
            done = await self._ask(pool, group, stored, request)
            self.answers.put(etag, done, len(done.data))
        return done

    async def original(self, stored: Stored) -> Path:
        """A source file, byte for byte; who asks removes it. Raises BusyError, AnsweredError."""
        request = {"what": "original"}
        done = await self._ask(self.decoders, stored.image_id, stored, request, keep=True)
        assert done.file
        return done.file

    async def search(self, request: dict[str, Any]) -> bytes:
        """What `querying` answers with, as JSON. Raises BusyError, AnsweredError."""

        async def asked(view: View) -> Done:
            told = request | {"snapshot": view.number}
            key = json.dumps(told, sort_keys=True)
            done = self.answers.get(key)
            if done is None:
                done = await self.searchers.ask("", told)
                self.answers.put(key, done, len(done.data))
            return done

        return (await self._in_newest(asked))[1].data

    async def _ask(
        self,
        pool: DecodePool,
        group: str,
        stored: Stored,
        request: dict[str, Any],
        *,
        keep: bool = False,
    ) -> Done:
        async def asked(view: View) -> Done:
            told = {"snapshot": view.number, "image_id": stored.image_id}
            return await pool.ask(group, request | told, keep=keep)

        return (await self._in_newest(asked))[1]

    async def _in_newest(self, use: Callable[[View], Awaitable[T]]) -> tuple[View, T]:
        """Use the view of now; if its snapshot was forgotten meanwhile, once more the next."""
        view = self.catalogue.view
        try:
            return view, await use(view)
        except GlassplateError as error:
            if code_of(error) not in _FORGOTTEN:
                raise
            await asyncio.to_thread(self.catalogue.refresh)
            if self.catalogue.view is view:
                raise
            return self.catalogue.view, await use(self.catalogue.view)

    async def warm(self) -> None:
        """Have the decoders ready before the first picture is asked for."""
        request = {"what": "nothing", "snapshot": self.catalogue.view.number}
        await self.decoders.warm(request)

    def close(self) -> None:
        """End all processes."""
        for pool in self.pools.values():
            pool.close()


def as_json(rendering: Rendering) -> dict[str, Any]:
    """A rendering as `decoder` reads it."""
    return asdict(rendering) | {"region": rendering.region.model_dump()}
