"""The application: routes, and how errors are answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from glassplate.codecs.errors import GlassplateError
from glassplate.flows.server.envelope import Envelope
from glassplate.flows.server.iiif_image import ImageApi
from glassplate.flows.server.iiif_presentation import presentation_routes
from glassplate.flows.server.json_api import routes
from glassplate.flows.server.metrics import Metrics
from glassplate.flows.server.responses import error_response, failure
from glassplate.flows.server.service import Service

_METHODS = ["GET", "HEAD"]
_ABOUT = """One image archive, for reading.

Pictures: `/iiif/3/ID/info.json` and `/iiif/3/ID/REGION/SIZE/ROTATION/QUALITY.FORMAT`, as
[IIIF Image API 3.0](https://iiif.io/api/image/3.0/) says, level 2; below `/iiif/2/` as 2.1 says.
An ID is a sha256, eight or more digits of one, or a picture's name with its slashes escaped."""


def application(service: Service) -> Envelope:
    """Everything that is served, as ASGI."""
    app = FastAPI(
        title="Glassplate",
        version=version("glassplate"),
        description=_ABOUT,
        lifespan=lambda app: _living(service),
    )
    _answer_errors(app)
    metrics = Metrics(service)
    app.include_router(routes(service, metrics))
    app.include_router(presentation_routes(service))
    app.add_route("/iiif/{version:int}/{rest:path}", _of_known_version(ImageApi(service)), _METHODS)
    return Envelope(app, service.config.token, metrics.count, service.config.timeout)


def _of_known_version(api: ImageApi):  # type: ignore[no-untyped-def]
    async def answer(request: Request) -> Response:
        if request.path_params["version"] not in (2, 3):
            raise HTTPException(404, "Versions 2 and 3 of the Image API are served.")
        return await api(request)

    return answer


@asynccontextmanager
async def _living(service: Service) -> AsyncIterator[None]:
    """Follow new snapshots for as long as the service runs."""
    tasks = [asyncio.create_task(_follow(service)), asyncio.create_task(service.warm())]
    try:
        yield
    finally:
        service.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(service: Service) -> None:
    while service.config.snapshot is None:
        await asyncio.sleep(service.config.reload)
        await asyncio.to_thread(service.catalogue.refresh)


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(GlassplateError)
    async def typed(request: Request, error: GlassplateError) -> Response:
        return error_response(error)

    @app.exception_handler(HTTPException)
    async def by_status(request: Request, error: HTTPException) -> Response:
        code = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "error")
        answer = failure(error.status_code, code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(RequestValidationError)
    async def not_valid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return failure(400, "bad-request", f"{where}: {first['msg']}")

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        return failure(500, "internal", "this should not happen; the log says what did")

    @app.exception_handler(OSError)
    async def of_files(request: Request, error: OSError) -> Response:
        return failure(502, "os-error", str(error))
