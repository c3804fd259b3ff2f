"""Reading an archive: find a picture by id or source name, decode it, query the catalogue.

archive.json -> newest sound manifest -> index (footer, one row group) -> catalogue row
  -> one row group of the bitstreams file -> codec rebuilt from models/ -> upright picture

What only some calls need (Pillow, torch, DuckDB) is imported by them: a command that looks
something up has not to wait for it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from glassplate.codecs import Codec, FileCodec, Region, codec_from_spec
from glassplate.codecs.base import Device
from glassplate.codecs.container.bitstream import unpack
from glassplate.codecs.errors import (
    BitstreamError,
    ConfigError,
    OutOfMemoryError,
    UnsupportedImageError,
    WeightsError,
)
from glassplate.codecs.memory import memory_errors
from glassplate.codecs.progress import OnStep, unseen
from glassplate.pipelines.archive.format.identity import check_archive
from glassplate.pipelines.archive.format.manifest import Snapshot
from glassplate.pipelines.archive.format.models import fetch_weights, read_spec
from glassplate.pipelines.archive.format.rows import read_bitstream
from glassplate.pipelines.archive.format.schema import BitstreamRow, ImageRow
from glassplate.pipelines.archive.format.snapshots import (
    check_not_forgotten,
    current_snapshot,
    manifest_numbers,
    not_kept,
    read_snapshot,
)
from glassplate.pipelines.archive.read.locate import Locator, Stored
from glassplate.pipelines.errors import (
    AmbiguousKeyError,
    ArchiveError,
    LossError,
    NotFoundError,
    UnknownKeyError,
)
from glassplate.pipelines.pictures.limits import DEFAULT_MAX_PIXELS
from glassplate.pipelines.storage.store import Store

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds
    from PIL import Image

    from glassplate.codecs.refine.options import RefineOptions
    from glassplate.codecs.refine.refiner import Refiner
    from glassplate.codecs.restore.options import RestoreOptions
    from glassplate.pipelines.archive.labels.refined import RefinedPicture
    from glassplate.pipelines.archive.labels.restored import RestoredPicture

_SEARCHED_ROWS = 2_000_000
"""In larger catalogues nothing is suggested for a name that is not there."""


def open_archive(
    url: str,
    snapshot: int | None = None,
    device: Device = "auto",
    storage_options: Mapping[str, Any] | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Archive:
    """Open an archive at its newest snapshot, or at an older one.

    Args:
        url: Path or fsspec URL of the folder that holds archive.json.
        snapshot: Number of a snapshot; None: the newest sound one.
        device: Where codecs decode.
        storage_options: For the fsspec file system.
        max_pixels: Files that were kept as they are, and have more, are not decoded.

    Raises ArchiveError (ManifestError for a damaged snapshot asked for by number), NotFoundError.
    """
    store = Store(str(url), **(storage_options or {}))
    check_archive(store)
    if snapshot is not None:
        return Archive(store, _numbered(store, snapshot), device, max_pixels)
    current = current_snapshot(store)
    if current is None:
        raise ArchiveError("nothing has been committed yet", "Run `glassplate compress`.", url)
    return Archive(store, current, device, max_pixels)


class Archive:
    """One snapshot of an archive, for reading. Opens only files that its manifest names.

    A `key` is an image id (sha256 hex), a unique prefix of one (8 digits or more), a source
    URI, a local source path, or a name below the source's root. A name or URI means its newest
    version; a name that several sources share means the one archived last.
    """

    def __init__(
        self,
        store: Store,
        manifest: Snapshot,
        device: Device = "auto",
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> None:
        self.store = store
        self.manifest = manifest
        self._device = device
        self.max_pixels = max_pixels
        self._locator = Locator(store, manifest)
        self._codecs: dict[str, Codec | FileCodec] = {}
        self._refiners: dict[tuple[str, RefineOptions], Refiner] = {}

    def snapshots(self) -> list[int]:
        """Numbers of all snapshots, oldest first."""
        return manifest_numbers(self.store)

    def snapshot(self, number: int) -> Archive:
        """The archive as it was. Raises NotFoundError, ManifestError."""
        snapshot = _numbered(self.store, number)
        return Archive(self.store, snapshot, self._device, self.max_pixels)

    def find(self, key: str) -> ImageRow:
        """The catalogue row of a key. Raises NotFoundError, ShardDamagedError."""
        with self._while_kept(), self._suggesting(key):
            return self._locator.find(key)

    def stored(self, key: str) -> Stored:
        """Where the bitstream of a key lies, and the catalogue row that it was stored with.

        Raises NotFoundError if there is none, because the newest version failed, for example.
        """
        with self._while_kept(), self._suggesting(key):
            return self._locator.stored(key)

    def check_unambiguous(self, key: str) -> None:
        """Raises AmbiguousKeyError if the key is the name of different pictures, all there."""
        rows = self._locator.named(key)
        if len({row.image_id for row in rows}) > 1:
            uris = ", ".join(row.source_uri for row in rows)
            raise AmbiguousKeyError(
                f"{len(rows)} sources have this name: {uris}", "Give one of these, or an id.", key
            )

    @contextmanager
    def _suggesting(self, key: str) -> Iterator[None]:
        """Says which names somebody may have meant by one that there is not."""
        try:
            yield
        except UnknownKeyError as error:
            from glassplate.pipelines.archive.read import query

            rows = sum(shard.images.rows for shard in self.manifest.shards)
            names = query.names_like(self.images(), key) if rows <= _SEARCHED_ROWS else []
            if not names:
                raise
            fix = f"Did you mean {' or '.join(names)}?"
            raise UnknownKeyError(error.cause, fix, error.subject) from error

    def get(
        self,
        key: str,
        region: Region | None = None,
        refine: RefineOptions | None = None,
        restore: RestoreOptions | None = None,
        *,
        lossy: bool = False,
    ) -> Image.Image:
        """Decode a picture, or a region of it in pixels of the upright picture.

        Returns an upright PIL image, L, RGB, or with alpha LA, RGBA; bit-exact pictures keep their
        own mode. Where the source had them, info has icc_profile, exif and xmp (bytes), comment
        (str), dpi, and segments (see `Segment`). With `lossy` also what a PIL image does not hold
        whole is shown: the first frame of an animation, 16-bit colours as 8-bit ones.
        Raises LossError for that without `lossy`, NotFoundError, BitstreamError, ShardDamagedError,
        and ConfigError for a region outside of the picture. With `refine` or `restore`: see there;
        with both, ConfigError.
        """
        if refine and restore:
            raise ConfigError("a picture is either refined or restored", "Leave out one.", key)
        if refine:
            return self.refine(key, refine, region).image
        if restore:
            return self.restore(key, restore, region).image
        from glassplate.pipelines.archive.read.picture import from_file, from_pixels

        stored = self.stored(key)
        row = self._read(stored)
        codec = self._codec(stored, row)
        with _about(stored):
            if isinstance(codec, FileCodec):
                data = codec.decode_file(row.bitstream)
                limit = self.max_pixels
                return from_file(data, row, region, stored.label, lossy=lossy, max_pixels=limit)
            header = unpack(row.bitstream).header
            return from_pixels(codec, row, header, region, stored)

    def refine(
        self,
        key: str,
        options: RefineOptions,
        region: Region | None = None,
        progress: OnStep = unseen,
    ) -> RefinedPicture:
        """Decode a picture, and put detail into it that a model finds likely; labelled as such.

        progress: Called with (windows done, windows in all).

        Raises as `get`; before any work ConfigError for a picture whose codec has no refiner, and
        WeightsError for refiner weights that are missing, unsound, or of another codec's weights.
        """
        from glassplate.pipelines.archive.labels.refined import label
        from glassplate.pipelines.archive.read.picture import as_image, check_region

        stored = self.stored(key)
        row = self._read(stored)
        refiner = self.refiner(self._codec(stored, row).spec.fingerprint, options)
        with _about(stored):
            header = unpack(row.bitstream).header
            check_region(region, (header.width, header.height), stored.label)
            refined = refiner.refine(row.bitstream, region, progress)
        return label(as_image(refined.pixels, row, stored), refined, refiner)

    def restore(
        self,
        key: str,
        options: RestoreOptions,
        region: Region | None = None,
        progress: OnStep = unseen,
    ) -> RestoredPicture:
        """Decode a picture, or a region; take noise out of it, or enlarge it; labelled as such.

        progress: Called with (windows done, windows in all).

        Raises as `get`; WeightsError for weights that are missing or unsound, UnsupportedImageError
        for anything but 8-bit grey and RGB, TooManyPixelsError.
        """
        from glassplate.codecs.restore.restorer import Restorer  # torch, which most never need
        from glassplate.pipelines.archive.labels.restored import restored

        restorer = Restorer(options, self._device)
        try:
            picture = self.get(key, region)
        except LossError as error:
            raise UnsupportedImageError(
                f"cannot be restored, which {error.cause}",
                "8-bit grey and RGB pictures can, with alpha, too.",
                error.subject,
            ) from error
        with memory_errors(key):
            return restored(picture, restorer, key, progress)

    def original(self, key: str) -> tuple[bytes, str]:
        """The source file of a bit-exact picture, byte for byte, and its suffix ('.jpg', or '').

        Raises NotFoundError if the picture is not stored bit-exactly; else as `get`.
        """
        stored = self.stored(key)
        row = self._read(stored)
        codec = self._codec(stored, row)
        if not isinstance(codec, FileCodec):
            raise NotFoundError(
                f"is stored by codec {codec.spec.name}, not bit for bit",
                "Get it as a picture instead.",
                stored.label,
            )
        with _about(stored):
            data = codec.decode_file(row.bitstream)
        return data, PurePosixPath(stored.image.name if stored.image else "").suffix

    def check_decodes(self, stored: Stored) -> None:
        """Decode a bitstream; a bit-exact one has to hash to its id.

        Raises BitstreamError, ShardDamagedError, ArchiveError.
        """
        row = self._read(stored)
        codec = self._codec(stored, row)
        with _about(stored):
            if not isinstance(codec, FileCodec):
                codec.decode([row.bitstream])
            elif sha256(codec.decode_file(row.bitstream)).hexdigest() != stored.image_id:
                raise BitstreamError("decodes to other bytes than its id says")

    def bitstream(self, key: str) -> BitstreamRow:
        """The stored bytes and metadata of a picture. Raises as `get`."""
        return self._read(self.stored(key))

    def images(self) -> ds.Dataset:
        """The catalogue and ledger: one row for every source of every run."""
        return self._table("images")

    def bitstreams(self) -> ds.Dataset:
        """Bitstreams and metadata blocks by image id."""
        return self._table("bitstreams")

    def latents(self) -> ds.Dataset:
        """Latents and embeddings by image id."""
        return self._table("latents")

    def _table(self, name: str) -> ds.Dataset:
        from glassplate.pipelines.archive.format.tables import open_table

        return open_table(self.store, self.manifest, name)

    def where(
        self,
        condition: str | None = None,
        *,
        columns: Sequence[str] | None = None,
        order: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> pa.Table:
        """Query the newest row of every source by SQL; see `query.where`."""
        from glassplate.pipelines.archive.read import query

        with self._while_kept():
            return query.where(
                self.images(), condition, columns=columns, order=order, limit=limit, offset=offset
            )

    def stats(self) -> dict[str, Any]:
        """Counts, bytes and quality of the newest row of every source; see `query.stats`."""
        from glassplate.pipelines.archive.read import query

        with self._while_kept():
            return query.stats(self.images())

    def choices(self, run: str | None = None) -> dict[str, Any] | None:
        """What codec `auto` chose, of one run or of all, and what it saved; see `query.choices`."""
        from glassplate.pipelines.archive.read import query

        with self._while_kept():
            return query.choices(self.images(), run)

    @contextmanager
    def _while_kept(self) -> Iterator[None]:
        """Whatever is missing: if the snapshot was forgotten meanwhile, that is the error."""
        try:
            yield
        except (ArchiveError, WeightsError, FileNotFoundError):
            check_not_forgotten(self.store, self.manifest)
            raise

    def _read(self, stored: Stored) -> BitstreamRow:
        with _about(stored), self._while_kept():
            return read_bitstream(self.store, stored.file, stored.row, stored.image_id)

    def _codec(self, stored: Stored, row: BitstreamRow) -> Codec | FileCodec:
        """The codec that the bitstream itself names, built from the archive's own spec."""
        with _about(stored):
            prefix = unpack(row.bitstream).header.fingerprint.hex()
        for fingerprint in self.manifest.codecs:
            if fingerprint.startswith(prefix):
                return self._load_codec(fingerprint)
        raise BitstreamError("written by a codec that the manifest does not name", "", stored.label)

    def _load_codec(self, fingerprint: str) -> Codec | FileCodec:
        if fingerprint not in self._codecs:
            with self._while_kept():
                spec = read_spec(self.store, fingerprint)
            with self._while_kept(), tempfile.TemporaryDirectory() as folder:
                weights = fetch_weights(self.store, spec, Path(folder))
                codec = codec_from_spec(spec, device=self._device, weights=weights)
            self._codecs[fingerprint] = codec
        return self._codecs[fingerprint]

    def refiner(self, fingerprint: str, options: RefineOptions) -> Refiner:
        """The refiner of a codec's pictures. Raises ConfigError, WeightsError."""
        from glassplate.codecs.refine.refiner import Refiner  # torch, which most never need

        key = (fingerprint, options)
        if key not in self._refiners:
            self._refiners[key] = Refiner(self._load_codec(fingerprint), options, self._device)
        return self._refiners[key]


def _numbered(store: Store, number: int) -> Snapshot:
    try:
        return read_snapshot(store, number)
    except FileNotFoundError as error:
        raise not_kept(store, number) from error


@contextmanager
def _about(stored: Stored) -> Iterator[None]:
    """Damage, and memory that is not enough, are errors that name the picture."""
    try:
        with memory_errors():
            yield
    except (BitstreamError, OutOfMemoryError) as error:
        subject = f"{stored.label}: {error.subject}" if error.subject else stored.label
        raise type(error)(error.cause, error.fix, subject) from error
