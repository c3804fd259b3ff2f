"""What the page on an archive shows, gathered by a few queries over its catalogue."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from glassplate.codecs.errors import ChangedError, GlassplateError, VanishedError
from glassplate.flows.reports.figures import Figure, histogram
from glassplate.flows.reports.pictures import data_url
from glassplate.flows.terminal.output import ledger_table
from glassplate.pipelines import Archive
from glassplate.pipelines.archive.format.manifest import RunEntry
from glassplate.pipelines.archive.format.schema import DAMAGED
from glassplate.pipelines.errors import ManifestError
from glassplate.pipelines.pictures.ingest import ingest
from glassplate.pipelines.pictures.limits import DEFAULT_MAX_PIXELS

logger = logging.getLogger(__name__)

RUNS_SHOWN = 30
FAILURES_SHOWN = 200
WORST_SHOWN = 12
THUMBNAIL_SIDE = 360
COMPARED_SIDE = 720
_LOSSY = "status = 'encoded' AND isfinite(psnr)"
_FAILURES = f"error_code IS NOT NULL AND NOT ({DAMAGED})"
_COLUMNS = ["status", "reason", "bpp", "psnr", "source_bytes"]


def archive_page(archive: Archive) -> dict[str, Any]:
    """Everything that the template shows of the newest row of every source."""
    catalogue = archive.where(columns=_COLUMNS)
    runs = _runs(archive)
    total = archive.stats()
    return {
        "title": archive.store.url,
        "snapshot": archive.manifest,
        "total": total,
        "codecs": total["codecs"],
        "choices": archive.choices(),
        "ledger": ledger_table(archive.manifest.run.ledger),
        "runs": [(run, ledger_table(run.ledger)[1][0]) for run in runs],
        "reasons": _reasons(catalogue),
        "failures": archive.where(_FAILURES, limit=FAILURES_SHOWN).to_pylist(),
        "damaged": archive.where(DAMAGED, limit=FAILURES_SHOWN).to_pylist(),
        "worst": _worst(archive),
        "compared": _compared(archive),
        "figures": _figures(catalogue),
    }


def _runs(archive: Archive) -> list[RunEntry]:
    """The newest runs first; a damaged manifest is the verification's business."""
    runs = []
    for number in reversed(archive.snapshots()[-RUNS_SHOWN:]):
        try:
            runs.append(archive.snapshot(number).manifest.run)
        except ManifestError as error:
            logger.warning("left out of the report: %s", error)
    return runs


def _reasons(catalogue: pa.Table) -> list[dict[str, Any]]:
    """Why inputs were kept or skipped: pictures and source bytes for each reason."""
    chosen = catalogue.filter(pc.is_in(catalogue["status"], pa.array(["kept", "skipped"])))
    grouped = chosen.group_by(["status", "reason"]).aggregate(
        [("status", "count"), ("source_bytes", "sum")]
    )
    rows: list[dict[str, Any]] = grouped.to_pylist()
    return sorted(rows, key=lambda row: (row["status"], -row["status_count"]))


def _worst(archive: Archive) -> list[dict[str, Any]]:
    """The lossy pictures of lowest PSNR, decoded from the archive."""
    rows: list[dict[str, Any]] = archive.where(_LOSSY, order="psnr", limit=WORST_SHOWN).to_pylist()
    for row in rows:
        try:
            row["picture"] = data_url(archive.get(row["image_id"]), THUMBNAIL_SIDE)
        except GlassplateError as error:
            row["picture"], row["trouble"] = None, str(error)
    return rows


def _compared(archive: Archive) -> list[dict[str, Any]]:
    """The worst, the median and the best lossy picture by PSNR, and what each was made from."""
    count = archive.where(_LOSSY, columns=["psnr"]).num_rows
    rows: list[dict[str, Any]] = []
    places = {0: "worst", count // 2: "median", count - 1: "best"} if count else {}
    for place, which in places.items():
        (row,) = archive.where(_LOSSY, order="psnr", limit=1, offset=place).to_pylist()
        row |= {"which": which, "picture": None, "original": None, "trouble": None}
        try:
            row["picture"] = data_url(archive.get(row["image_id"]), COMPARED_SIDE)
            row["original"] = data_url(_original(row), COMPARED_SIDE)
        except (GlassplateError, OSError) as error:
            row["trouble"] = str(error)
        rows.append(row)
    return rows


def _original(row: dict[str, Any]) -> Image.Image:
    """The source of a picture, upright. Raises GlassplateError, OSError if it cannot be read."""
    path = Path(row["source_uri"].removeprefix("file://"))
    if "://" in str(row["source_uri"]).removeprefix("file://") or not path.is_file():
        raise VanishedError("the source is no file here", "", row["name"])
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != row["image_id"]:
        raise ChangedError("the source is another picture now", "", row["name"])
    pixels = ingest(data, row["name"], DEFAULT_MAX_PIXELS, whole=False).pixels
    if pixels is None:
        raise ChangedError("the source cannot be shown", "", row["name"])
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _figures(catalogue: pa.Table) -> list[Figure]:
    encoded = catalogue.filter(pc.equal(catalogue["status"], "encoded"))
    if not encoded.num_rows:
        return []
    return [
        histogram(
            "bpp",
            "Bits per pixel of the encoded pictures, container included.",
            encoded["bpp"].to_numpy(),
            "bits per pixel",
        ),
        histogram(
            "psnr",
            "PSNR of the encoded pictures, measured on the decoded ones before the commit.",
            encoded["psnr"].to_numpy(),
            "PSNR in dB",
        ),
    ]
