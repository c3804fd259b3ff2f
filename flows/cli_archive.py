"""The commands that read an archive: list, query, info, get, extract, verify, stats."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassplate.codecs.errors import ConfigError
from glassplate.flows.exit_codes import ExitCode
from glassplate.flows.options import (
    ArchiveArgument,
    DeviceOption,
    JsonOption,
    WhereOption,
    output_of,
    parse_duration,
    parse_region,
    parse_subset,
)
from glassplate.flows.output import human_bytes, one_line

if TYPE_CHECKING:
    from PIL.Image import Image

LISTED = ("name", "status", "reason", "codec", "width", "height", "bpp", "psnr", "ms_ssim")

KeyArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID_OR_URI",
        help="Image id, at least 8 digits of it, source URL, or name below the source.",
        show_default=False,
    ),
]


def list_pictures(
    context: typer.Context, archive: ArchiveArgument, as_json: JsonOption = False
) -> None:
    """List every input of the newest snapshot and what became of it.

    Examples:

        glassplate list archive/

        glassplate list archive/ --json
    """
    query(context, archive, None, as_json)


def query(
    context: typer.Context,
    archive: ArchiveArgument,
    where: WhereOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the rows of the catalogue for which a DuckDB condition holds.

    Examples:

        glassplate query archive/ --where "width > 1000 and psnr < 32"

        glassplate query archive/ --where "status = 'failed'" --json
    """
    from glassplate.pipelines import open_archive

    rows = open_archive(archive).where(where or "true").to_pylist()
    failed = any(row["status"] == "failed" for row in rows)
    columns = (*LISTED, "error_code") if failed else LISTED
    output_of(context).records(rows, columns)


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
    if key is not None:
        output_of(context).facts(asdict(opened.find(key)))
        return
    raise NotImplementedError


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

    Examples:

        glassplate get archive/ holiday/beach.jpg -o beach.png

        glassplate get archive/ 2c26b46b68ff -o corner.png --region 0,0,512,512

        glassplate get archive/ scan-16bit.tif -o scan.tif --original
    """
    from glassplate.pipelines import open_archive

    rectangle = parse_region(region)
    if original and rectangle:
        raise ConfigError("a file has no region", "Leave out --region.", "--original")
    if not original:
        _check_suffix(output_file)
    opened = open_archive(archive, device=device)
    if original:
        data, _ = opened.original(key)
        output_file.write_bytes(data)
        facts: dict[str, Any] = {}
    else:
        image = opened.get(key, rectangle)
        _save(image, output_file)
        facts = {"width": image.width, "height": image.height}
    output = output_of(context)
    size = output_file.stat().st_size
    if output.as_json:
        output.record({"file": str(output_file), "bytes": size, **facts})
    else:
        output.message(f"wrote {one_line(str(output_file))} ({human_bytes(size)})")


def extract(
    context: typer.Context,
    archive: ArchiveArgument,
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to write.", show_default=False)
    ],
    where: WhereOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write many pictures into a directory, under the names they had.

    Bit-exact pictures come back as the files they were, the others as PNG.

    Examples:

        glassplate extract archive/ out/

        glassplate extract archive/ out/ --where "name like 'holiday/%'"
    """
    raise NotImplementedError


def verify(
    context: typer.Context,
    archive: ArchiveArgument,
    subset: Annotated[
        str, typer.Option("--subset", metavar="SHARE", help="Check a random share: 5%, 0.05.")
    ] = "100%",
    max_duration: Annotated[
        str | None,
        typer.Option("--max-duration", metavar="TIME", help="Stop after 90s, 10m, 2h."),
    ] = None,
    decode: Annotated[bool, typer.Option("--decode", help="Decode every picture, too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Read the archive again and compare it with its checksums; name every picture that is hit.

    Examples:

        glassplate verify archive/

        glassplate verify archive/ --subset 5%

        glassplate verify archive/ --max-duration 10m --decode
    """
    from glassplate.pipelines.archive.verify import verify_archive

    report = verify_archive(archive)
    if not report.ok:
        raise typer.Exit(ExitCode.DAMAGED)
    raise NotImplementedError(parse_duration(max_duration), parse_subset(subset))


def stats(context: typer.Context, archive: ArchiveArgument, as_json: JsonOption = False) -> None:
    """Sum up an archive: pictures, bytes, ratio and quality, by codec.

    Example:

        glassplate stats archive/
    """
    raise NotImplementedError


def _check_suffix(file: Path) -> None:
    from PIL import Image

    if file.suffix.lower() not in Image.registered_extensions():
        raise ConfigError(
            f"{file.suffix or file.name!r} is no picture format", "Use .png, .tif, .jpg.", "--output"
        )


def _save(image: Image, file: Path) -> None:
    """Write with the metadata that came along. Raises ConfigError if the format cannot hold it."""
    kept = {name: image.info[name] for name in ("icc_profile", "exif", "xmp") if name in image.info}
    lossy = {"quality": 95} if file.suffix.lower() in (".jpg", ".jpeg", ".webp", ".avif") else {}
    try:
        image.save(file, **kept, **lossy)
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        file.unlink(missing_ok=True)
        raise ConfigError(f"{error}", "Use .png or .tif.", "--output") from error
