"""Latents and pictures for training: WebDataset shards, or Parquet as Hugging Face reads it.

<directory>/00000.tar       <image id>.json, <image id>.npy (latent), <image id>.png (picture),
                            <image id>.txt (what a sidecar of that kind said of it)
<directory>/00000.parquet   the same as columns; load_dataset("parquet", data_dir=directory)
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from glassplate.codecs.errors import ConfigError, GlassplateError, OptionName
from glassplate.pipelines.archive.deliver.file import save
from glassplate.pipelines.archive.format.latents import latent_of
from glassplate.pipelines.archive.format.places import is_id
from glassplate.pipelines.archive.read.reader import Archive
from glassplate.pipelines.errors import ShardDamagedError

SHARD_BYTES = 256 << 20
_VERIFY = "Run `glassplate verify`."
_WITHOUT = "It is exported without its picture."
_DESCRIBED = ["image_id", "name", "source_uri", "width", "height", "codec", "psnr", "fields"]
_SHOWN_LAST = "gone DESC, status = 'skipped' DESC, name, source_uri"
"""A picture of several sources goes by the last of these: one that is there, and no duplicate."""
_LATENT = ["image_id", "latent", "shape", "dtype", "scale", "scaling_factor", "shift_factor"]
_DATASETS_NAMES = {"float": "float32", "halffloat": "float16"}
_SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string()),
        pa.field("name", pa.string()),
        pa.field("source_uri", pa.string()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("codec", pa.string()),
        pa.field("psnr", pa.float32()),
        pa.field("fields", pa.string()),
        pa.field("scaling_factor", pa.float32()),
        pa.field("shift_factor", pa.float32()),
        pa.field("latent", pa.list_(pa.list_(pa.list_(pa.float16())))),
        pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    ]
)


def _for_datasets(schema: pa.Schema) -> dict[str, str]:
    """Metadata that make `datasets` show `image` as pictures; all versions know `Sequence`."""

    def feature(kind: pa.DataType) -> dict[str, Any]:
        if pa.types.is_struct(kind):
            return {"_type": "Image"}
        if pa.types.is_list(kind):
            return {"feature": feature(kind.value_type), "_type": "Sequence"}
        return {"dtype": _DATASETS_NAMES.get(str(kind), str(kind)), "_type": "Value"}

    features = {field.name: feature(field.type) for field in schema}
    return {"huggingface": json.dumps({"info": {"features": features}})}


@dataclass(frozen=True)
class Exported:
    """What was written, and pictures that could not be given back: (name, error)."""

    files: list[Path]
    errors: list[tuple[str, GlassplateError]]


@dataclass(frozen=True)
class Sample:
    """One picture. latent: (C, h, w) float16. image: a PNG file."""

    about: dict[str, Any]
    latent: npt.NDArray[np.float16] | None
    image: bytes | None

    @property
    def size(self) -> int:
        """Bytes, about."""
        return (0 if self.latent is None else self.latent.nbytes) + len(self.image or b"")


def export(
    archive: Archive,
    directory: Path,
    form: str,
    where: str | None = None,
    *,
    pictures: bool = False,
    lossy: bool = False,
    shard_bytes: int = SHARD_BYTES,
) -> Exported:
    """Write what a condition chooses into a new directory.

    Args:
        form: "webdataset" or "parquet".
        where: SQL over the catalogue; None: everything that is stored.
        pictures: Decoded pictures, too, as PNG; one that cannot be given back is left out.
        lossy: Pictures also of what a PNG does not hold whole.
        shard_bytes: A file is closed at about this size.

    Raises ConfigError for a directory that holds files, or if nothing is chosen; ShardDamagedError
    for a catalogue or latents that no run writes.
    """
    if directory.exists() and any(directory.iterdir()):
        raise ConfigError("the directory is not empty", "Name a new one.", str(directory))
    result = Exported([], [])
    chosen = _samples(archive, where, result.errors if pictures else None, lossy=lossy)
    shards = _shards(chosen, shard_bytes)
    for number, samples in enumerate(shards):
        directory.mkdir(parents=True, exist_ok=True)
        if form == "webdataset":
            result.files.append(_write_tar(directory / f"{number:05}.tar", samples))
        else:
            result.files.append(_write_parquet(directory / f"{number:05}.parquet", samples))
    if not result.files:
        raise ConfigError("no stored picture is chosen", "Choose others.", OptionName("where"))
    return result


def _samples(
    archive: Archive,
    where: str | None,
    errors: list[tuple[str, GlassplateError]] | None,
    *,
    lossy: bool,
) -> Iterator[Sample]:
    """errors: where those of pictures go; None: no pictures."""

    def png(about: dict[str, Any]) -> bytes | None:
        if errors is None:
            return None
        try:
            return _png(archive, about["image_id"], lossy=lossy)
        except GlassplateError as error:
            errors.append((about["name"], type(error)(error.cause, _WITHOUT, "")))
            return None

    condition = f"({where or 'true'}\n) AND codec IS NOT NULL"
    rows = archive.where(condition, columns=_DESCRIBED, order=_SHOWN_LAST)
    chosen = {row["image_id"]: row for row in rows.to_pylist()}
    if unknown := next((key for key in chosen if not is_id(key)), None):  # they become file names
        raise ShardDamagedError(f"has an id that is none: {unknown!r}", _VERIFY, "the catalogue")
    latest = _latest(archive)
    for row in _latent_rows(archive, _LATENT):
        if latest.get(row["image_id"]) == row["number"]:
            about = chosen.pop(row["image_id"], None)
            if about:
                about |= {name: row[name] for name in ("scaling_factor", "shift_factor")}
                latent = None if row["latent"] is None else latent_of(row).astype(np.float16)
                yield Sample(about, latent, png(about))
    for about in chosen.values():  # stored without a row among the latents
        yield Sample(about, None, png(about))


def _latent_rows(archive: Archive, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Rows of the latents table, numbered."""
    number = 0
    for batch in archive.latents().to_batches(columns=list(columns)):
        for row in batch.to_pylist():
            yield row | {"number": number}
            number += 1


def _latest(archive: Archive) -> dict[str, int]:
    """For each picture the number of its newest row with a latent, else of its newest row."""
    latest: dict[str, int] = {}
    has_latent: set[str] = set()
    for row in _latent_rows(archive, ["image_id", "dtype"]):
        if row["dtype"] or row["image_id"] not in has_latent:
            latest[row["image_id"]] = row["number"]
        if row["dtype"]:
            has_latent.add(row["image_id"])
    return latest


def _png(archive: Archive, image_id: str, *, lossy: bool) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        picture = archive.get(image_id, lossy=lossy)
        return save(picture, Path(folder) / "picture.png", lossy=lossy).read_bytes()


def _shards(samples: Iterator[Sample], shard_bytes: int) -> Iterator[list[Sample]]:
    shard: list[Sample] = []
    for sample in samples:
        shard.append(sample)
        if sum(one.size for one in shard) >= shard_bytes:
            yield shard
            shard = []
    if shard:
        yield shard


def _write_tar(path: Path, samples: list[Sample]) -> Path:
    with tarfile.open(path, "x") as tar:
        for sample in samples:
            about = {k: v for k, v in sample.about.items() if v is not None and v != np.inf}
            if fields := json.loads(about.get("fields", "{}")):
                about["fields"] = fields
            _add(tar, f"{about['image_id']}.json", json.dumps(about).encode())
            if isinstance(fields.get("txt"), str):
                _add(tar, f"{about['image_id']}.txt", fields["txt"].encode())
            if sample.latent is not None:
                buffer = io.BytesIO()
                np.save(buffer, sample.latent)
                _add(tar, f"{about['image_id']}.npy", buffer.getvalue())
            if sample.image is not None:
                _add(tar, f"{about['image_id']}.png", sample.image)
    return path


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _write_parquet(path: Path, samples: list[Sample]) -> Path:
    rows = [
        sample.about
        | {
            "latent": None if sample.latent is None else list(map(list, sample.latent)),
            "image": sample.image
            and {"bytes": sample.image, "path": f"{sample.about['image_id']}.png"},
        }
        for sample in samples
    ]
    table = pa.Table.from_pylist(rows, _SCHEMA.with_metadata(_for_datasets(_SCHEMA)))
    pq.write_table(table, path, row_group_size=256)
    return path
