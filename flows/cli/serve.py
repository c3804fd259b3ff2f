"""`glassplate serve`: an archive over HTTP."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated

import typer

from glassplate.flows.options.common import (
    ArchiveArgument,
    DeviceOption,
    JsonOption,
    MaxPixelsOption,
    output_of,
    validated,
)

_OPTIONS = {"base_url": "--base-url", "worker_memory": "--worker-memory"}


def serve(
    context: typer.Context,
    archive: ArchiveArgument,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0: any that is free.")] = 8182,
    base_url: Annotated[
        str | None,
        typer.Option("--base-url", metavar="URL", help="How clients reach it.", show_default=False),
    ] = None,
    snapshot: Annotated[
        int | None,
        typer.Option("--snapshot", help="Serve this one; default: the newest, as it comes."),
    ] = None,
    reload: Annotated[
        float, typer.Option("--reload", metavar="SECONDS", help="Look for a newer snapshot.")
    ] = 10,
    refine: Annotated[
        str, typer.Option("--refine", metavar="flow|none", help="What draws the quality `refined`.")
    ] = "flow",
    no_refine: Annotated[
        bool, typer.Option("--no-refine", help="The same as --refine none.")
    ] = False,
    max_area: Annotated[
        int, typer.Option("--max-area", help="Pixels of the largest picture that is sent.")
    ] = 100_000_000,
    max_pixels: MaxPixelsOption = 200_000_000,
    workers: Annotated[
        int | None,
        typer.Option("--workers", help="Decoding processes; default: a core each."),
    ] = None,
    worker_memory: Annotated[
        str | None,
        typer.Option(
            "--worker-memory", metavar="BYTES", help="Memory of each: 2GiB.", show_default=False
        ),
    ] = None,
    cache: Annotated[
        str | None,
        typer.Option(
            "--cache",
            metavar="BYTES",
            help="Bytes of answers and pixels; 512MiB a worker, at most a quarter of memory.",
            show_default=False,
        ),
    ] = None,
    waiting: Annotated[
        int, typer.Option("--queue", help="Requests that may wait; the next gets 503.")
    ] = 256,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="How long a request may take.")
    ] = 60,
    connections: Annotated[
        int, typer.Option("--connections", help="Open ones; the next is closed.")
    ] = 500,
    rights: Annotated[
        str | None,
        typer.Option(
            "--rights", metavar="URL", help="Licence of the pictures.", show_default=False
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            "--token", envvar="GLASSPLATE_TOKEN", help="Who asks has to say it.", show_default=False
        ),
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Serve an archive over HTTP: IIIF for viewers, JSON for programs. Nothing is written to it.

    Examples:

        glassplate serve archive/

        glassplate serve s3://bucket/archive --host 0.0.0.0 --token "$TOKEN" --base-url https://images.example.org
    """
    from glassplate.codecs.extras import optional
    from glassplate.codecs.memory import machine_memory
    from glassplate.pipelines.jobs.memory import default_workers, parse_bytes, share_of_memory

    for module in ("fastapi", "prometheus_client", "uvicorn"):
        optional(module, "serve")
    from glassplate.flows.server.protocol.config import ServeConfig
    from glassplate.flows.server.run import serve as serve_archive

    number = default_workers() if workers is None else workers
    memory = share_of_memory(max(number, 1))
    fields = {
        "archive": archive,
        "host": host,
        "port": port,
        "base_url": base_url,
        "snapshot": snapshot,
        "reload": reload,
        "refine": None if no_refine or refine == "none" else refine,
        "max_area": max_area,
        "max_pixels": max_pixels,
        "workers": number,
        "worker_memory": parse_bytes(worker_memory) if worker_memory else memory,
        "cache": parse_bytes(cache) if cache else min(number << 29, machine_memory() // 4),
        "waiting": waiting,
        "timeout": timeout,
        "connections": connections,
        "rights": rights,
        "token": token,
        "device": device,
    }
    config = validated(ServeConfig, fields, _OPTIONS)
    output = output_of(context)
    if not _is_loopback(config.host) and not config.token:
        output.message(
            f"{config.host} is reached from other machines, and no token is asked for: whoever "
            "reaches it can read every picture, original and file name of the archive. Say "
            "--token, or put a proxy in front that asks who it is"
        )

    def say(url: str) -> None:
        if output.as_json:
            output.record({"archive": archive, "url": url})
            output.stdout.file.flush()
        output.message(f"serving {archive} at {url}; the API is described at {url}/docs")

    serve_archive(config, say)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
