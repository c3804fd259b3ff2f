"""IIIF Image API 3.0, level 2, and 2.1 (https://iiif.io/api/image/3.0/, /2.1/).

/iiif/3/{identifier}/info.json
/iiif/3/{identifier}/{region}/{size}/{rotation}/{quality}.{format}
/iiif/2/...                                                         likewise
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from glassplate.flows.server.catalogue import size_of
from glassplate.flows.server.protocol.config import TILE
from glassplate.flows.server.protocol.errors import BadRequestError
from glassplate.flows.server.protocol.image_request import FORMATS, REFINED, Limits, parse
from glassplate.flows.server.responses import (
    caching,
    document,
    etag_of_stored,
    modified,
    not_modified,
)
from glassplate.flows.server.service import Service
from glassplate.pipelines.archive.format.places import is_id
from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.archive.read.locate import Stored
from glassplate.pipelines.errors import NotFoundError

_CONTEXT = "http://iiif.io/api/image/{}/context.json"
_LEVEL = "http://iiif.io/api/image/{}/level2.json"
_PROTOCOL = "http://iiif.io/api/image"
_DAY, _FIVE_MINUTES = 86_400, 300
_SMALLEST = 64
"""Longer side in pixels of the smallest size that is advertised."""

_FEATURES_3 = ("canonicalLinkHeader", "mirroring", "profileLinkHeader", "sizeUpscaling")
_FEATURES_2 = (
    "baseUriRedirect", "canonicalLinkHeader", "cors", "jsonldMediaType", "mirroring",
    "profileLinkHeader", "regionByPct", "regionByPx", "regionSquare", "rotationBy90s",
    "sizeAboveFull", "sizeByConfinedWh", "sizeByDistortedWh", "sizeByForcedWh", "sizeByH",
    "sizeByPct", "sizeByW", "sizeByWh",
)  # fmt: skip


class ImageApi:
    """Answers what lies below /iiif/VERSION/."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, request: Request) -> Response:
        """A redirect, an info.json or a picture. Raises GlassplateError."""
        version = int(request.path_params["version"])
        parts = _parts(request)
        if len(parts) not in (1, 2, 5) or (len(parts) == 2 and parts[1] != "info.json"):
            raise NotFoundError("there is nothing under this URL", "See /docs.")
        view, image_id = await self._service.looked_up(lambda view: view.image_id_of(parts[0]))
        base = f"{self._service.base_url(request)}/iiif/{version}/{image_id}"
        if len(parts) == 1:
            return RedirectResponse(f"{base}/info.json", 303)
        if not is_id(parts[0]):
            rest = "/".join(quote(part, safe="!,^:") for part in parts[1:])
            return RedirectResponse(f"{base}/{rest}", 303)
        view, stored = await self._service.looked_up(lambda view: view.stored(image_id))
        row = view.row(image_id)
        if len(parts) == 2:
            return self._info(request, version, stored, row)
        return await self._picture(request, version, parts[1:], stored, row)

    def _info(self, request: Request, version: int, stored: Stored, row: ImageRow) -> Response:
        base = f"{self._service.base_url(request)}/iiif"
        accepted = request.headers.get("accept", "")
        for other in (2, 3):
            if version != other and _CONTEXT.format(other) in accepted:
                return RedirectResponse(
                    f"{base}/{other}/{stored.image_id}/info.json", 303, {"Vary": "Accept"}
                )
        own = f"{base}/{version}/{stored.image_id}"
        body = self.info_3(own, row) if version == 3 else self._info_2(own, row)
        etag = etag_of_stored(stored, own, body)
        headers = caching(etag, None, _FIVE_MINUTES, private=self._private)
        headers["Link"] = f'<{_LEVEL.format(version)}>;rel="profile"'
        media_type = "application/json"
        if "application/ld+json" in accepted:
            media_type = f'application/ld+json;profile="{_CONTEXT.format(version)}"'
        return not_modified(request, headers) or document(request, body, headers, media_type)

    @property
    def _private(self) -> bool:
        return self._service.config.token is not None

    def info_3(self, own: str, row: ImageRow) -> dict[str, Any]:
        """The info.json of version 3 of a picture whose service has the URL `own`."""
        refined = [REFINED] if self._service.refines(row) else []
        body = {
            "@context": _CONTEXT.format(3),
            "id": own,
            "type": "ImageService3",
            "protocol": _PROTOCOL,
            "profile": "level2",
            **self._sizes(row),
            "maxArea": self._service.config.max_area,
            "preferredFormats": ["webp", "jpg"],
            "extraFormats": [name for name in FORMATS if name not in ("jpg", "png")],
            "extraQualities": ["gray", "bitonal", *refined],
            "extraFeatures": list(_FEATURES_3),
        }
        if self._service.config.rights:
            body["rights"] = self._service.config.rights
        return body

    def _info_2(self, own: str, row: ImageRow) -> dict[str, Any]:
        refined = [REFINED] if self._service.refines(row) else []
        features = {
            "formats": list(FORMATS),
            "qualities": ["default", "color", "gray", "bitonal", *refined],
            "supports": list(_FEATURES_2),
            "maxArea": self._service.config.max_area,
        }
        body = {
            "@context": _CONTEXT.format(2),
            "@id": own,
            "protocol": _PROTOCOL,
            "profile": [_LEVEL.format(2), features],
            **self._sizes(row),
        }
        if self._service.config.rights:
            body["license"] = self._service.config.rights
        return body

    def _sizes(self, row: ImageRow) -> dict[str, Any]:
        width, height = size_of(row)
        factors = [1]
        while max(width, height) / factors[-1] > TILE:
            factors.append(2 * factors[-1])
        sizes = [(-(-width // factor), -(-height // factor)) for factor in factors]
        while max(sizes[-1]) > 2 * _SMALLEST:
            sizes.append(tuple(-(-side // 2) for side in sizes[-1]))  # type: ignore[arg-type]
        most = self._service.config.max_area
        return {
            "width": width,
            "height": height,
            "sizes": [{"width": w, "height": h} for w, h in reversed(sizes) if w * h <= most],
            "tiles": [{"width": TILE, "height": TILE, "scaleFactors": factors}],
        }

    async def _picture(
        self, request: Request, version: int, parts: list[str], stored: Stored, row: ImageRow
    ) -> Response:
        limits = Limits(self._service.config.max_area, self._service.refines(row))
        region, size, rotation, file = parts
        rendering = parse((region, size, rotation, file), size_of(row), limits, version)
        etag = etag_of_stored(stored, rendering)
        headers = caching(etag, modified(stored), _DAY, private=self._private)
        own = f"{self._service.base_url(request)}/iiif/{version}/{stored.image_id}"
        headers["Link"] = (
            f'<{own}/{rendering.canonical}>;rel="canonical",'
            f'<{_LEVEL.format(version)}>;rel="profile"'
        )
        if answer := not_modified(request, headers):
            return answer
        done = await self._service.picture(stored, rendering, etag)
        if done.facts:
            headers["X-Glassplate-Refined"] = _label(done.facts)
        return Response(done.data, headers=headers, media_type=FORMATS[rendering.format][1])


def _label(facts: dict[str, Any]) -> str:
    """What was done to a picture, in a header."""
    shown = ("refiner", "sampler", "steps", "strength", "seed", "codec")
    return "; ".join(f"{name}={facts[name]}" for name in shown)


def _parts(request: Request) -> list[str]:
    """What follows /iiif/VERSION/, cut at the slashes that are not escaped, and unescaped."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    below = raw.decode("latin-1").partition("/iiif/")[2].split("/")[1:]
    try:
        parts = [unquote(part, errors="strict") for part in below]
    except UnicodeDecodeError as error:
        raise BadRequestError("the URL is not UTF-8") from error
    if any("\0" in part for part in parts):
        raise BadRequestError("the URL has a character that no name has")
    return parts
