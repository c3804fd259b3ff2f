"""The commands that give pictures back, and prove that they can: get, extract, verify."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassplate.codecs.errors import ConfigError, GlassplateError
from glassplate.codecs.faults import said_of_file
from glassplate.codecs.progress import unseen
from glassplate.codecs.refine.options import RefineOptions
from glassplate.flows.cli.refined_picture import refined, report_refined
from glassplate.flows.options.common import (
    ArchiveArgument,
    DeviceOption,
    FormatOption,
    JsonOption,
    LossyOption,
    MaxPixelsOption,
    NoProgress,
    SnapshotOption,
    WhereOption,
    output_of,
    parse_device,
    parse_duration,
    parse_region,
    parse_subset,
)
from glassplate.flows.options.signature import command
from glassplate.flows.terminal.exit_codes import ExitCode
from glassplate.flows.terminal.live import live_count
from glassplate.flows.terminal.output import Output, human_bytes, one_line
from glassplate.flows.terminal.wording import counted, sum_of

if TYPE_CHECKING:
    from glassplate.codecs import Region
    from glassplate.pipelines.archive.deliver.folder import Extracted
    from glassplate.pipelines.archive.format.schema import ImageRow
    from glassplate.pipelines.archive.read.reader import Archive
    from glassplate.pipelines.archive.upkeep.verify import Damage

KeyArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID_OR_URI",
        help="Image id, at least 8 digits of it, source URL, or name below the source.",
        show_default=False,
    ),
]


@command(RefineOptions)
def get(
    context: typer.Context,
    archive: ArchiveArgument,
    key: KeyArgument,
    config: RefineOptions | None,
    output_file: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Format by its suffix; - for standard output."
        ),
    ],
    region: Annotated[
        str | None,
        typer.Option("--region", metavar="X,Y,W,H", help="Only this part, in upright pixels."),
    ] = None,
    original: Annotated[
        bool,
        typer.Option("--original", help="The source file byte for byte (bit-exact tiers only)."),
    ] = False,
    lossy: LossyOption = False,
    max_pixels: MaxPixelsOption = 200_000_000,
    detail_map: Annotated[
        Path | None,
        typer.Option(
            "--detail-map",
            metavar="FILE",
            help="Where and how much was invented: a PNG.",
            show_default=False,
        ),
    ] = None,
    snapshot: SnapshotOption = None,
    device: DeviceOption = "auto",
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    """Give one picture back: decoded and upright, or as the very file it was.

    A bit-exact picture comes back as its source file if FILE has that format's suffix. What another
    format would lose of it (16-bit colours, frames, private tags) is refused, unless --lossy is
    said. With --refine a model puts likely detail into it that was never there; the file's XMP says
    so.

    Examples:

        glassplate get archive/ holiday/beach.jpg -o beach.png

        glassplate get archive/ 2c26b46b68ff -o corner.png --region 0,0,512,512

        glassplate get archive/ scan-16bit.tif -o scan.tif --original

        glassplate get archive/ beach.jpg -o beach.png --refine flow --detail-map invented.png

        glassplate get archive/ beach.jpg -o - | feh -
    """
    from glassplate.pipelines import open_archive
    from glassplate.pipelines.archive.deliver.file import deliver, refuse_folder

    rectangle = parse_region(region)
    _check_together(config, rectangle, detail_map, original=original)
    if output_file == Path("-"):
        if config or as_json:
            raise ConfigError("gives the picture alone", "Name a file instead of -.", "--output")
        opened = open_archive(archive, snapshot, parse_device(device), max_pixels=max_pixels)
        opened.check_unambiguous(key)
        _to_stdout(opened, key, rectangle, original=original, lossy=lossy)
        return
    for file in filter(None, (output_file, detail_map)):
        refuse_folder(file)
    opened = open_archive(archive, snapshot, parse_device(device), max_pixels=max_pixels)
    opened.check_unambiguous(key)
    if config:
        output = output_of(context)
        shown = not (no_progress or output.as_json)
        picture = refined(output, opened, key, output_file, rectangle, config, shown=shown)
        if detail_map:
            picture.save_detail_map(detail_map)
        report_refined(output, output_file, picture)
        return
    if original:
        data, _ = opened.original(key)
        output_file.write_bytes(data)
    else:
        output_file = deliver(opened, key, output_file, rectangle, lossy=lossy)
    output = output_of(context)
    if rectangle and (told := _cut_at_the_edge(rectangle, opened.find(key))):
        output.message(told)
    _wrote(output, [output_file])


def cat(
    context: typer.Context,
    archive: ArchiveArgument,
    key: KeyArgument,
    original: Annotated[
        bool, typer.Option("--original", help="Only if it is the source file byte for byte.")
    ] = False,
    lossy: LossyOption = False,
    device: DeviceOption = "auto",
    snapshot: SnapshotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write one picture to standard output: the file it was if that is stored, else its own format.

    Example:

        glassplate cat archive/ holiday/beach.jpg > beach.jpg
    """
    from glassplate.pipelines import open_archive

    opened = open_archive(archive, snapshot, parse_device(device))
    opened.check_unambiguous(key)
    _to_stdout(opened, key, None, original=original, lossy=lossy)


def _check_together(
    config: RefineOptions | None, region: Region | None, detail_map: Path | None, *, original: bool
) -> None:
    """Raises ConfigError for options of `get` that do not go together."""
    if original and region:
        raise ConfigError("a file has no region", "Leave out --region.", "--original")
    if config is None and detail_map:
        raise ConfigError("nothing is refined", "Say --refine flow.", "--detail-map")
    if config and original:
        raise ConfigError("a file is not refined", "Leave out --refine.", "--original")


def _to_stdout(
    archive: Archive, key: str, region: Region | None, *, original: bool, lossy: bool
) -> None:
    """Raises ConfigError if standard output is a terminal."""
    if sys.stdout.isatty():
        fix = "Redirect it: > FILE, or | a viewer."
        raise ConfigError("a picture is nothing for a terminal", fix, "standard output")
    if original:
        data, _ = archive.original(key)
    else:
        from glassplate.pipelines.archive.deliver.file import own_bytes

        data = own_bytes(archive, key, region, lossy=lossy)
    sys.stdout.buffer.write(data)


def _cut_at_the_edge(region: Region, row: ImageRow) -> str | None:
    """What to say of a region that goes on where the picture ends."""
    right, bottom = row.width or region.right, row.height or region.bottom
    if region.right <= right and region.bottom <= bottom:
        return None
    width, height = min(region.right, right) - region.x, min(region.bottom, bottom) - region.y
    return f"the picture ends at {right} x {bottom}: the region is {width} x {height}"


def extract(
    context: typer.Context,
    archive: ArchiveArgument,
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to write.", show_default=False)
    ],
    where: WhereOption = None,
    format: FormatOption = None,  # noqa: A002 (the name that users expect)
    lossy: LossyOption = False,
    bagit: Annotated[
        bool, typer.Option("--bagit", help="Make DIR a BagIt bag, the pictures in its data/.")
    ] = False,
    max_pixels: MaxPixelsOption = 200_000_000,
    snapshot: SnapshotOption = None,
    device: DeviceOption = "auto",
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    """Write many pictures into a directory, under the names they had.

    Bit-exact pictures come back as the files they were, the others in the formats they had (JPEG
    at quality 95 without subsampling, WebP at 95, AVIF at 90), or as PNG where such a file would
    lose something. No file is replaced, and none is written outside of the directory. Interrupted,
    the same command goes on: what is there, whole, is not decoded again. A picture that --format
    would lose something of is refused and named, unless --lossy is said.

    Examples:

        glassplate extract archive/ out/

        glassplate extract archive/ out/ --where "name like 'holiday/%'"

        glassplate extract archive/ bag/ --bagit --where bit_exact
    """
    from glassplate.pipelines import open_archive
    from glassplate.pipelines.archive.deliver.folder import extract as extract_pictures

    output, started = output_of(context), time.monotonic()
    with live_count(output.stderr, "extracting", shown=not (no_progress or output.as_json)) as show:
        opened = open_archive(archive, snapshot, parse_device(device), max_pixels=max_pixels)
        result = extract_pictures(
            opened,
            where,
            directory,
            format,
            lossy=lossy,
            bag=bagit,
            progress=(lambda done, total: show(done, total, "")) if show else unseen,
        )
    _extracted(output, directory, result, time.monotonic() - started)
    for name, error in result.errors:
        known = error if isinstance(error, GlassplateError) else None
        text = str(known) if known else f"{name}: {said_of_file(error)}"
        output.failure(known.code if known else "os-error", text, known)
    if result.errors:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _extracted(output: Output, directory: Path, result: Extracted, seconds: float) -> None:
    """Say what an extraction gave: a record for each file, or the sum."""
    if output.as_json:
        for file in result.files:
            facts = {"file": str(file.path), "bytes": file.entry.bytes, "name": file.entry.name}
            whence = {"image_id": file.entry.image_id, "original": file.entry.is_original}
            output.record({**facts, **whence, "new": file.new})
        return
    for line in sum_of(result, str(directory), seconds):
        output.message(line)


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
    snapshot: SnapshotOption = None,
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    """Read the archive again, compare it with its checksums, and name every picture that is hit.

    Examples:

        glassplate verify archive/

        glassplate verify archive/ --subset 5%

        glassplate verify archive/ --max-duration 10m --decode
    """
    from glassplate.flows.scheduled.fixity import check, record_of
    from glassplate.pipelines import open_archive

    share, seconds = parse_subset(subset), parse_duration(max_duration)
    output, opened = output_of(context), open_archive(archive, snapshot)
    shown = not (no_progress or output.as_json)
    with live_count(output.stderr, "verifying shards", shown=shown) as show:
        progress = (lambda done, total: show(done, total, "")) if show else unseen
        report = check(opened, share, seconds, decode=decode, progress=progress)
    if output.as_json:
        output.record(record_of(opened, report))
    else:
        for damage in report.damages:
            _show_damage(output, damage)
        output.message(
            f"{counted(report.files, 'file')}, {human_bytes(report.bytes)}, "
            f"{report.shards} of {counted(report.shards_total, 'shard')}: "
            + ("sound" if report.ok else counted(len(report.damages), "damage"))
        )
    if not report.ok:
        raise typer.Exit(ExitCode.DAMAGED)


def _show_damage(output: Output, damage: Damage) -> None:
    output.stdout.print(one_line(f"{damage.path}: {damage.cause}"), markup=False)
    for name in sorted(damage.names or damage.image_ids):
        output.stdout.print(f"    {one_line(name)}", markup=False)


def _wrote(output: Output, files: list[Path]) -> None:
    """Say which files were written."""
    for file in files:
        size = file.stat().st_size
        if output.as_json:
            output.record({"file": str(file), "bytes": size})
        else:
            output.message(f"wrote {one_line(str(file))} ({human_bytes(size)})")
