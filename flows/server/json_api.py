"""The JSON API: what is in the archive, and the files that it keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from glassplate.flows.server.catalogue import View
from glassplate.flows.server.metrics import Metrics
from glassplate.flows.server.responses import (
    caching,
    document,
    etag_of,
    etag_of_stored,
    failure,
    modified,
    not_modified,
)
from glassplate.flows.server.service import Service
from glassplate.flows.terminal.output import plain
from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.archive.read.locate import Stored
from glassplate.pipelines.errors import NotFoundError

MOST_ROWS = 1000
_MINUTE, _DAY = 60, 86_400
_FAULTS: dict[int | str, dict[str, Any]] = {
    400: {"description": "A parameter means nothing; `reason` says why."},
    404: {"description": "There is no such picture."},
    410: {"description": "It was in an older snapshot."},
    503: {"description": "Too much to do; see Retry-After."},
}
_MEDIA_TYPES = {
    "AVIF": "image/avif",
    "BMP": "image/bmp",
    "GIF": "image/gif",
    "JPEG": "image/jpeg",
    "JPEG2000": "image/jp2",
    "JXL": "image/jxl",
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
}
"""Media types of source formats that programs ask for by it; others are bytes, and never a page."""

Identifier = Annotated[
    str, Path(description="A sha256, eight or more digits of one, or a name.", min_length=1)
]
Where = Annotated[
    str | None,
    Query(description="A DuckDB condition over the catalogue: `width > 1000 and psnr < 32`."),
]
Order = Annotated[str | None, Query(description="Sort by: `psnr`, `bpp desc`; else by name.")]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="At most so many rows.")]
Offset = Annotated[int, Query(ge=0, le=2**31, description="Rows to leave out before these.")]


def routes(service: Service, metrics: Metrics) -> APIRouter:
    """What lies beside the IIIF APIs."""
    router = APIRouter()
    api = _JsonApi(service, metrics)
    for path, answer, faults in (
        ("/api/pictures", api.pictures, (400, 503)),
        ("/api/pictures/{identifier:path}", api.picture, (400, 404, 410)),
        ("/api/similar/{identifier:path}", api.similar, (400, 404, 410, 503)),
        ("/api/snapshots", api.snapshots, ()),
        ("/original/{identifier:path}", api.original, (400, 404, 410, 503)),
        ("/healthz", api.health, ()),
        ("/readyz", api.ready, (503,)),
        ("/metrics", api.metrics, ()),
    ):
        add_route(router, path, answer, faults)
    return router


def add_route(
    router: APIRouter, path: str, answer: Callable[..., Any], faults: Sequence[int]
) -> None:
    """GET and HEAD; the document names GET alone, and what it is refused with."""
    for method in ("GET", "HEAD"):
        router.add_api_route(
            path,
            answer,
            methods=[method],
            responses={status: _FAULTS[status] for status in faults},
            include_in_schema=method == "GET",
            response_class=Response,
            response_model=None,
        )


class _JsonApi:
    def __init__(self, service: Service, metrics: Metrics) -> None:
        self._service = service
        self._metrics = metrics

    async def pictures(
        self,
        request: Request,
        where: Where = None,
        order: Order = None,
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> Response:
        """Rows of the catalogue: every input, and what became of it."""
        asked = {"what": "query", "where": where, "order": order, "columns": None}
        return await self._found(request, asked | {"limit": limit, "offset": offset})

    async def similar(
        self,
        request: Request,
        identifier: Identifier,
        count: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 10,
        by: Literal["embedding", "latent"] = "embedding",
    ) -> Response:
        """The pictures most like one."""
        stored, _ = await self._stored(identifier)
        asked = {"what": "similar", "image_id": stored.image_id, "count": count, "by": by}
        return await self._found(request, asked)

    async def _found(self, request: Request, asked: dict[str, Any]) -> Response:
        data = await self._service.search(asked)
        headers = self._caching(etag_of(data), None, _MINUTE)
        return not_modified(request, headers) or document(request, data, headers)

    async def picture(self, request: Request, identifier: Identifier) -> Response:
        """All facts of a picture, and where to get it."""
        stored, row = await self._stored(identifier)
        base = self._service.base_url(request)
        links = {
            "info": f"{base}/iiif/3/{stored.image_id}/info.json",
            "manifest": f"{base}/manifest/{stored.image_id}",
        }
        if row.bit_exact:
            links["original"] = f"{base}/original/{stored.image_id}"
        body = plain(asdict(row)) | {"links": links}
        headers = self._caching(etag_of(json.dumps(body)), None, _MINUTE)
        return not_modified(request, headers) or document(request, body, headers)

    async def original(self, request: Request, identifier: Identifier) -> Response:
        """The source file of a bit-exact picture, byte for byte; parts of it by Range."""
        stored, row = await self._stored(identifier)
        if not row.bit_exact:
            cause = f"is stored by codec {row.codec}, not bit for bit"
            raise NotFoundError(cause, "Get it as a picture instead.", row.name)
        headers = self._caching(etag_of_stored(stored, "original"), modified(stored), _DAY)
        if answer := not_modified(request, headers):
            return answer
        name = quote(row.name.rpartition("/")[2], safe="")
        headers |= {
            "Content-Disposition": f"inline; filename*=UTF-8''{name}",
            "Content-Security-Policy": "sandbox; default-src 'none'",
        }
        file = await self._service.original(stored)
        media_type = _MEDIA_TYPES.get(row.format or "", "application/octet-stream")
        removal = BackgroundTask(file.unlink, missing_ok=True)
        return FileResponse(file, 200, headers, media_type, background=removal)

    async def snapshots(self, request: Request) -> Response:
        """Numbers of all snapshots, and the one that is served."""
        view, numbers = await self._service.looked_up(lambda view: view.archive.snapshots())
        run = view.snapshot.run
        served = {
            "number": view.number,
            "run": run.run_id,
            "finished": run.finished,
            "rows": sum(shard.images.rows for shard in view.snapshot.shards),
            "codecs": sorted(set(view.snapshot.codecs.values())),
        }
        headers = {"Cache-Control": "no-cache"}
        return document(request, {"served": served, "snapshots": numbers}, headers)

    async def health(self) -> Response:
        """That the service runs."""
        return Response('{"status":"ok"}', media_type="application/json")

    async def ready(self) -> Response:
        """That the archive can be read."""
        trouble = self._service.catalogue.trouble
        if trouble:
            return failure(503, "not-ready", trouble)
        return Response('{"status":"ready"}', media_type="application/json")

    async def metrics(self) -> Response:
        """Counts for Prometheus."""
        return Response(self._metrics.text(), media_type=CONTENT_TYPE_LATEST)

    async def _stored(self, identifier: str) -> tuple[Stored, ImageRow]:
        def find(view: View) -> tuple[Stored, ImageRow]:
            image_id = view.image_id_of(identifier)
            return view.stored(image_id), view.row(image_id)

        return (await self._service.looked_up(find))[1]

    def _caching(self, etag: str, changed: Any, seconds: int) -> dict[str, str]:
        private = self._service.config.token is not None
        return caching(etag, changed, seconds, private=private)
