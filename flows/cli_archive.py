"""The commands that read an archive: list, query, info, get, extract, verify, stats."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassplate.codecs.errors import ConfigError
from glassplate.flows.exit_codes import ExitCode
from glassplate.flows.live import live_count
from glassplate.flows.options import (
    ArchiveArgument,
    DeviceOption,
    JsonOption,
    NoProgress,
    WhereOption,
    output_of,
    parse_device,
    parse_duration,
    parse_region,
    parse_subset,
)
from glassplate.flows.output import Output, human_bytes, one_line, ratio

if TYPE_CHECKING:
    from glassplate.pipelines.archive import Archive, Damage

LISTED = ["name", "status", "reason", "codec", "width", "height", "bpp", "psnr", "ms_ssim"]

KeyArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID_OR_URI",
        help="Image id, at least 8 digits of it, source URL, or name below the source.",
        show_default=False,
    ),
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
    order: OrderOption = None,
    limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every input of the newest snapshot and what became of it.

    Examples:

        glassplate list archive/

        glassplate list archive/ --order "psnr" --limit 10

        glassplate list archive/ --json
    """
    query(context, archive, None, order, limit, as_json)


def query(
    context: typer.Context,
    archive: ArchiveArgument,
    where: WhereOption = None,
    order: OrderOption = None,
    limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the rows of the catalogue for which a DuckDB condition holds.

    Examples:

        glassplate query archive/ --where "width > 1000 and psnr < 32"

        glassplate query archive/ --where "status = 'failed'" --json
    """
    from glassplate.pipelines import open_archive

    output = output_of(context)
    table = open_archive(archive).where(where, order=order, limit=limit)
    if output.as_json:
        for batch in table.to_batches(max_chunksize=1024):
            for row in batch.to_pylist():
                output.record(row)
        return
    failed = table.num_rows > table["error_code"].null_count
    columns = [*LISTED, "error_code"] if failed else LISTED
    output.records(table.select(columns).to_pylist(), columns)
    output.message(f"{table.num_rows} rows")


def info(
    context: typer.Context,
    archive: ArchiveArgument,
    key: Annotated[
        str | None, typer.Argument(metavar="[ID_OR_URI]", help="One picture.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Describe an archive, or everything that is known of one picture.

    Examples:

        glassplate info archive/

        glassplate info archive/ holiday/beach.jpg
    """
    from glassplate.pipelines import open_archive

    opened = open_archive(archive)
    output_of(context).facts(_archive_facts(opened) if key is None else asdict(opened.find(key)))


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


def get(
    context: typer.Context,
    archive: ArchiveArgument,
    key: KeyArgument,
    output_file: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Format by its suffix.")
    ],
    region: Annotated[
        str | None,
        typer.Option("--region", metavar="X,Y,W,H", help="Only this part, in upright pixels."),
    ] = None,
    original: Annotated[
        bool,
        typer.Option("--original", help="The source file byte for byte (bit-exact tiers only)."),
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Give one picture back: decoded and upright, or as the very file it was.

    A bit-exact picture comes back as its source file if FILE has that format's suffix.

    Examples:

        glassplate get archive/ holiday/beach.jpg -o beach.png

        glassplate get archive/ 2c26b46b68ff -o corner.png --region 0,0,512,512

        glassplate get archive/ scan-16bit.tif -o scan.tif --original
    """
    from glassplate.pipelines import open_archive
    from glassplate.pipelines.archive import deliver

    rectangle = parse_region(region)
    if original and rectangle:
        raise ConfigError("a file has no region", "Leave out --region.", "--original")
    opened = open_archive(archive, device=parse_device(device))
    if original:
        data, _ = opened.original(key)
        output_file.write_bytes(data)
    else:
        output_file = deliver(opened, key, output_file, rectangle)
    _wrote(output_of(context), [output_file])


def extract(
    context: typer.Context,
    archive: ArchiveArgument,
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to write.", show_default=False)
    ],
    where: WhereOption = None,
    format: Annotated[  # noqa: A002 (the name that users expect)
        str | None,
        typer.Option("--format", help="Write all as png, tiff, jpg, ...", show_default=False),
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Write many pictures into a directory, under the names they had.

    Bit-exact pictures come back as the files they were, the others as PNG. No file is replaced,
    and none is written outside of the directory.

    Examples:

        glassplate extract archive/ out/

        glassplate extract archive/ out/ --where "name like 'holiday/%'"
    """
    from glassplate.codecs.errors import GlassplateError
    from glassplate.pipelines import open_archive
    from glassplate.pipelines.archive import extract as extract_pictures

    output = output_of(context)
    opened = open_archive(archive, device=parse_device(device))
    result = extract_pictures(opened, where, directory, format)
    _wrote(output, result.written)
    for name, error in result.errors:
        known = error if isinstance(error, GlassplateError) else None
        output.failure(known.code if known else "os-error", f"{name}: {error}", known)
    if result.errors:
        raise typer.Exit(ExitCode.SOME_FAILED)


def verify(
    context: typer.Context,
    archive: ArchiveArgument,
    subset: Annotated[
        str, typer.Option("--subset", metavar="SHARE", help="Check a part, another every day: 5%.")
    ] = "100%",
    max_duration: Annotated[
        str | None,
        typer.Option("--max-duration", metavar="TIME", help="Stop after 90s, 10m, 2h."),
    ] = None,
    decode: Annotated[bool, typer.Option("--decode", help="Decode every picture, too.")] = False,
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    """Read the archive again, compare it with its checksums, and name every picture that is hit.

    Examples:

        glassplate verify archive/

        glassplate verify archive/ --subset 5%

        glassplate verify archive/ --max-duration 10m --decode
    """
    from glassplate.flows.fixity import check, record_of
    from glassplate.pipelines import open_archive

    share, seconds = parse_subset(subset), parse_duration(max_duration)
    output, opened = output_of(context), open_archive(archive)
    shown = not (no_progress or output.as_json)
    with live_count(output.stderr, "verifying shards", shown=shown) as show:
        progress = (lambda done, total: show(done, total, "")) if show else None
        report = check(opened, share, seconds, decode=decode, progress=progress)
    if output.as_json:
        output.record(record_of(opened, report))
    else:
        for damage in report.damages:
            _show_damage(output, damage)
        output.message(
            f"{report.files} files, {human_bytes(report.bytes)}, "
            f"{report.shards} of {report.shards_total} shards: "
            + ("sound" if report.ok else f"{len(report.damages)} damages")
        )
    if not report.ok:
        raise typer.Exit(ExitCode.DAMAGED)


def _show_damage(output: Output, damage: Damage) -> None:
    output.stdout.print(one_line(f"{damage.path}: {damage.cause}"), markup=False)
    for name in sorted(damage.names or damage.image_ids):
        output.stdout.print(f"    {one_line(name)}", markup=False)


def stats(context: typer.Context, archive: ArchiveArgument, as_json: JsonOption = False) -> None:
    """Sum up an archive: sources by status, bytes, ratio, and quality by codec.

    Example:

        glassplate stats archive/
    """
    from glassplate.pipelines import open_archive

    output = output_of(context)
    total = open_archive(archive).stats()
    if output.as_json:
        output.record(total)
        return
    codecs = total.pop("codecs")
    source, stored = total["source_bytes"] or 0, total["stored_bytes"] or 0
    output.facts(
        {
            **total,
            "source_bytes": human_bytes(source),
            "stored_bytes": human_bytes(stored),
            "ratio": ratio(source, stored),
        }
    )
    for row in codecs:
        row["ratio"] = ratio(row["source_bytes"], row["stored_bytes"])
        row |= {name: human_bytes(row[name]) for name in ("source_bytes", "stored_bytes")}
    if codecs:
        output.stdout.print()
        output.records(codecs, list(codecs[0]))


def _wrote(output: Output, files: list[Path]) -> None:
    """Say which files were written."""
    for file in files:
        size = file.stat().st_size
        if output.as_json:
            output.record({"file": str(file), "bytes": size})
        else:
            output.message(f"wrote {one_line(str(file))} ({human_bytes(size)})")
