"""Manifests and collections, as viewers read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from serving import Served

pytestmark = pytest.mark.slow

RIGHTS = "http://creativecommons.org/publicdomain/mark/1.0/"  # as the service is told


def test_a_manifest_leads_to_the_picture(service: Served, beach: str) -> None:
    answer = service.get(f"/manifest/{beach}")
    assert answer.headers["content-type"].startswith("application/ld+json;profile=")
    manifest = answer.json()
    assert manifest["@context"] == "http://iiif.io/api/presentation/3/context.json"
    assert (manifest["id"], manifest["type"]) == (f"{service.url}/manifest/{beach}", "Manifest")
    assert manifest["label"] == {"none": ["holiday/beach.png"]}
    (canvas,) = manifest["items"]
    assert (canvas["width"], canvas["height"]) == (128, 96)
    annotation = canvas["items"][0]["items"][0]
    assert (annotation["motivation"], annotation["target"]) == ("painting", canvas["id"])
    body = annotation["body"]
    assert service.image(body["id"]).size == (body["width"], body["height"]) == (128, 96)
    assert service.get(f"{body['service'][0]['id']}/info.json").json()["width"] == 128
    (thumbnail,) = manifest["thumbnail"]
    assert service.image(thumbnail["id"]).size == (thumbnail["width"], thumbnail["height"])
    facts = {entry["label"]["en"][0]: entry["value"]["none"][0] for entry in manifest["metadata"]}
    assert (facts["codec"], facts["width"]) == ("jpeg", "128")
    ids = [node["id"] for node in nodes(manifest["items"]) if node["type"] != "ImageService3"]
    assert len(ids) == len(set(ids))


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document that has a type."""
    if isinstance(value, list):
        for item in value:
            yield from nodes(item)
    elif isinstance(value, dict):
        if "type" in value:
            yield value
        for item in value.values():
            yield from nodes(item)


def test_a_name_leads_to_the_manifest(service: Served, beach: str) -> None:
    answer = service.get("/manifest/holiday/beach.png")
    assert answer.headers["location"] == f"{service.url}/manifest/{beach}"
    assert service.get("/manifest/broken.jpg").status_code == 404


def test_a_collection_is_what_a_query_finds(service: Served, beach: str) -> None:
    everything = service.get("/collection").json()
    assert everything["type"] == "Collection"
    assert len(everything["items"]) == 3  # broken.jpg is no picture
    path = "/collection?where=width%20%3D%20128%20--%20seaside"
    found = service.get(path).json()
    assert found["id"] == f"{service.url}{path}"
    (item,) = found["items"]
    assert item["id"] == f"{service.url}/manifest/{beach}"
    assert service.get(item["id"]).json()["label"] == item["label"]
    assert service.image(item["thumbnail"][0]["id"]).size == (200, 150)
    assert service.client.get("/collection", params={"where": "nonsense"}).status_code == 400


def test_rights_are_those_that_were_told(service: Served, beach: str) -> None:
    for path in (f"/manifest/{beach}", "/collection", f"/iiif/3/{beach}/info.json"):
        assert service.get(path).json()["rights"] == RIGHTS
    assert service.get(f"/iiif/2/{beach}/info.json").json()["license"] == RIGHTS
