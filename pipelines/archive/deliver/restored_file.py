"""Pictures outside of any archive, restored."""

from __future__ import annotations

import logging

import fsspec

from glassplate.codecs.errors import InputError, UnsupportedImageError
from glassplate.codecs.progress import OnStep, unseen
from glassplate.codecs.restore.degradations import as_image
from glassplate.codecs.restore.restorer import MAX_PIXELS, Restorer
from glassplate.pipelines.archive.labels.restored import RestoredPicture, restored
from glassplate.pipelines.archive.read.picture import with_metadata
from glassplate.pipelines.pictures.ingest import ingest
from glassplate.pipelines.storage.errors import storage_errors

logger = logging.getLogger(__name__)


def restore_file(
    url: str,
    restorer: Restorer,
    progress: OnStep = unseen,
) -> RestoredPicture:
    """Restore the picture in a file, a path or fsspec URL; upright, with its metadata.

    progress: Called with (windows done, windows in all).

    Raises InputError for what is no sound picture, UnsupportedImageError for anything but 8-bit
    grey and RGB, TooManyPixelsError, StorageError.
    """
    picture = ingest(_read(url), url, MAX_PIXELS, whole=False)
    for loss in picture.losses:
        logger.warning("%s: left out, as it has no place beside pixels: %s", url, loss.what)
    if picture.pixels is None:
        raise UnsupportedImageError(
            f"cannot be restored ({picture.keep_reason})",
            "8-bit grey and RGB pictures can, with alpha, too.",
            url,
        )
    image = with_metadata(as_image(picture.pixels), picture)
    return restored(image, restorer, url, progress)


def _read(url: str) -> bytes:
    with storage_errors(url):
        try:
            with fsspec.open(url, "rb") as file:
                return bytes(file.read())
        except (FileNotFoundError, IsADirectoryError, ValueError, ImportError) as error:
            fix = "Name an archive and a picture, or a file."
            raise InputError("no such file", fix, url) from error
