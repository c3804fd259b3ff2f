"""The folders of runs, and which runs a snapshot needs."""

from __future__ import annotations

from glassplate.pipelines.archive.format.manifest import Snapshot

RUN_FOLDERS = ("images", "bitstreams", "latents", "_index")


def runs_of(snapshot: Snapshot) -> set[str]:
    """Ids of the runs whose files a snapshot names."""
    files = [shard.images for shard in snapshot.shards]
    return {run_of(file.path) for file in (*files, *snapshot.id_index, *snapshot.name_index)}


def run_of(path: str) -> str:
    """The run id in the path of a published file: 'images/run=<run id>/<sha256>.parquet'."""
    return path.split("/run=", 1)[1].split("/", 1)[0]
