"""What runs over a collection: the archive, planning, encoding, committing, reading."""

from glassplate.pipelines.archive.read.reader import Archive, open_archive

__all__ = ["Archive", "open_archive"]
