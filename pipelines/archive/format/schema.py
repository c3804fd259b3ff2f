"""The pinned Parquet schemas of format version 1, and the row types behind them.

Each field's meaning is its Arrow metadata, so that `schema.field("bpp").metadata` answers in any
reader and the data dictionary in the README is printed from here. Columns are only ever added, at
the end, with a new version.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

if TYPE_CHECKING:
    from glassplate.pipelines.pictures.metadata.segment import Segment

SCHEMA_VERSION = 3
"""2 added `segments` and `run_id`, 3 `gone`, `settings`, `ssimulacra2`, `fields` and
`candidates`: null in older files."""

EMBEDDING_SIZE = 96

Status = Literal["encoded", "kept", "skipped", "failed"]

TROUBLES = ("damaged", "internal", "out-of-memory", "verify-failed", "worker-died")
"""Reasons for keeping a file with which something is wrong, or with which we went wrong."""

DAMAGED = f"status = 'kept' AND reason IN {TROUBLES}"
"""Those rows, in SQL."""


def _field(name: str, kind: pa.DataType, meaning: str, *, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"meaning": meaning})


def _schema(table: str, fields: list[pa.Field]) -> pa.Schema:
    version = {"glassplate.table": table, "glassplate.schema_version": str(SCHEMA_VERSION)}
    return pa.schema(fields, metadata=version)


IMAGES = _schema(
    "images",
    [
        _field("image_id", pa.string(), "sha256 (hex) of the source bytes; null if unread"),
        _field("source_uri", pa.string(), "where the picture was read from", nullable=False),
        _field("name", pa.string(), "path below the source's root, with /", nullable=False),
        _field("source_version", pa.string(), "size and time or etag at planning", nullable=False),
        _field("status", pa.string(), "encoded | kept | skipped | failed", nullable=False),
        _field("reason", pa.string(), "why kept or skipped: a stable word or clause"),
        _field("codec", pa.string(), "codec of the bitstream"),
        _field("codec_fingerprint", pa.string(), "sha256 (hex) of the codec's spec"),
        _field("bit_exact", pa.bool_(), "the source file comes back byte for byte"),
        _field("target", pa.string(), "the quality that was asked for"),
        _field("quality", pa.float32(), "the codec's setting that was used, 0-100"),
        _field("format", pa.string(), "source format, as Pillow names it"),
        _field("mode", pa.string(), "source pixel mode, as Pillow names it"),
        _field("width", pa.int32(), "pixels, upright"),
        _field("height", pa.int32(), "pixels, upright"),
        _field("orientation", pa.int8(), "EXIF orientation of the source, 1-8; applied once"),
        _field("source_bytes", pa.int64(), "size of the source file"),
        _field("stored_bytes", pa.int64(), "bitstream and metadata as stored"),
        _field("bpp", pa.float32(), "8 x bitstream bytes / (width x height), container included"),
        _field("psnr", pa.float32(), "dB, decoded against source, colours; inf if equal"),
        _field("ms_ssim", pa.float32(), "MS-SSIM of the decoded picture; null below 161 pixels"),
        _field("verified", pa.bool_(), "decoded again and measured before the commit"),
        _field("error_stage", pa.string(), "list | read | decode | encode | verify"),
        _field("error_code", pa.string(), "stable code of the last try's error; null: none"),
        _field("error_message", pa.string(), "subject, cause and fix"),
        _field("bitstream_row", pa.int32(), "row in this shard's bitstreams file; null: none"),
        _field("run_id", pa.string(), "run of the row in a compacted file; null: that of the path"),
        _field("gone", pa.bool_(), "the source was no longer there; its picture stays"),
        _field("settings", pa.string(), "sha256 (hex) of the codec's spec and target asked for"),
        _field(
            "ssimulacra2", pa.float32(), "of the decoded picture, at most 100; null below 8 pixels"
        ),
        _field("fields", pa.string(), "JSON: what the list or sidecar says of it; null: nothing"),
        _field(
            "candidates",
            pa.list_(
                pa.struct(
                    [
                        pa.field("codec", pa.string(), nullable=False),
                        pa.field("bytes", pa.int64()),
                        pa.field("how", pa.string(), nullable=False),
                    ]
                )
            ),
            "what codec `auto` chose from; how: stored | tried | predicted | missed | refused",
        ),
    ],
)

BITSTREAMS = _schema(
    "bitstreams",
    [
        _field("image_id", pa.string(), "sha256 (hex) of the source bytes", nullable=False),
        _field("bitstream", pa.binary(), "self-describing container", nullable=False),
        _field("icc_profile", pa.binary(), "ICC profile of the source"),
        _field("exif", pa.binary(), "EXIF block of the source, orientation reset to 1"),
        _field("xmp", pa.binary(), "XMP packet of the source"),
        _field(
            "segments",
            pa.list_(
                pa.struct(
                    [
                        pa.field("kind", pa.string(), nullable=False),
                        pa.field("data", pa.binary(), nullable=False),
                    ]
                )
            ),
            "other metadata, as in the source: JPEG APPn, COM, trailer; PNG chunks; GIF comment",
        ),
    ],
)

LATENTS = _schema(
    "latents",
    [
        _field("image_id", pa.string(), "sha256 (hex) of the source bytes", nullable=False),
        _field("latent", pa.binary(), "C-order, little-endian; null if the codec has none"),
        _field("shape", pa.list_(pa.int32()), "shape of the latent, channels first"),
        _field("dtype", pa.string(), "int8 | float16 | bfloat16 | another numpy name"),
        _field(
            "embedding",
            pa.list_(pa.float16(), EMBEDDING_SIZE),
            "unit vector for search",
            nullable=False,
        ),
        _field("scale", pa.list_(pa.float32()), "per channel: value = stored x scale; null: 1"),
        _field("scaling_factor", pa.float32(), "the network's latent is value / this + shift"),
        _field("shift_factor", pa.float32(), "the shift; both as in diffusers; null: 1 and 0"),
        _field("model", pa.string(), "fingerprint of its model; null: the picture's own codec"),
    ],
)

TABLES = {"images": IMAGES, "bitstreams": BITSTREAMS, "latents": LATENTS}


@dataclass(frozen=True)
class ImageRow:
    """One row of the catalogue and ledger; fields as in `IMAGES`."""

    source_uri: str
    name: str
    source_version: str
    status: Status
    image_id: str | None = None
    reason: str | None = None
    codec: str | None = None
    codec_fingerprint: str | None = None
    bit_exact: bool | None = None
    target: str | None = None
    quality: float | None = None
    format: str | None = None
    mode: str | None = None
    width: int | None = None
    height: int | None = None
    orientation: int | None = None
    source_bytes: int | None = None
    stored_bytes: int | None = None
    bpp: float | None = None
    psnr: float | None = None
    ms_ssim: float | None = None
    verified: bool | None = None
    error_stage: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    bitstream_row: int | None = None
    run_id: str | None = None
    gone: bool | None = None
    settings: str | None = None
    ssimulacra2: float | None = None
    fields: str | None = None
    candidates: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class BitstreamRow:
    """One stored bitstream with the metadata blocks of its source; fields as in `BITSTREAMS`."""

    image_id: str
    bitstream: bytes
    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    segments: list[Segment] | None = None

    @property
    def stored_bytes(self) -> int:
        """Bitstream and metadata."""
        blocks = [self.bitstream, self.icc_profile, self.exif, self.xmp]
        return sum(len(b or b"") for b in blocks + [s["data"] for s in self.segments or ()])


@dataclass(frozen=True)
class LatentRow:
    """One latent and embedding; fields as in `LATENTS`."""

    image_id: str
    embedding: list[float]
    latent: bytes | None = None
    shape: list[int] | None = None
    dtype: str | None = None
    scale: list[float] | None = None
    scaling_factor: float | None = None
    shift_factor: float | None = None
    model: str | None = None

    @property
    def stored_bytes(self) -> int:
        """Latent and embedding, of two bytes a number."""
        return len(self.latent or b"") + 2 * len(self.embedding)


def to_table(rows: list[Any], schema: pa.Schema) -> pa.Table:
    """Dataclass rows to a table of exactly this schema."""
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=schema)
