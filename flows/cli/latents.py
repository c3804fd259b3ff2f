"""The commands about latents: similar, export, sample, interpolate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassplate.codecs.errors import ConfigError
from glassplate.flows.options.common import (
    ArchiveArgument,
    DeviceOption,
    JsonOption,
    LossyOption,
    SnapshotOption,
    WhereOption,
    output_of,
    parse_device,
)
from glassplate.flows.terminal.exit_codes import ExitCode
from glassplate.flows.terminal.output import human_bytes, one_line

if TYPE_CHECKING:
    from glassplate.codecs.base import Pixels
    from glassplate.codecs.vae.codec import VaeCodec

FORMS = ("webdataset", "parquet")
LARGEST_SIDE = 1024
"""Longest side of pictures that are interpolated, in pixels; larger ones are scaled down."""

KeyArgument = Annotated[
    str, typer.Argument(metavar="ID_OR_URI", help="As for `get`.", show_default=False)
]
PictureOption = Annotated[
    Path, typer.Option("-o", "--output", metavar="FILE", help="The picture; format by its suffix.")
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        "--weights", metavar="PATH", help="Weights of a vae; see `compress`.", show_default=False
    ),
]


def similar(
    context: typer.Context,
    archive: ArchiveArgument,
    key: KeyArgument,
    count: Annotated[int, typer.Option("-k", "--count", min=1, help="How many.")] = 10,
    latents: Annotated[
        bool, typer.Option("--latents", help="Compare pooled latents, not embeddings.")
    ] = False,
    snapshot: SnapshotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the pictures that look most like a stored one; near duplicates are close to 1.

    Examples:

        glassplate similar archive/ holiday/beach.jpg -k 5
    """
    from glassplate.pipelines import open_archive
    from glassplate.pipelines.archive.read.similar import similar as find

    found = find(open_archive(archive, snapshot), key, count, "latent" if latents else "embedding")
    rows = [
        {"similarity": round(one.similarity, 4), "name": one.name, "image_id": one.image_id}
        for one in found
    ]
    output_of(context).records(rows, ("similarity", "name", "image_id"))


def export(
    context: typer.Context,
    archive: ArchiveArgument,
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to write.", show_default=False)
    ],
    form: Annotated[
        str, typer.Option("--as", metavar="|".join(FORMS), help="Tar shards, or Parquet files.")
    ] = "webdataset",
    where: WhereOption = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Decoded pictures, too, as PNG.")
    ] = False,
    lossy: LossyOption = False,
    snapshot: SnapshotOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Write latents, and pictures if wanted, for training: WebDataset, or Parquet for `datasets`.

    Latents are float16 at about unit variance, (C, h, w).

    Examples:

        glassplate export archive/ shards/ --where "width >= 512"

        glassplate export archive/ parquet/ --as parquet --pictures
    """
    from glassplate.pipelines import open_archive
    from glassplate.pipelines.archive.deliver.dataset import export as write

    if form not in FORMS:
        raise ConfigError(f"{form!r} is not one of {', '.join(FORMS)}", "", "--as")
    opened = open_archive(archive, snapshot, parse_device(device))
    result = write(opened, directory, form, where, pictures=pictures, lossy=lossy)
    for file in result.files:
        _wrote(context, file)
    for name, error in result.errors:
        output_of(context).failure(error.code, f"{name}: {error}", error)
    if result.errors:
        raise typer.Exit(ExitCode.SOME_FAILED)


def sample(
    context: typer.Context,
    output_file: PictureOption,
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=64, help="How many.")] = 9,
    size: Annotated[
        int, typer.Option("--size", min=8, max=1024, help="Side in pixels; a GAN has its own.")
    ] = 128,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the noise.")] = 0,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="PATH",
            help="Weights of a vae, or what `train gan` made: gan-....safetensors or its folder.",
            show_default=False,
        ),
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Decode random latents of the autoencoder's prior, or sample a GAN, as one sheet of pictures.

    Expect textures, no scenes: the latents keep places rather than meanings.

    Examples:

        glassplate sample -o samples.png --seed 1

        glassplate sample -o samples.png --weights mine/gan-32.safetensors -n 64
    """
    from glassplate.pipelines.archive.deliver.file import check_target

    check_target(output_file)
    from glassplate.codecs.gan import weights as gan
    from glassplate.codecs.gan.generate import sample as sample_gan
    from glassplate.codecs.vae.generate import sample_prior

    if weights and (file := gan.find(weights)):
        pictures = sample_gan(gan.load(file).generator, count, seed)
    else:
        pictures = sample_prior(_vae(str(weights) if weights else None, device), count, size, seed)
    _save_sheet(context, pictures, output_file, columns=round(count**0.5 + 0.49))


def interpolate(
    context: typer.Context,
    archive: ArchiveArgument,
    first: KeyArgument,
    second: KeyArgument,
    output_file: PictureOption,
    count: Annotated[
        int, typer.Option("-n", "--count", min=2, max=64, help="Pictures, with both ends.")
    ] = 7,
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Go from one stored picture to another through the autoencoder's latents, as one strip.

    Works on any archive; of pictures of different sizes, the centres are used.

    Example:

        glassplate interpolate archive/ beach.jpg dunes.jpg -o between.png
    """
    import numpy as np

    from glassplate.codecs.vae.generate import interpolate as between
    from glassplate.pipelines import open_archive
    from glassplate.pipelines.archive.deliver.file import check_target

    check_target(output_file)
    opened, codec = open_archive(archive, device=parse_device(device)), _vae(weights, device)
    ends = []
    for key in (first, second):
        picture = opened.get(key, lossy=True).convert("RGB")
        picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
        ends.append(np.asarray(picture))
    start, end = codec.latents_of(ends)
    pictures = between(codec, start, end, count)
    _save_sheet(context, pictures, output_file, columns=count)


def _vae(weights: str | None, device: str) -> VaeCodec:
    from glassplate.codecs.vae.codec import VaeCodec

    return VaeCodec(None, parse_device(device), Path(weights) if weights else None)


def _save_sheet(context: typer.Context, pictures: list[Pixels], file: Path, columns: int) -> None:
    """Pictures of one size, side by side, row by row."""
    from PIL import Image

    from glassplate.pipelines.archive.deliver.file import save

    height, width, _ = pictures[0].shape
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height))
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        sheet.paste(Image.fromarray(picture), (column * width, row * height))
    save(sheet, file)
    _wrote(context, file)


def _wrote(context: typer.Context, file: Path) -> None:
    output, size = output_of(context), file.stat().st_size
    if output.as_json:
        output.record({"file": str(file), "bytes": size})
    output.message(f"wrote {one_line(str(file))} ({human_bytes(size)})")
