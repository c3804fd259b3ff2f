"""IIIF Presentation API 3.0 (https://iiif.io/api/presentation/3.0/).

/manifest/{identifier}     one picture, with what the catalogue says of it
/collection?where=...      the pictures that a query finds
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from glassplate.codecs.base import Region
from glassplate.flows.server.catalogue import View, size_of
from glassplate.flows.server.json_api import Identifier, Limit, Offset, Order, Where, add_route
from glassplate.flows.server.protocol.image_request import parse_size
from glassplate.flows.server.responses import caching, document, etag_of, not_modified
from glassplate.flows.server.service import Service
from glassplate.flows.terminal.output import plain
from glassplate.pipelines.archive.format.places import is_id
from glassplate.pipelines.archive.format.schema import ImageRow

_CONTEXT = "http://iiif.io/api/presentation/3/context.json"
_MEDIA_TYPE = f'application/ld+json;profile="{_CONTEXT}"'
_THUMBNAIL = 200
_MINUTE = 60
_FACTS = (
    "source_uri", "format", "mode", "width", "height", "source_bytes", "status", "reason", "codec",
    "quality", "bit_exact", "stored_bytes", "bpp", "psnr", "ms_ssim", "ssimulacra2", "verified",
)  # fmt: skip


def presentation_routes(service: Service) -> APIRouter:
    """Manifests and collections."""
    router = APIRouter()
    api = _Presentation(service)
    for path, answer, faults in (
        ("/manifest/{identifier:path}", api.manifest, (400, 404, 410)),
        ("/collection", api.collection, (400, 503)),
    ):
        add_route(router, path, answer, faults)
    return router


class _Presentation:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def manifest(self, request: Request, identifier: Identifier) -> Response:
        """A picture as viewers show it, its facts as metadata (IIIF Presentation 3.0)."""

        def find(view: View) -> tuple[str, ImageRow]:
            image_id = view.image_id_of(identifier)
            return image_id, view.row(image_id)

        _, (image_id, row) = await self._service.looked_up(find)
        base = self._service.base_url(request)
        if not is_id(identifier):
            return RedirectResponse(f"{base}/manifest/{image_id}", 303)
        return self._document(request, self._manifest(base, image_id, row))

    def _manifest(self, base: str, image_id: str, row: ImageRow) -> dict[str, Any]:
        own, image = f"{base}/manifest/{image_id}", f"{base}/iiif/3/{image_id}"
        width, height = size_of(row)
        label = _untagged(row.name)
        whole = Region(x=0, y=0, width=width, height=height)
        most = self._service.config.max_area
        small = parse_size(f"^!{_THUMBNAIL},{_THUMBNAIL}", whole, max(most, _THUMBNAIL**2), 3)
        if small[0] > width:
            small = width, height
        services = [{"id": image, "type": "ImageService3", "profile": "level2"}]
        canvas = {
            "id": f"{own}/canvas",
            "type": "Canvas",
            "label": label,
            "width": width,
            "height": height,
            "items": [
                {
                    "id": f"{own}/page",
                    "type": "AnnotationPage",
                    "items": [
                        {
                            "id": f"{own}/annotation",
                            "type": "Annotation",
                            "motivation": "painting",
                            "target": f"{own}/canvas",
                            "body": _image(image, "max", parse_size("max", whole, most, 3))
                            | {"service": services},
                        }
                    ],
                }
            ],
        }
        body: dict[str, Any] = {
            "@context": _CONTEXT,
            "id": own,
            "type": "Manifest",
            "label": label,
            "metadata": list(_metadata(row)),
            "thumbnail": [_image(image, f"{small[0]},{small[1]}", small) | {"service": services}],
            "seeAlso": [_link(f"{base}/api/pictures/{image_id}", "Dataset", "application/json")],
            "items": [canvas],
        }
        if self._service.config.rights:
            body["rights"] = self._service.config.rights
        if row.bit_exact:
            original = _link(f"{base}/original/{image_id}", "Image", None)
            body["rendering"] = [original | {"label": {"en": ["The original file"]}}]
        return body

    async def collection(
        self,
        request: Request,
        where: Where = None,
        order: Order = None,
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> Response:
        """The pictures that a query finds, as a collection of manifests."""
        data = await self._service.search(
            {
                "what": "query",
                "where": f"(\n{where or 'true'}\n) AND codec IS NOT NULL AND width > 0",
                "order": order,
                "columns": ["image_id", "name"],
                "limit": limit,
                "offset": offset,
            }
        )
        base, query = self._service.base_url(request), request.url.query
        found = {row["image_id"]: row["name"] for row in json.loads(data)["pictures"]}
        body: dict[str, Any] = {
            "@context": _CONTEXT,
            "id": f"{base}/collection" + (f"?{query}" if query else ""),
            "type": "Collection",
            "label": _untagged(where or "all pictures"),
            "items": [
                {
                    "id": f"{base}/manifest/{image_id}",
                    "type": "Manifest",
                    "label": _untagged(name),
                    "thumbnail": [
                        _image(f"{base}/iiif/3/{image_id}", f"^!{_THUMBNAIL},{_THUMBNAIL}", None)
                    ],
                }
                for image_id, name in found.items()
            ],
        }
        if self._service.config.rights:
            body["rights"] = self._service.config.rights
        return self._document(request, body)

    def _document(self, request: Request, body: dict[str, Any]) -> Response:
        private = self._service.config.token is not None
        headers = caching(etag_of(json.dumps(body)), None, _MINUTE, private=private)
        return not_modified(request, headers) or document(request, body, headers, _MEDIA_TYPE)


def _untagged(text: str) -> dict[str, list[str]]:
    """A text in no language that we know of."""
    return {"none": [text]}


def _metadata(row: ImageRow) -> list[dict[str, Any]]:
    """What the catalogue says, and what the source's list or sidecar said."""
    facts = {name: plain(getattr(row, name)) for name in _FACTS}
    facts |= json.loads(row.fields) if row.fields else {}
    return [
        {"label": {"en": [str(name).replace("_", " ")]}, "value": _untagged(str(value))}
        for name, value in facts.items()
        if value is not None
    ]


def _image(service: str, size: str, pixels: tuple[int, int] | None) -> dict[str, Any]:
    body = {
        "id": f"{service}/full/{size}/0/default.jpg",
        "type": "Image",
        "format": "image/jpeg",
    }
    return body | ({"width": pixels[0], "height": pixels[1]} if pixels else {})


def _link(url: str, kind: str, media_type: str | None) -> dict[str, Any]:
    return {"id": url, "type": kind} | ({"format": media_type} if media_type else {})
