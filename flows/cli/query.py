"""The commands that tell what an archive holds: list, query, info, stats."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassplate.codecs.errors import ConfigError
from glassplate.flows.options.common import (
    ArchiveArgument,
    JsonOption,
    SnapshotOption,
    WhereOption,
    output_of,
)
from glassplate.flows.terminal.output import Output, human_bytes, ratio
from glassplate.flows.terminal.rows import Form, write_rows
from glassplate.flows.terminal.wording import counted

if TYPE_CHECKING:
    import pyarrow as pa

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
    ids: Annotated[
        bool, typer.Option("--ids", help="Image ids and where the sources are, whole.")
    ] = False,
    snapshot: SnapshotOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every input of the newest snapshot and what became of it.

    Examples:

        glassplate list archive/

        glassplate list archive/ --order "psnr" --limit 10

        glassplate list archive/ --gone --ids

        glassplate list archive/ --snapshot 3 --json
    """
    from glassplate.pipelines import open_archive

    if gone:
        where = f"({where or 'true'}\n) AND gone"
    table = open_archive(archive, snapshot).where(where, order=order, limit=limit)
    columns = ["image_id", "status", "source_uri"] if ids else None
    _show(output_of(context), table, columns)


def query(
    context: typer.Context,
    archive: ArchiveArgument,
    where: WhereOption = None,
    gone: GoneOption = False,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="A,B", help="These, of all that FORMAT.md names."),
    ] = None,
    sql: Annotated[
        str | None,
        typer.Option(
            "--sql", metavar="SELECT", help="A whole SELECT of DuckDB's over `images` instead."
        ),
    ] = None,
    order: OrderOption = None,
    limit: LimitOption = None,
    form: Annotated[
        Form | None,
        typer.Option(
            "--format", metavar="csv|json|parquet", help="Write all columns so.", show_default=False
        ),
    ] = None,
    output_file: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Into a file: .csv, .json or .parquet."
        ),
    ] = None,
    snapshot: SnapshotOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the rows of the catalogue for which a DuckDB condition holds, or what a SELECT gives.

    `images` has the newest row of every source. With --json, --format or -o all columns are
    given, unless --columns says less; parquet goes into a file only.

    Examples:

        glassplate query archive/ --where "width > 1000 and psnr < 32"

        glassplate query archive/ --where "status = 'failed'" --columns name,error_message

        glassplate query archive/ --sql "select codec, avg(bpp) from images group by codec"

        glassplate query archive/ -o catalogue.parquet
    """
    from glassplate.pipelines import open_archive
    from glassplate.pipelines.archive.read.query import sql as select

    output = output_of(context)
    chosen = [name.strip() for name in columns.split(",")] if columns else None
    if sql and (where or gone or columns or order or limit):
        raise ConfigError("says all that is asked", "Leave out the other options.", "--sql")
    opened = open_archive(archive, snapshot)
    if gone:
        where = f"({where or 'true'}\n) AND gone"
    if sql:
        table = select(opened.images(), sql)
        chosen = table.column_names
    else:
        table = opened.where(where, columns=chosen, order=order, limit=limit)
    form = form or _form_of(output_file)
    if form:
        write_rows(output, table, form, output_file)
    else:
        _show(output, table, chosen)


def _form_of(file: Path | None) -> Form | None:
    """By the suffix of a file. Raises ConfigError."""
    if file is None:
        return None
    suffix = file.suffix.lower().removeprefix(".")
    if suffix not in tuple(Form):
        fix = f"End it in .{', .'.join(Form)}, or say --format."
        raise ConfigError(f"{suffix!r} is no format of rows", fix, str(file))
    return Form(suffix)


def _show(output: Output, table: pa.Table, columns: list[str] | None) -> None:
    """Rows as a table with the columns that matter, or all of them as JSON lines."""
    if output.as_json:
        for batch in table.to_batches(max_chunksize=1024):
            for row in batch.to_pylist():
                output.record(row)
        return
    if columns is None:
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
