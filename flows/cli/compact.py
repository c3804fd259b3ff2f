"""`glassplate compact`: fewer, larger files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glassplate.codecs.progress import unseen
from glassplate.flows.options.common import ArchiveArgument, JsonOption, NoProgress, output_of
from glassplate.flows.terminal.live import live_count
from glassplate.flows.terminal.wording import lines_of, record_of

if TYPE_CHECKING:
    pass

KeepSnapshots = Annotated[
    int | None,
    typer.Option(
        "--keep-snapshots",
        metavar="N",
        min=1,
        help="Forget all but the newest N snapshots, and delete the files that only those named."
        " Default: forget none.",
        show_default=False,
    ),
]


def compact(
    context: typer.Context,
    archive: ArchiveArgument,
    keep_snapshots: KeepSnapshots = None,
    no_progress: NoProgress = False,
    as_json: JsonOption = False,
) -> None:
    """Merge the many small files of nightly runs into few large ones, as a new snapshot.

    No picture, row or id changes. Older snapshots keep their files until they are forgotten; until
    then a program that reads images/ as a plain folder meets merged rows twice.

    Examples:

        glassplate compact archive/

        glassplate compact archive/ --keep-snapshots 2
    """
    from glassplate.pipelines.archive.upkeep.compact import compact_archive
    from glassplate.pipelines.storage.store import Store

    output = output_of(context)
    shown = not (no_progress or output.as_json)
    with live_count(output.stderr, "merging shards", shown=shown) as show:
        progress = (lambda done, total: show(done, total, "")) if show else unseen
        result = compact_archive(Store(archive), keep_snapshots, progress)
    if output.as_json:
        output.record(record_of(result))
    else:
        for line in lines_of(result):
            output.message(line)
