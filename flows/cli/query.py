"""The commands that tell what an archive holds: list, query, info, stats."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassplate.flows.options.common import (
    ArchiveArgument,
    JsonOption,
    SnapshotOption,
    WhereOption,
    output_of,
)
from glassplate.flows.terminal.output import human_bytes, ratio
from glassplate.flows.terminal.wording import counted

if TYPE_CHECKING:
    from glassplate.pipelines.archive.read.reader import Archive

LISTED = [
    "name", "status", "reason", "codec", "width", "height", "bpp", "psnr", "ms_ssim", "ssimulacra2",
]  # fmt: skip
SPARE = ("ms_ssim", "height", "width", "ssimulacra2")
"""What a narrow terminal goes without, in this order."""

GoneOption = Annotated[
    bool, typer.Option("--gone", help="Only sources that are gone; their pictures stay.")
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="At most so many rows.", show_default=False)
]
OrderOption = Annotated[
    str | None,
    typer.Option(
        "--order", metavar="SQL", help='Sort by: "psnr", "bpp desc"; by name if left out.'
    ),
]


def list_pictures(
    context: typer.Context,
    archive: ArchiveArgument,
    where: WhereOption = None,
    gone: GoneOption = False,
    order: OrderOption = None,
    limit: LimitOption = None,
    snapshot: SnapshotOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every input of the newest snapshot and what became of it; `query` by another name.

    Examples:

        glassplate list archive/

        glassplate list archive/ --order "psnr" --limit 10

        glassplate list archive/ --gone

        glassplate list archive/ --json
    """
    query(context, archive, where, gone, order, limit, snapshot, as_json)


def query(
    context: typer.Context,
    archive: ArchiveArgument,
    where: WhereOption = None,
    gone: GoneOption = False,
    order: OrderOption = None,
    limit: LimitOption = None,
    snapshot: SnapshotOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the rows of the catalogue for which a DuckDB condition holds.

    Examples:

        glassplate query archive/ --where "width > 1000 and psnr < 32"

        glassplate query archive/ --where "status = 'failed'" --json
    """
    from glassplate.pipelines import open_archive

    output = output_of(context)
    if gone:
        where = f"({where or 'true'}\n) AND gone"
    table = open_archive(archive, snapshot).where(where, order=order, limit=limit)
    if output.as_json:
        for batch in table.to_batches(max_chunksize=1024):
            for row in batch.to_pylist():
                output.record(row)
        return
    failed = table.num_rows > table["error_code"].null_count
    absent = True in table["gone"].unique().to_pylist()
    columns = [*LISTED, *["error_code"] * failed, *["gone"] * absent]
    output.records(table.select(columns).to_pylist(), columns, SPARE)
    output.message(counted(table.num_rows, "row"))


def info(
    context: typer.Context,
    archive: ArchiveArgument,
    key: Annotated[
        str | None, typer.Argument(metavar="[ID_OR_URI]", help="One picture.", show_default=False)
    ] = None,
    snapshot: SnapshotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Describe an archive, or everything that is known of one picture.

    Examples:

        glassplate info archive/

        glassplate info archive/ holiday/beach.jpg
    """
    from glassplate.pipelines import open_archive

    opened = open_archive(archive, snapshot)
    if key is None:
        output_of(context).facts(_archive_facts(opened))
        return
    opened.check_unambiguous(key)
    output_of(context).facts(asdict(opened.find(key)))


def _archive_facts(archive: Archive) -> dict[str, Any]:
    snapshot = archive.manifest
    files = [file for shard in snapshot.shards for file in shard.files()]
    files += [*snapshot.id_index, *snapshot.name_index, *snapshot.models]
    return {
        "archive": archive.store.url,
        "format_version": snapshot.format_version,
        "schema_version": snapshot.schema_version,
        "snapshot": snapshot.number,
        "snapshots": len(archive.snapshots()),
        "last_run": snapshot.run.run_id,
        "finished": snapshot.run.finished,
        "rows": sum(shard.images.rows for shard in snapshot.shards),
        "files": len(files),
        "bytes": sum(file.bytes for file in files),
        "codecs": ", ".join(sorted(set(snapshot.codecs.values()))),
    }


def stats(
    context: typer.Context,
    archive: ArchiveArgument,
    snapshot: SnapshotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sum up an archive: sources by status, bytes, ratio, and quality by codec.

    Stored bytes, and the ratio, are those of the pictures; on disk are also weights, catalogue,
    index, latents and what older snapshots name.

    Example:

        glassplate stats archive/
    """
    from glassplate.pipelines import open_archive

    output = output_of(context)
    opened = open_archive(archive, snapshot)
    total = opened.stats()
    total["weights_bytes"] = sum(file.bytes for file in opened.manifest.models)
    total["disk_bytes"] = opened.store.total_size()
    if output.as_json:
        output.record(total)
        return
    codecs = total.pop("codecs")
    source, stored = total["source_bytes"] or 0, total["stored_bytes"] or 0
    weights, disk = total.pop("weights_bytes"), total.pop("disk_bytes")
    output.facts(
        {
            **total,
            "source_bytes": human_bytes(source),
            "stored_bytes": human_bytes(stored),
            "ratio": ratio(source, stored),
            "on_disk": f"{human_bytes(disk)}, weights {human_bytes(weights)}",
        }
    )
    for row in codecs:
        row["ratio"] = ratio(row["source_bytes"], row["stored_bytes"])
        row |= {name: human_bytes(row[name]) for name in ("source_bytes", "stored_bytes")}
    if codecs:
        output.stdout.print()
        output.records(codecs, list(codecs[0]), ("min_psnr", "source_bytes", "mean_ms_ssim"))
