"""One worker, one shard: references in, staged Parquet files out.

    read -> sha256 -> pixels -> batches of one padded size -> encode -> decode again -> rows

A pure function of the shard's plan and the options: run twice, it writes the same bytes. While a
batch is encoded, the next one is read; pixels of two, and a row group of compressed bytes, are all
that is held, however large the shard; beside a large picture no other is read.
"""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import pyarrow as pa
import torch

from glassplate.codecs.errors import (
    NotAnImageError,
)
from glassplate.codecs.read_ahead import ahead
from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.archive.format.staging import StagedShard, load_staged
from glassplate.pipelines.archive.write.shard import ShardWriter, ledger_of
from glassplate.pipelines.compress.changes.carried import carried_ledger, carried_rows, instead
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.latents import Original
from glassplate.pipelines.compress.planning import ShardPlan
from glassplate.pipelines.compress.records import Job, bitstream_row, image_row
from glassplate.pipelines.compress.tiers import Tiers
from glassplate.pipelines.compress.trouble import (
    WORKER_DIED,
    Trouble,
    said_of,
    says_nothing_bad,
    why_kept,
)
from glassplate.pipelines.errors import StorageError
from glassplate.pipelines.pictures.formats import claims_to_be_a_picture
from glassplate.pipelines.pictures.ingest import ingest, without_pixels
from glassplate.pipelines.sources.choice import SYSTEM_FILE, is_system_file
from glassplate.pipelines.sources.packed.parquet import SCHEME
from glassplate.pipelines.sources.places.refs import Outcome, SourceRef
from glassplate.pipelines.sources.reading import read_source
from glassplate.pipelines.storage.store import Store

logger = logging.getLogger(__name__)

CPU_BATCH_PIXELS = 1 << 21
GPU_BATCH_PIXELS = 1 << 26
GPU_BYTES_PER_PIXEL = 1 << 10
"""A generous share of a GPU's memory for each pixel of a batch; codecs cut theirs from it."""

_PADDING = 64
_READ = "read"

Batch = Sequence[Job]

Death = tuple[str, Outcome]
"""What is known of a picture that killed a process: the stage, and its outcome."""

_NO_DEATHS: Mapping[str, Death] = MappingProxyType({})


def set_up_worker(config: CompressConfig) -> Tiers:
    """What a worker process does once: its share of the cores, quiet libraries, the codecs."""
    # torch takes all cores in every process unless it is told not to
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // config.workers))
    pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own one keeps what was freed
    warnings.filterwarnings("ignore", module="PIL")  # odd files are the ledger's business
    return Tiers(config)


def batch_pixels(device: str) -> int:
    """When the open batches hold this many pixels together, they are encoded.

    Enough to keep a GPU busy, as its memory allows; little where there is none.
    """
    if device != "cuda":
        return CPU_BATCH_PIXELS
    memory: int = torch.cuda.get_device_properties(0).total_memory
    return max(CPU_BATCH_PIXELS, min(GPU_BATCH_PIXELS, memory // GPU_BYTES_PER_PIXEL))


def encode_shard(
    shard: ShardPlan,
    config: CompressConfig,
    tiers: Tiers,
    deaths: Mapping[str, Death] = _NO_DEATHS,
    *,
    one_by_one: bool = False,
) -> StagedShard:
    """Encode (or copy) one shard into staging, unless it lies there already, whole and sound.

    A bad file costs its own row and nothing else; `deaths` (by source URI) are not tried again.
    one_by_one: hold no two pictures at a time, which takes least memory.
    Raises OSError or ShardDamagedError if the archive cannot be written; StorageError.
    """
    store = Store(config.archive)
    if staged := load_staged(store, shard.key):
        return staged
    with ShardWriter(store, shard.key) as writer:

        def write(job: Job) -> int:
            if job.latent:
                writer.write("latents", job.latent)
            return writer.write("bitstreams", bitstream_row(job))

        rows = encode_refs(shard.refs, config, tiers, deaths, write, one_by_one=one_by_one)
        ledger = ledger_of(rows) + carried_ledger(shard.carried)
        rows = instead(store, rows, shard.fallbacks) + carried_rows(store, shard.carried)
        for latent in tiers.latents.of_stored(shard.carried, store):
            writer.write("latents", latent)
        return writer.finish(rows, ledger, tiers.latents.models)


def encode_refs(
    refs: Sequence[SourceRef],
    config: CompressConfig,
    tiers: Tiers,
    deaths: Mapping[str, Death] = _NO_DEATHS,
    write: Callable[[Job], int | None] = lambda job: None,
    *,
    one_by_one: bool = False,
) -> list[ImageRow]:
    """Encode references; `write` takes each picture that is stored, and returns its place.

    Returns the ledger's rows, in the order of the references: every one has its outcome. Raises
    what `write` raises, and StorageError if the source's object store cannot be reached.
    """
    jobs = [Job(ref) for ref in refs]
    for job in jobs:
        if job.ref.uri in deaths:
            job.stage, death = deaths[job.ref.uri]
            if job.stage == _READ:
                job.outcome = death
            else:
                job.trouble = Trouble(job.stage, death.why, death.message)
    for job in _Encoder(config, tiers, one_by_one).run(jobs):
        job.settle(tiers.of(job.ref.name), write(job))
    return [image_row(job) for job in jobs]


class _Encoder:
    """Takes the jobs of one shard through their stages."""

    def __init__(self, config: CompressConfig, tiers: Tiers, one_by_one: bool) -> None:
        self.config = config
        self.tiers = tiers
        device = getattr(tiers.codec, "device", "cpu")
        self.batch_pixels = 0 if one_by_one else batch_pixels(device)
        self.seen: dict[str, Job] = {}

    def run(self, jobs: Batch) -> Iterator[Job]:
        """Yields jobs as they are stored; the others have ended when it ends."""
        for batch in ahead(self._batches(jobs), self._is_large):
            if batch[0].original:
                self._attempt(batch, self._encode)
            for job in batch:
                job.drop_source()
                if job.stored:
                    yield job

    def _is_large(self, batch: Batch) -> bool:
        """Whether a batch is one large picture, beside which no other is to be decoded."""
        picture = batch[0].picture
        pixels = picture.pixels if picture else None
        return pixels is not None and pixels.shape[0] * pixels.shape[1] > self.batch_pixels

    def _batches(self, jobs: Batch) -> Iterator[list[Job]]:
        """Load one by one; what is for one pixel codec comes out in batches of one padded size.

        What has ended with that (stored by a bit-exact tier, failed, a twin) comes out alone.
        """
        batches: dict[tuple[int, ...], list[Job]] = defaultdict(list)
        held = 0
        for job in jobs:
            if job.ref.outcome or job.outcome:
                continue
            self._attempt([job], self._keep_unopened if job.trouble else self._load)
            if not job.original:
                yield [job]
                continue
            height, width, channels = job.pixels.shape
            way = self.config.way_of(job.ref.name)
            batches[-(-height // _PADDING), -(-width // _PADDING), channels, way].append(job)
            held += height * width
            if held >= self.batch_pixels:
                yield from batches.values()
                batches.clear()
                held = 0
        yield from batches.values()

    def _attempt(self, batch: Batch, work: Callable[[Batch], None], *, keep: bool = True) -> None:
        """The boundary between one bad picture and the rest: whatever happens becomes a row."""
        try:
            work(batch)
        except StorageError:  # says nothing of the picture: the shard is for another try
            raise
        except Exception as error:  # noqa: BLE001 (the one place where everything is caught)
            if len(batch) > 1:
                for job in batch:
                    self._attempt([job], work)
            elif keep and (reason := self._why_kept(batch[0], error)):
                self._attempt(batch, lambda jobs: self._keep(jobs[0], reason), keep=False)
            else:
                self._fail(batch[0], error)

    def _load(self, batch: Batch) -> None:
        (job,) = batch
        data = self._read(job)
        if data is None:
            return
        job.stage = "decode"
        job.picture = ingest(data, job.ref.uri, self.config.max_pixels)
        job.original = Original(job.image_id or "", data, job.picture)
        tiers = self.tiers.of(job.ref.name)
        reason = tiers.keep_reason(job.picture)
        if reason or tiers.prefers_file(job.original):
            self._keep(job, reason)

    def _read(self, job: Job) -> bytes | None:
        """The source's bytes; None for a twin of an earlier one."""
        data = read_source(job.ref)
        job.source_bytes = len(data)
        job.image_id = hashlib.sha256(data).hexdigest()
        first = self.seen.setdefault(job.image_id, job)
        if first is not job:
            job.first = first
            return None
        job.data = data
        return data

    def _keep_unopened(self, batch: Batch) -> None:
        """Store the file of a picture that killed a process, without another look into it."""
        (job,) = batch
        if self._read(job) is not None:
            self._keep(job, WORKER_DIED)

    def _keep(self, job: Job, reason: str | None) -> None:
        unopened = job.picture is None
        if job.picture is None and job.data and job.image_id:
            job.picture = without_pixels(job.data, job.ref.uri, reason or "")
            job.original = Original(job.image_id, job.data, job.picture)
        job.stage = "encode"
        assert job.original
        tiers = self.tiers.of(job.ref.name)
        stored = tiers.store_file(job.original, reason, untouched=unopened)
        job.finish(stored, self.tiers.latents)
        job.drop_source()

    def _encode(self, batch: Batch) -> None:
        originals = [job.original for job in batch if job.original]
        for job in batch:
            job.stage = "encode"
        tiers = self.tiers.of(batch[0].ref.name)
        encoded = tiers.encode(originals)
        for job in batch:
            job.stage = "verify"
        for job, stored in zip(batch, tiers.check(originals, encoded), strict=True):
            job.finish(stored, self.tiers.latents)

    def _why_kept(self, job: Job, error: Exception) -> str | None:
        """The reason for which a file is kept after an error; None: it failed."""
        if job.data is None:
            return None
        reason = why_kept(error, damaged=self.config.damaged)
        if reason and not says_nothing_bad(error):
            job.trouble = Trouble(job.stage, *said_of(error, job.ref.uri, job.stage))
        return reason

    def _fail(self, job: Job, error: Exception) -> None:
        job.drop_source()
        if isinstance(error, NotAnImageError) and is_system_file(job.ref.name):
            job.outcome = Outcome("skipped", SYSTEM_FILE)
        elif isinstance(error, NotAnImageError) and not _is_said_to_be_a_picture(job.ref):
            job.outcome = Outcome("skipped", error.code)
        else:
            job.outcome = Outcome("failed", *said_of(error, job.ref.uri, job.stage))


def _is_said_to_be_a_picture(ref: SourceRef) -> bool:
    """By its name, or by the list or the column of pictures that it stands in."""
    return claims_to_be_a_picture(ref.name) or ref.uri.startswith(("http://", "https://", SCHEME))
