"""From what became of one input to its rows in the archive."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from glassplate.codecs import Pixels
from glassplate.pipelines.archive.format.schema import BitstreamRow, ImageRow, LatentRow
from glassplate.pipelines.compress.changes.carried import copied
from glassplate.pipelines.compress.latents import Latents, Original
from glassplate.pipelines.compress.tiers import Stored, Tiers
from glassplate.pipelines.compress.trouble import Trouble
from glassplate.pipelines.pictures.ingest import Picture
from glassplate.pipelines.sources.places.refs import Outcome, SourceRef


@dataclass
class Job:
    """One input on its way through a worker.

    It ends with `stored`, or `outcome` (status, reason or code, message), or as the twin of an
    equal file that came `first` in the shard. A file may be stored because of `trouble` with it.
    What it holds is dropped early: the source's bytes
    and pixels when it is stored, all but the ledger's `row` when that is written.
    """

    ref: SourceRef
    stage: str = "read"
    source_bytes: int | None = None
    image_id: str | None = None
    first: Job | None = None
    original: Original | None = None
    picture: Picture | None = None
    stored: Stored | None = None
    outcome: Outcome | None = None
    latent: LatentRow | None = None
    row: ImageRow | None = None
    data: bytes | None = None
    trouble: Trouble | None = None

    @property
    def pixels(self) -> Pixels:
        """Of a job that is for the pixel codec."""
        assert self.picture
        assert self.picture.pixels is not None
        return self.picture.pixels

    def finish(self, stored: Stored, latents: Latents) -> None:
        """Take down what was stored, and the latent and embedding if they are wanted."""
        self.stored = stored
        if self.original:
            self.latent = latents.row(self.original, stored.latent)

    def drop_source(self) -> None:
        """Let go of the source's bytes and pixels."""
        self.original = self.data = None
        if self.picture:
            self.picture = replace(self.picture, pixels=None)

    def settle(self, tiers: Tiers, place: int | None) -> None:
        """Take down the row of a stored picture, and let go of what was stored.

        place: its row among the bitstreams; None: they are not kept.
        """
        self.row = _stored_row(_bare_row(self), self, tiers, place)
        self.picture = self.stored = self.latent = None


def image_row(job: Job) -> ImageRow:
    """The ledger's row of a job that has ended."""
    ref, first = job.ref, job.first or job
    if job.row:
        return job.row
    if first.row:
        return copied(first.row, source=ref.source, duplicate=True)
    row = _bare_row(job)
    stage, outcome = first.stage, first.outcome
    if ref.outcome:
        stage, outcome = "list", ref.outcome
    assert outcome, "every job ends with a row"
    if outcome.status == "skipped":
        return replace(row, reason=outcome.why)
    return replace(
        row,
        status="failed",
        error_stage=stage,
        error_code=outcome.why,
        error_message=outcome.message,
    )


def bitstream_row(job: Job) -> BitstreamRow:
    """The stored bytes and the source's metadata, upright; a bit-exact file holds its own."""
    stored, picture = job.stored, job.picture
    assert stored
    assert picture
    assert job.image_id
    if stored.bit_exact:
        return BitstreamRow(job.image_id, stored.bitstream)
    return BitstreamRow(
        job.image_id,
        stored.bitstream,
        picture.icc_profile,
        picture.exif,
        picture.xmp,
        list(picture.segments) or None,
    )


def _bare_row(job: Job) -> ImageRow:
    ref = job.ref
    size = ref.size if job.source_bytes is None else job.source_bytes
    return ImageRow(
        ref.uri,
        ref.name,
        ref.version,
        "skipped",
        job.image_id,
        source_bytes=size,
        gone=False,
        fields=ref.fields,
    )


def _stored_row(row: ImageRow, job: Job, tiers: Tiers, place: int | None) -> ImageRow:
    stored, picture = job.stored, job.picture
    assert stored
    assert picture
    pixels = (picture.width or 0) * (picture.height or 0)
    return replace(
        row,
        status=stored.status,
        reason=stored.reason,
        codec=stored.spec.name,
        codec_fingerprint=stored.spec.fingerprint,
        bit_exact=stored.bit_exact,
        target=str(tiers.config.target),
        quality=stored.quality,
        format=picture.format,
        mode=picture.mode,
        width=picture.width,
        height=picture.height,
        orientation=picture.orientation,
        stored_bytes=bitstream_row(job).stored_bytes,
        bpp=8 * len(stored.bitstream) / pixels if pixels else None,
        psnr=stored.psnr,
        ms_ssim=stored.ms_ssim,
        ssimulacra2=stored.ssimulacra2,
        verified=stored.verified,
        bitstream_row=place,
        settings=tiers.settings,
        candidates=[asdict(one) for one in stored.candidates] or None,
        error_stage=job.trouble.stage if job.trouble else None,
        error_code=job.trouble.code if job.trouble else None,
        error_message=job.trouble.message if job.trouble else None,
    )
