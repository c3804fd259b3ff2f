"""Options that several configurations and commands have; nothing heavy, since help shows them."""

from __future__ import annotations

from glassplate.codecs.option import Option

ARCHIVE = Option("The archive: a directory or URL.", metavar="ARCHIVE", place=2)
WHERE = Option(
    'A DuckDB condition over the catalogue: "width > 1000 and psnr < 32".', metavar="SQL"
)
SNAPSHOT = Option(
    "As the archive was at that snapshot; see `snapshots`. Default: the newest.", metavar="N"
)
LOSSY = Option("Also where the format has no place for all of it: 16-bit colours, alpha, frames.")
FORMAT = Option("Write all as png, tiff, jpg, ...")
MAX_PIXELS = Option("Larger pictures are not decoded: a guard against bombs.")
DEVICE = Option(
    "Where codecs that use torch run; cuda without a GPU is an error.", metavar="auto|cpu|cuda"
)
