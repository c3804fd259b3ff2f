"""The options of one retrieval, validated once, then passed down unchanged."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Self

from pydantic import Field, model_validator

from glassplate.codecs.option import Option
from glassplate.codecs.refine.options import RefineOptions
from glassplate.codecs.restore.options import RestoreOptions
from glassplate.pipelines.jobs.config import JobConfig
from glassplate.pipelines.options import FORMAT, LOSSY, MAX_PIXELS, SNAPSHOT, WHERE
from glassplate.pipelines.pictures.limits import DEFAULT_MAX_PIXELS


class RetrieveConfig(JobConfig):
    """Which pictures to give back, where to, and how.

    out: Folder or bucket, a path or fsspec URL; empty, or of a retrieval with these options.
    where: SQL over the catalogue; None: everything that is stored.
    snapshot: Number of an older snapshot to read; None: the newest.
    format: Suffix of all files ('png'); None: bit-exact pictures as their source files, refined and
        restored ones as PNG, others in the formats that they had, or PNG for what we do not write.
    max_pixels: Files that were kept as they are, and have more, are not decoded.
    lossy: Write also what the format does not hold whole; else that is a failed row.
    refine: None: plain pictures. Pictures whose codec has no refiner come out plain in any case.
    restore: Likewise; what is no still 8-bit grey or RGB picture comes out plain. Only one of both.
    retry_failed: Of a retrieval that goes on: try again what could not be given back.
    """

    out: Annotated[
        str,
        Option(
            "A folder or bucket: empty, or of this retrieval, which then goes on.",
            metavar="OUT",
            place=3,
        ),
    ]
    where: Annotated[str | None, WHERE] = None
    snapshot: Annotated[int | None, SNAPSHOT, Field(ge=1)] = None
    format: Annotated[str | None, FORMAT, Field(pattern=r"^\.?[A-Za-z0-9]+$")] = None
    lossy: Annotated[bool, LOSSY] = False
    max_pixels: Annotated[int, MAX_PIXELS, Field(ge=1)] = DEFAULT_MAX_PIXELS
    refine: RefineOptions | None = None
    restore: RestoreOptions | None = None
    retry_failed: Annotated[bool, Option("Try again what could not be given back before.")] = False

    @model_validator(mode="after")
    def _one_at_most(self) -> Self:
        if self.refine and self.restore:
            raise ValueError("pictures are either refined or restored")
        return self

    def fingerprint(self, snapshot_of: str) -> str:
        """sha256 over what decides the files: archive, snapshot, query, format, models."""
        deciding = {"where", "format", "refine", "restore"}
        said = {"restore": {"denoise"}}  # by the scale
        options = self.model_dump(mode="json", include=deciding, exclude=said)
        options |= {"lossy": True} if self.lossy else {}
        options |= {"snapshot": self.snapshot} if self.snapshot else {}
        return hashlib.sha256((snapshot_of + json.dumps(options)).encode()).hexdigest()
