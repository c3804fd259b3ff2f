"""The process that searches: SQL over the catalogue, and similar pictures, as JSON files.

Whoever reaches the service may write the SQL, so that it runs where it can be ended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glassplate.codecs.errors import ConfigError
from glassplate.flows.server.processes.process import answers
from glassplate.flows.terminal.output import plain
from glassplate.pipelines import Archive
from glassplate.pipelines.archive.read.similar import similar
from glassplate.pipelines.jobs.child_process import Answer


def greeted(greeting: str) -> Answer:
    """What answers queries and searches."""
    return answers(json.loads(greeting), _fulfil)


def _fulfil(archive: Archive, request: Mapping[str, Any]) -> dict[str, Any]:
    if request["what"] == "similar":
        found = similar(archive, request["image_id"], request["count"], request["by"])
        body = {"similar": [plain(one) for one in found]}
    else:
        body = {"pictures": _rows(archive, request)}
    text = json.dumps({"snapshot": archive.manifest.number, **body}, ensure_ascii=False)
    Path(request["out"]).write_bytes(text.encode(errors="replace"))
    return {}


def _rows(archive: Archive, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    for part in ("where", "order"):
        if "\0" in (request[part] or ""):
            raise ConfigError("has a character that SQL has not", "", part)
    table = archive.where(
        request["where"],
        columns=request["columns"],
        order=request["order"],
        limit=request["limit"],
        offset=request["offset"],
    )
    return [plain(row) for row in table.to_pylist()]
