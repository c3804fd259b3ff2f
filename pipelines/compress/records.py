"""From what became of one input to its rows in the archive."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TypeAlias

from glassplate.pipelines.archive.format.schema import BitstreamRow, ImageRow, LatentRow
from glassplate.pipelines.compress.changes.carried import copied
from glassplate.pipelines.compress.latents import Latents, Original
from glassplate.pipelines.compress.tiers import Stored, Tiers
from glassplate.pipelines.compress.trouble import Trouble
from glassplate.pipelines.pictures.ingest import Picture
from glassplate.pipelines.sources.places.refs import Outcome, SourceRef


@dataclass(frozen=True)
class Waiting:
    """Nothing is read yet."""


@dataclass(frozen=True)
class Read:
    """The source's bytes are here, and their sha256; they are not opened."""

    image_id: str
    data: bytes


@dataclass(frozen=True)
class Opened:
    """The picture is here, too."""

    original: Original


@dataclass(frozen=True)
class StoredPicture:
    """What is stored of a picture, verified; the source's bytes and pixels are let go.

    latent: None if it is not wanted.
    """

    image_id: str
    source_bytes: int
    picture: Picture
    stored: Stored
    latent: LatentRow | None

    @classmethod
    def of(cls, original: Original, stored: Stored, latents: Latents) -> StoredPicture:
        """With the latent and embedding if they are wanted. Raises what making them raises."""
        return cls(
            original.image_id,
            len(original.data),
            replace(original.picture, pixels=None),
            stored,
            latents.row(original, stored.latent),
        )


@dataclass(frozen=True)
class Written:
    """All that is left of a picture whose bytes are written: the ledger's row."""

    row: ImageRow


@dataclass(frozen=True)
class Twin:
    """The same bytes as those of a job that came first in the shard."""

    first: Job


@dataclass(frozen=True)
class Ended:
    """There is no picture. image_id, source_bytes: None if its bytes could not be read."""

    outcome: Outcome
    stage: str
    image_id: str | None = None
    source_bytes: int | None = None


State: TypeAlias = Waiting | Read | Opened | StoredPicture | Written | Twin | Ended


@dataclass
class Job:
    """One input on its way through a worker.

        Waiting -> Read -> Opened -> StoredPicture -> Written
              `-> Twin, of an equal file         `-> from each of the first three: Ended

    stage: What is being done, for errors. trouble: What is wrong with a file that is stored.
    """

    ref: SourceRef
    stage: str = "read"
    trouble: Trouble | None = None
    state: State = field(default_factory=Waiting)

    def end(self, outcome: Outcome) -> None:
        """Let go of what is held; there is no picture."""
        state = self.state
        if isinstance(state, Opened):
            state = Read(state.original.image_id, state.original.data)
        if isinstance(state, Read):
            self.state = Ended(outcome, self.stage, state.image_id, len(state.data))
        else:
            self.state = Ended(outcome, self.stage)


def image_row(job: Job) -> ImageRow:
    """The ledger's row of a job that has ended."""
    state = job.state.first.state if isinstance(job.state, Twin) else job.state
    if isinstance(state, Written):
        if state is job.state:
            return state.row
        return copied(state.row, source=job.ref.source, duplicate=True)
    assert isinstance(state, Ended), "every job ends with a row"
    row = _bare_row(job.ref, state.image_id, state.source_bytes)
    if state.outcome.status == "skipped":
        return replace(row, reason=state.outcome.why)
    return replace(
        row,
        status="failed",
        error_stage=state.stage,
        error_code=state.outcome.why,
        error_message=state.outcome.message,
    )


def bitstream_row(done: StoredPicture) -> BitstreamRow:
    """The stored bytes and the source's metadata, upright; a bit-exact file holds its own."""
    stored, picture = done.stored, done.picture
    if stored.bit_exact:
        return BitstreamRow(done.image_id, stored.bitstream)
    return BitstreamRow(
        done.image_id,
        stored.bitstream,
        picture.icc_profile,
        picture.exif,
        picture.xmp,
        list(picture.segments) or None,
    )


def _bare_row(ref: SourceRef, image_id: str | None, source_bytes: int | None) -> ImageRow:
    return ImageRow(
        ref.uri,
        ref.name,
        ref.version,
        "skipped",
        image_id,
        source_bytes=ref.size if source_bytes is None else source_bytes,
        gone=False,
        fields=ref.fields,
    )


def written(job: Job, done: StoredPicture, tiers: Tiers, place: int | None) -> Written:
    """The row of a stored picture. place: its row among the bitstreams; None: they are not kept."""
    return Written(_stored_row(job, done, tiers, place))


def _stored_row(job: Job, done: StoredPicture, tiers: Tiers, place: int | None) -> ImageRow:
    row = _bare_row(job.ref, done.image_id, done.source_bytes)
    stored, picture = done.stored, done.picture
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
        stored_bytes=bitstream_row(done).stored_bytes,
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
