"""The folders of runs, and which runs a snapshot needs."""

from __future__ import annotations

from glassplate.pipelines.archive.format.manifest import Snapshot
from glassplate.pipelines.archive.format.places import run_of

RUN_FOLDERS = ("images", "bitstreams", "latents", "_index")


def runs_of(snapshot: Snapshot) -> set[str]:
    """Ids of the runs whose files a snapshot names."""
    files = [shard.images for shard in snapshot.shards]
    return {run_of(file.path) for file in (*files, *snapshot.id_index, *snapshot.name_index)}
