"""HTTP details: conditional requests, JSON, errors."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from glassplate.codecs.errors import GlassplateError
from glassplate.flows.server.protocol.errors import code_of, status_of
from glassplate.pipelines.archive.format.places import run_of, time_of
from glassplate.pipelines.archive.read.locate import Stored

_WORTH_COMPRESSING = 1000
_RETRY_AFTER = "2"
_OURS = version("glassplate")


def etag_of(*parts: object) -> str:
    """A strong ETag of whatever decides the bytes of an answer; the version of ours does, too."""
    text = "\0".join(map(str, (_OURS, *parts)))
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def etag_of_stored(stored: Stored, *parts: object) -> str:
    """An ETag of something made from a bitstream, which never changes in its place."""
    return etag_of(stored.image_id, stored.file.path, stored.row, *parts)


def modified(stored: Stored) -> datetime:
    """When a bitstream was written, UTC: the time of its run."""
    return time_of(run_of(stored.file.path)).replace(tzinfo=UTC)


def caching(etag: str, changed: datetime | None, seconds: int, *, private: bool) -> dict[str, str]:
    """Headers that tell caches how long an answer is good, and how to ask again."""
    scope = "private" if private else "public"
    headers = {"ETag": etag, "Cache-Control": f"{scope}, max-age={seconds}"}
    if changed:
        headers["Last-Modified"] = format_datetime(changed, usegmt=True)
    return headers


def not_modified(request: Request, headers: Mapping[str, str]) -> Response | None:
    """304, if the client has what these headers stand for (RFC 9110, section 13)."""
    if wanted := request.headers.get("if-none-match"):
        known = [tag.strip().removeprefix("W/") for tag in wanted.split(",")]
        has_it = "*" in known or headers["ETag"].removeprefix("W/") in known
    else:
        has_it = _is_not_newer(headers.get("Last-Modified"), request)
    return Response(status_code=304, headers=dict(headers)) if has_it else None


def _is_not_newer(changed: str | None, request: Request) -> bool:
    since = request.headers.get("if-modified-since")
    if not changed or not since:
        return False
    try:
        return parsedate_to_datetime(changed) <= parsedate_to_datetime(since)
    except (TypeError, ValueError):  # no date, or none that has a zone
        return False


def document(
    request: Request,
    body: Mapping[str, Any] | bytes,
    headers: Mapping[str, str],
    media_type: str = "application/json",
) -> Response:
    """A JSON document; compressed, if it is long and the client knows how."""
    data = body if isinstance(body, bytes) else _as_json(body)
    told = {"Vary": "Accept, Accept-Encoding", **headers}
    if len(data) >= _WORTH_COMPRESSING and "gzip" in request.headers.get("accept-encoding", ""):
        data = gzip.compress(data, 5, mtime=0)
        told["Content-Encoding"] = "gzip"
        if "ETag" in told:
            told["ETag"] = f"W/{told['ETag']}"
    return Response(data, headers=told, media_type=media_type)


def _as_json(body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace")  # a name that is not UTF-8 on its disk


def error_response(error: GlassplateError) -> JSONResponse:
    """A typed error as status and JSON."""
    code = code_of(error)
    return failure(status_of(code), code, str(error))


def failure(status: int, code: str, reason: str) -> JSONResponse:
    """Any error: `error` is a stable word, `reason` a sentence."""
    headers = {"Cache-Control": "no-store"}
    if status == 503:
        headers["Retry-After"] = _RETRY_AFTER
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="glassplate"'
    return JSONResponse({"error": code, "reason": reason}, status, headers)
