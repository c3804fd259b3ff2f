"""Captions, labels and ids that lie beside pictures in a zip or tar file, as in WebDataset shards.

    0001.jpg  0001.txt  0001.json  0001.cls      one picture, and what is said of it

Files go together whose names are equal up to the first dot of the last part.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from glassplate.pipelines.sources.packed.members import Member
from glassplate.pipelines.sources.packed.tables import looks_like_entry

_TEXTS = {"txt", "text", "caption", "cls", "cls2", "label", "id", "url"}
_LARGEST = 1 << 20
_OUR_EXPORT = {"image_id", "name", "source_uri"}
"""What every JSON file of an export has."""


def sidecars(members: Iterable[Member]) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """What sidecars say, by the keys of pictures, and the keys of those sidecars.

    One that is no text, no JSON object, or larger than 1 MiB says nothing: a file of its own.
    """
    said: dict[str, dict[str, Any]] = defaultdict(dict)
    keys: dict[str, list[str]] = defaultdict(list)
    pictures = []
    for member in members:
        stem, kind = _split(member.key)
        if looks_like_entry(member.key):
            pictures.append((member.key, stem))
        elif values := _values(member, kind):
            said[stem] |= values
            keys[stem].append(member.key)
    described = {key: said[stem] for key, stem in pictures if stem in said}
    used = {key for _, stem in pictures for key in keys.get(stem, ())}
    return described, used


def exported(values: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    """The name and the fields that a picture had in the archive that it was exported from.

    Values of other origin come back as they are, without a name.
    """
    if not values.keys() >= _OUR_EXPORT:
        return None, values
    fields = values.get("fields") or {}
    if isinstance(fields, str):
        fields = json.loads(fields)
    return str(values["name"]), fields if isinstance(fields, dict) else {}


def _split(key: str) -> tuple[str, str]:
    """'a.b/0001.seg.png' -> ('a.b/0001', 'seg.png')."""
    folder, slash, last = key.rpartition("/")
    stem, _, kind = last.partition(".")
    return folder + slash + stem, kind.lower()


def _values(member: Member, kind: str) -> dict[str, Any] | None:
    if (kind != "json" and kind not in _TEXTS) or member.reason or member.size > _LARGEST:
        return None
    try:
        text = member.read().decode()
        values = json.loads(text) if kind == "json" else {kind: text.strip()}
    except (ValueError, OSError):
        return None
    return values if isinstance(values, dict) else None
