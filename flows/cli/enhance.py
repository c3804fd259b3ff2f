"""`glassplate enhance`: one picture with noise taken out, or enlarged. It was called `restore`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from glassplate.codecs.errors import ConfigError
from glassplate.codecs.restore.options import RestoreOptions
from glassplate.flows.options.common import (
    DeviceOption,
    JsonOption,
    NoProgress,
    output_of,
    parse_device,
)
from glassplate.flows.options.signature import command
from glassplate.flows.terminal.live import live_count
from glassplate.flows.terminal.output import Output, human_bytes, one_line

PictureArgument = Annotated[
    str,
    typer.Argument(
        metavar="ARCHIVE|FILE",
        help="An archive, then say which picture; or a picture's own path or URL.",
        show_default=False,
    ),
]
KeyArgument = Annotated[
    str | None, typer.Argument(metavar="[ID_OR_URI]", help="As for `get`.", show_default=False)
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Format by its suffix. Default: NAME-denoised.png, NAME-2x.png or NAME-4x.png.",
        show_default=False,
    ),
]


@command(RestoreOptions)
def enhance(
    context: typer.Context,
    source: PictureArgument,
    key: KeyArgument = None,
    output_file: OutputOption = None,
    *,
    config: RestoreOptions | None,
    device: DeviceOption = "auto",
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    """Take noise out of a picture, or enlarge it, by a small trained network.

    What the network puts in is likely, not known, and the file's XMP says so.

    Examples:

        glassplate enhance archive/ holiday/beach.jpg --denoise -o beach.png

        glassplate enhance scan.jpg --upscale 2
    """
    if config is None:
        raise ConfigError("say what to do", "--denoise, or --upscale 2.", "--denoise / --upscale")
    output = output_of(context)
    shown = not (no_progress or output.as_json)
    _enhance(output, source, key, output_file, config, device, shown=shown)


@command(RestoreOptions)
def restore(
    context: typer.Context,
    source: PictureArgument = "ARCHIVE",
    key: KeyArgument = None,
    output_file: OutputOption = None,
    *,
    config: RestoreOptions | None,
    device: DeviceOption = "auto",
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    """Say how to get everything back; with --denoise or --upscale, as `enhance`.

    Examples:

        glassplate extract archive/ everything/

        glassplate enhance scan.jpg --upscale 2

        glassplate restore scan.jpg --upscale 2
    """
    output = output_of(context)
    if config is None:
        given = shlex.join([source, key or "OUT"])
        to_get = f"Type: glassplate extract {given}"
        if output_file:
            to_get = f"Type: glassplate get {given} -o {shlex.quote(str(output_file))}"
        fix = f"{to_get}. To denoise or enlarge a picture, type: glassplate enhance"
        raise ConfigError("pictures come back by another command", f"{fix}.", "restore")
    output.message("`restore` is called `enhance` now; the next release takes the old name away")
    shown = not (no_progress or output.as_json)
    _enhance(output, source, key, output_file, config, device, shown=shown)


def _enhance(
    output: Output,
    source: str,
    key: str | None,
    output_file: Path | None,
    config: RestoreOptions,
    device: str,
    *,
    shown: bool,
) -> None:
    from glassplate.codecs.restore.restorer import Restorer
    from glassplate.pipelines import open_archive
    from glassplate.pipelines.archive.deliver.file import check_labelled, save
    from glassplate.pipelines.archive.deliver.restored_file import restore_file

    where = parse_device(device)
    archive = open_archive(source, device=where) if key else None
    name = archive.find(key).name if archive and key else source
    path = output_file or _free_path(name, config)
    check_labelled(path)  # before the work, not after it
    with live_count(output.stderr, "restoring windows", shown=shown) as show:

        def progress(done: int, total: int) -> None:
            if show:
                show(done, total, "")

        if archive and key:
            picture = archive.restore(key, config, progress=progress)
        else:
            picture = restore_file(source, Restorer(config, where), progress)
    save(picture.image, path)
    size = path.stat().st_size
    if output.as_json:
        record = {"file": str(path), "bytes": size, "source": name}
        output.record({**record, "size": list(picture.image.size), **picture.facts})
    else:
        width, height = picture.image.size
        shape = f"{width} x {height}, {human_bytes(size)}"
        wrote, found = f"wrote {one_line(str(path))} ({shape})", picture.facts.get("found")
        if not picture.changed:
            output.message(f"{wrote}: found {found}, left as it is")
        else:
            output.message(f"{wrote}{f', found {found}' if found else ''}, labelled in its XMP")


def _free_path(name: str, options: RestoreOptions) -> Path:
    """In the current folder. Raises ConfigError if there is such a file already."""
    from glassplate.pipelines.archive.deliver.names import safe_name

    what = f"{options.scale}x" if options.scale else "denoised"
    stem = safe_name(name).rpartition("/")[2]
    path = Path(f"{stem}-{what}.png")
    if path.exists():
        raise ConfigError("is there already", "Name the output with -o.", str(path))
    return path
