"""The options that compress and plan have, and jobs that give pictures back."""

from __future__ import annotations

from typing import Annotated

import typer

Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        help="Worker processes; by default as many as there are cores, and memory for. On a"
        " cluster, how many of them share a machine's cores and memory; by default 1.",
        show_default=False,
    ),
]


WorkerMemory = Annotated[
    str | None,
    typer.Option(
        "--worker-memory",
        metavar="BYTES",
        help="What each worker may take: 4GB, 1.5GiB. By default its share of 80 % of the memory"
        " there is. A picture that needs more is kept as it is.",
        show_default=False,
    ),
]


RunnerName = Annotated[
    str, typer.Option("--runner", metavar="NAME", help="A name that `glassplate runners` lists.")
]


RunnerOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--runner-option",
        metavar="NAME=VALUE",
        help="An option of the runner; can be given more than once.",
        show_default=False,
    ),
]


RetryFailed = Annotated[
    bool,
    typer.Option(
        "--retry-failed",
        help="Try inputs again that failed in an earlier run, or were kept because they are"
        " damaged, too large or unsupported.",
    ),
]
