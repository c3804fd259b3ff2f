"""Where each file of an archive has its place. A manifest that names another is refused.

    images/run=<run id>/<sha256>.parquet     likewise bitstreams, latents
    _index/run=<run id>/id.parquet           likewise name
    models/<fingerprint>/codec.json          likewise weights.safetensors

An archive may come from a stranger. What a manifest names is read, and deleted when it is
forgotten, so that these patterns, and no others, decide what can be named: no parent folders, no
absolute paths, no URLs.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

RUN_ID = r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}"
STAMP = "%Y%m%dT%H%M%SZ"
_SHA256 = "[0-9a-f]{64}"
_TABLES = ("images", "bitstreams", "latents")

_PLACES = {
    **{table: rf"{table}/run={RUN_ID}/{_SHA256}\.parquet" for table in _TABLES},
    "id_index": rf"_index/run={RUN_ID}/id\.parquet",
    "name_index": rf"_index/run={RUN_ID}/name\.parquet",
    "models": rf"models/{_SHA256}/(codec\.json|weights\.safetensors)",
}


def check_place(kind: str, path: str) -> None:
    """Raises ValueError unless a published file of this kind can have this path."""
    if not re.fullmatch(_PLACES[kind], path, re.ASCII):
        raise ValueError(f"{path[:200]!r} is no place in an archive for its {kind}")


def _is_a_time(run_id: str) -> str:
    """Raises ValueError for a run id of no time, or of one that no run can follow."""
    if time_of(run_id).year == datetime.max.year:
        raise ValueError("no run can follow it")
    return run_id


def time_of(run_id: str) -> datetime:
    """The time in a run's id, UTC. Raises ValueError."""
    return datetime.strptime(run_id.split("-")[0], STAMP)


Sha256 = Annotated[str, Field(pattern=f"^{_SHA256}$")]
RunId = Annotated[str, Field(pattern=f"^{RUN_ID}$"), AfterValidator(_is_a_time)]


def is_id(text: str | None) -> bool:
    """Whether a text is a sha256 in small hex digits, as the ids of pictures are."""
    return text is not None and re.fullmatch(_SHA256, text) is not None


def run_of(path: str) -> str:
    """The run id in the path of a published file, an index or their folder, else ValueError."""
    if found := re.match(rf"(?:images|bitstreams|latents|_index)/run=({RUN_ID})(?:/|$)", path):
        return found[1]
    raise ValueError(f"{path!r} lies in no run's folder")
