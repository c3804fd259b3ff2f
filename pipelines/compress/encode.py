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
from glassplate.pipelines.compress.records import (
    Ended,
    Job,
    Opened,
    Read,
    StoredPicture,
    Twin,
    bitstream_row,
    image_row,
    written,
)
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
_LIST, _READ = "list", "read"

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

        def write(done: StoredPicture) -> int:
            if done.latent:
                writer.write("latents", done.latent)
            return writer.write("bitstreams", bitstream_row(done))

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
    write: Callable[[StoredPicture], int | None] = lambda done: None,
    *,
    one_by_one: bool = False,
) -> list[ImageRow]:
    """Encode references; `write` takes each picture that is stored, and returns its place.

    Returns the ledger's rows, in the order of the references: every one has its outcome. Raises
    what `write` raises, and StorageError if the source's object store cannot be reached.
    """
    jobs = [_job(ref, deaths.get(ref.uri)) for ref in refs]
    for job, done in _Encoder(config, tiers, one_by_one).run(jobs):
        job.state = written(job, done, tiers.of(job.ref.name), write(done))
    return [image_row(job) for job in jobs]


def _job(ref: SourceRef, death: Death | None) -> Job:
    if ref.outcome:
        return Job(ref, state=Ended(ref.outcome, _LIST))
    if death is None:
        return Job(ref)
    stage, outcome = death
    if stage == _READ:
        return Job(ref, state=Ended(outcome, stage))
    return Job(ref, stage, Trouble(stage, outcome.why, outcome.message))


class _Encoder:
    """Takes the jobs of one shard through their stages."""

    def __init__(self, config: CompressConfig, tiers: Tiers, one_by_one: bool) -> None:
        self.config = config
        self.tiers = tiers
        device = getattr(tiers.codec, "device", "cpu")
        self.batch_pixels = 0 if one_by_one else batch_pixels(device)
        self.seen: dict[str, Job] = {}

    def run(self, jobs: Batch) -> Iterator[tuple[Job, StoredPicture]]:
        """Yields jobs as they are stored; the others have ended when it ends."""
        for batch in ahead(self._batches(jobs), self._is_large):
            if isinstance(batch[0].state, Opened):
                self._attempt(batch, self._encode)
            for job in batch:
                if isinstance(job.state, StoredPicture):
                    yield job, job.state

    def _is_large(self, batch: Batch) -> bool:
        """Whether a batch is one large picture, beside which no other is to be decoded."""
        state = batch[0].state
        pixels = state.original.picture.pixels if isinstance(state, Opened) else None
        return pixels is not None and pixels.shape[0] * pixels.shape[1] > self.batch_pixels

    def _batches(self, jobs: Batch) -> Iterator[list[Job]]:
        """Load one by one; what is for one pixel codec comes out in batches of one padded size.

        What has ended with that (stored by a bit-exact tier, failed, a twin) comes out alone.
        """
        batches: dict[tuple[int, ...], list[Job]] = defaultdict(list)
        held = 0
        for job in jobs:
            if isinstance(job.state, Ended):
                continue
            self._attempt([job], self._keep_unopened if job.trouble else self._load)
            state = job.state
            pixels = state.original.picture.pixels if isinstance(state, Opened) else None
            if pixels is None:
                yield [job]
                continue
            height, width, channels = pixels.shape
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
        read = self._read(job)
        if read is None:
            return
        job.stage = "decode"
        picture = ingest(read.data, job.ref.uri, self.config.max_pixels)
        original = Original(read.image_id, read.data, picture)
        job.state = Opened(original)
        tiers = self.tiers.of(job.ref.name)
        reason = tiers.keep_reason(picture)
        if reason or tiers.prefers_file(original):
            self._keep(job, reason)

    def _read(self, job: Job) -> Read | None:
        """The source's bytes; None for a twin of an earlier one."""
        data = read_source(job.ref)
        image_id = hashlib.sha256(data).hexdigest()
        first = self.seen.setdefault(image_id, job)
        if first is not job:
            job.state = Twin(first)
            return None
        job.state = read = Read(image_id, data)
        return read

    def _keep_unopened(self, batch: Batch) -> None:
        """Store the file of a picture that killed a process, without another look into it."""
        (job,) = batch
        if self._read(job) is not None:
            self._keep(job, WORKER_DIED)

    def _keep(self, job: Job, reason: str | None) -> None:
        """Store the file of a job that is read or opened."""
        original, unopened = _original(job, reason), isinstance(job.state, Read)
        job.state = Opened(original)
        job.stage = "encode"
        tiers = self.tiers.of(job.ref.name)
        stored = tiers.store_file(original, reason, untouched=unopened)
        job.state = StoredPicture.of(original, stored, self.tiers.latents)

    def _encode(self, batch: Batch) -> None:
        originals = [_original(job) for job in batch]
        for job in batch:
            job.stage = "encode"
        tiers = self.tiers.of(batch[0].ref.name)
        encoded = tiers.encode(originals)
        for job in batch:
            job.stage = "verify"
        done = [
            StoredPicture.of(original, stored, self.tiers.latents)
            for original, stored in zip(originals, tiers.check(originals, encoded), strict=True)
        ]
        for job, one in zip(batch, done, strict=True):
            job.state = one

    def _why_kept(self, job: Job, error: Exception) -> str | None:
        """The reason for which a file is kept after an error; None: it failed."""
        if not isinstance(job.state, Read | Opened):
            return None
        reason = why_kept(error, damaged=self.config.damaged)
        if reason and not says_nothing_bad(error):
            job.trouble = Trouble(job.stage, *said_of(error, job.ref.uri, job.stage))
        return reason

    def _fail(self, job: Job, error: Exception) -> None:
        if isinstance(error, NotAnImageError) and is_system_file(job.ref.name):
            job.end(Outcome("skipped", SYSTEM_FILE))
        elif isinstance(error, NotAnImageError) and not _is_said_to_be_a_picture(job.ref):
            job.end(Outcome("skipped", error.code))
        else:
            job.end(Outcome("failed", *said_of(error, job.ref.uri, job.stage)))


def _original(job: Job, reason: str | None = None) -> Original:
    """The source's file and picture; without pixels, and kept for a reason, if it is unopened."""
    state = job.state
    if isinstance(state, Opened):
        return state.original
    assert isinstance(state, Read), "a job is read before it is stored"
    picture = without_pixels(state.data, job.ref.uri, reason or "")
    return Original(state.image_id, state.data, picture)


def _is_said_to_be_a_picture(ref: SourceRef) -> bool:
    """By its name, or by the list or the column of pictures that it stands in."""
    return claims_to_be_a_picture(ref.name) or ref.uri.startswith(("http://", "https://", SCHEME))
