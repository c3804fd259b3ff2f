"""The commands that tell how an archive came to be: snapshots, diff."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassplate.flows.options.common import ArchiveArgument, JsonOption, output_of
from glassplate.flows.terminal.output import human_bytes, one_line
from glassplate.flows.terminal.wording import counted

if TYPE_CHECKING:
    from glassplate.pipelines.archive.read.history import SnapshotFacts

_COLUMNS = ("snapshot", "time", "what", "rows", "changes", "new_bytes", "bytes", "run")


def snapshots(
    context: typer.Context, archive: ArchiveArgument, as_json: JsonOption = False
) -> None:
    """List the snapshots that are kept, oldest first: what each run added, and what it takes.

    Reading commands take the number: `--snapshot N`. Snapshots go when `compact --keep-snapshots`
    forgets them.

    Example:

        glassplate snapshots archive/
    """
    from glassplate.pipelines import open_archive
    from glassplate.pipelines.archive.read.history import snapshots as facts_of

    output = output_of(context)
    found = facts_of(open_archive(archive))
    if output.as_json:
        for one in found:
            output.record(_record(one))
        return
    output.records([_row(one) for one in found], _COLUMNS, ("run", "new_bytes"))


def _record(one: SnapshotFacts) -> dict[str, Any]:
    return {
        "snapshot": one.number,
        "time": one.time,
        "run_id": one.run_id,
        "what": one.what,
        "codec": one.codec,
        **one.ledger.model_dump(),
        "rows": one.rows,
        "bytes": one.bytes,
        "new_bytes": one.new_bytes,
    }


def _row(one: SnapshotFacts) -> dict[str, Any]:
    return {
        "snapshot": one.number,
        "time": one.time[:16].replace("T", " "),
        "what": f"{one.what} {one.codec}" if one.codec else one.what,
        "rows": one.rows,
        "changes": _changes(one),
        "new_bytes": human_bytes(one.new_bytes),
        "bytes": human_bytes(one.bytes),
        "run": one.run_id,
    }


def _changes(one: SnapshotFacts) -> str:
    """'26 encoded, 10 kept, 2 failed'; inputs that were there already are not said."""
    counts = one.ledger.model_dump(include={"encoded", "kept", "failed"})
    counts["skipped"] = one.ledger.skipped - one.ledger.unchanged
    said = [f"{count} {name}" for name, count in counts.items() if count]
    return ", ".join(said) or "none"


def diff(
    context: typer.Context,
    archive: ArchiveArgument,
    earlier: Annotated[
        int, typer.Argument(metavar="A", min=1, help="A snapshot's number.", show_default=False)
    ],
    later: Annotated[
        int, typer.Argument(metavar="B", min=1, help="Another's.", show_default=False)
    ],
    as_json: JsonOption = False,
) -> None:
    """List what differs between two snapshots: sources added, changed, reencoded, gone, removed.

    Example:

        glassplate diff archive/ 1 2
    """
    from glassplate.pipelines import open_archive
    from glassplate.pipelines.archive.read.history import diff as differences

    output = output_of(context)
    found = differences(open_archive(archive, earlier), open_archive(archive, later)).to_pylist()
    if output.as_json:
        for row in found:
            output.record(row)
        return
    for row in found:
        output.stdout.print(f"{row['change']:9}  {one_line(row['name'])}", markup=False)
    counts = Counter(row["change"] for row in found)
    said = ", ".join(f"{count} {change}" for change, count in sorted(counts.items()))
    output.message(f"{counted(len(found), 'source')} differ: {said}" if found else "no difference")
