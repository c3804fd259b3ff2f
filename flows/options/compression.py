"""The options that compress and plan have, and jobs that give pictures back."""

from __future__ import annotations

from typing import Annotated

import typer

Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="GLOB",
        help="Take only what this matches: '*.tif' anywhere, '2024/**' below the source's root;"
        " of a folder, all that is in it. Can be repeated.",
        show_default=False,
    ),
]


Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="GLOB",
        help="Leave out what this matches, also of what --include takes. Can be repeated.",
        show_default=False,
    ),
]


CodecOption = Annotated[
    str, typer.Option("--codec", help="A name that `glassplate codecs` lists.", metavar="NAME")
]


CodecOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--codec-option",
        metavar="NAME=VALUE",
        help="An option of the codec; can be given more than once.",
        show_default=False,
    ),
]


Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="PATH",
        help="Of the codec: a file or folder; for vae also a diffusers model or its hub id.",
        show_default=False,
    ),
]


Quality = Annotated[
    float | None,
    typer.Option("--quality", help="0 (smallest) to 100 (best), on the codec's own scale."),
]


TargetPsnr = Annotated[
    float | None, typer.Option("--target-psnr", help="At least this many dB for every picture.")
]


TargetMsSsim = Annotated[
    float | None,
    typer.Option("--target-ms-ssim", help="At least this MS-SSIM, 0 to 1, for every picture."),
]


TargetSsimulacra2 = Annotated[
    float | None,
    typer.Option(
        "--target-ssimulacra2",
        help="At least this SSIMULACRA2 for every picture: 90 looks the same, 70 is good.",
    ),
]


MaxBpp = Annotated[
    float | None, typer.Option("--max-bpp", help="At most this many bits per pixel.")
]


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


Reencode = Annotated[
    bool,
    typer.Option(
        "--reencode",
        help="Store pictures anew, from their sources, that another codec, other weights or"
        " another quality stored.",
    ),
]


MaxFailures = Annotated[
    str | None,
    typer.Option(
        "--max-failures",
        metavar="SHARE",
        help="Commit nothing if more than this share of the new inputs fails: 1%, 0.01."
        " Default: 25%, and more than 10.",
    ),
]


Damaged = Annotated[
    str,
    typer.Option(
        "--damaged",
        metavar="keep|fail",
        help="Keep damaged pictures bit for bit, or let them fail and leave them out.",
    ),
]


VerifyShare = Annotated[
    str,
    typer.Option(
        "--verify",
        metavar="SHARE",
        help="Share of the pictures that are decoded again and measured before the commit.",
    ),
]


MeasureNames = Annotated[
    str,
    typer.Option(
        "--measure",
        metavar="LIST",
        help="What is measured beside PSNR, by commas; psnr: nothing more, which is faster.",
    ),
]


Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="MODULE",
        help="Import this module first; it registers codecs of its own. Can be repeated.",
        show_default=False,
    ),
]


Latents = Annotated[
    bool, typer.Option("--latents/--no-latents", help="Store embeddings and latents, too.")
]


DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Plan only: counts, bytes, expected size and time.")
]


AsFlow = Annotated[bool, typer.Option("--flow", help="Run as the Prefect flow `compress-archive`.")]
