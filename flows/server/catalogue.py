"""The snapshot that is served, which may be followed by a newer one at any time; and its rows."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from threading import Lock
from typing import Any

from glassplate.codecs.errors import GlassplateError
from glassplate.flows.server.protocol.config import ServeConfig
from glassplate.flows.server.protocol.errors import BadRequestError, RemovedError
from glassplate.pipelines import Archive, open_archive
from glassplate.pipelines.archive.format.manifest import Snapshot
from glassplate.pipelines.archive.format.places import is_id
from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.archive.read.locate import MIN_PREFIX, Locator, Stored
from glassplate.pipelines.errors import AmbiguousKeyError, NotFoundError

logger = logging.getLogger(__name__)

_REMEMBERED = 20_000
_LOOKED_BACK = 5
"""Older snapshots that are asked whether they had a picture that is not in this one."""


class View:
    """One snapshot: where its pictures lie. Threads may share it."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.number = archive.manifest.number
        self._locator = Locator(archive.store, archive.manifest)
        self.stored = lru_cache(_REMEMBERED)(self._stored)

    @property
    def snapshot(self) -> Snapshot:
        return self.archive.manifest

    def _stored(self, image_id: str) -> Stored:
        """Where a picture lies. Raises NotFoundError, RemovedError, ShardDamagedError."""
        try:
            return self._locator.stored(image_id)
        except NotFoundError as error:
            if self._was_there(image_id):
                cause = "was in an older snapshot, and is not in this one"
                raise RemovedError(cause, "", image_id[:16]) from error
            raise NotFoundError("no picture has this id", "", image_id[:16]) from error

    def _was_there(self, image_id: str) -> bool:
        older = [n for n in self.archive.snapshots() if n < self.number]
        return any(self._had(n, image_id) for n in reversed(older[-_LOOKED_BACK:]))

    @lru_cache(_REMEMBERED)  # noqa: B019 (a view lives as long as its snapshot is served)
    def _had(self, number: int, image_id: str) -> bool:
        try:
            old = self.archive.snapshot(number)
            Locator(old.store, old.manifest).stored(image_id)
        except (GlassplateError, OSError):
            return False
        return True

    def image_id_of(self, identifier: str) -> str:
        """The id that an id, eight digits or more of one, or a name stands for.

        No text from a URL is taken for a path here. Raises NotFoundError, BadRequestError.
        """
        if is_id(identifier):
            return identifier
        rows = self._locator.named(identifier)
        ids = {row.image_id for row in rows if row.image_id}
        if len(ids) > 1:
            cause = f"{len(ids)} pictures have this name"
            raise AmbiguousKeyError(cause, f"Say which: {', '.join(sorted(ids))}.", identifier)
        if rows or re.fullmatch(f"[0-9a-f]{{{MIN_PREFIX},63}}", identifier):
            return self._locator.stored(identifier).image_id
        raise NotFoundError("no picture has this name or id", "", identifier[:200])

    def row(self, image_id: str) -> ImageRow:
        """The catalogue's row of a stored picture, with its size. Raises as `stored`."""
        image = self.stored(image_id).image
        if image is None:
            raise NotFoundError(
                "its catalogue row is damaged", "Verify the archive.", image_id[:16]
            )
        return image


def size_of(row: ImageRow) -> tuple[int, int]:
    """Width and height, upright. Raises BadRequestError for a file that is no picture."""
    if not row.width or not row.height:
        raise BadRequestError("is kept as a file, and has no size", "Get the original.", row.name)
    return row.width, row.height


class Catalogue:
    """The view that requests are answered from."""

    def __init__(self, config: ServeConfig) -> None:
        """Raises as `open_archive`."""
        self._config = config
        self._lock = Lock()
        self.trouble: str | None = None
        self.view = View(self._open())

    def _open(self) -> Archive:
        fields: dict[str, Any] = {"max_pixels": self._config.max_pixels}
        return open_archive(self._config.archive, self._config.snapshot, "cpu", **fields)

    def refresh(self) -> None:
        """Look for a newer snapshot; if the archive cannot be read now, serve what there was."""
        with self._lock:
            try:
                opened = self._open()
            except (GlassplateError, OSError) as error:
                if str(error) != self.trouble:
                    logger.warning("the archive cannot be opened anew: %s", error)
                self.trouble = str(error)
                return
            self.trouble = None
            if opened.manifest != self.view.snapshot:
                logger.info("snapshot %s is served now", opened.manifest.number)
                self.view = View(opened)
