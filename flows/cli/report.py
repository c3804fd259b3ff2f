"""`glassplate codecs`, `glassplate runners`, `glassplate report`, `glassplate demo`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from glassplate.flows.options.common import JsonOption, output_of
from glassplate.flows.terminal.output import Output, one_line
from glassplate.flows.terminal.wording import counted


def codecs(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Explain its options.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the codecs, with what they do at their defaults; or explain the options of one.

    Ratio (of raw RGB to bitstream) and PSNR are those of the five photographs of scikit-image.

    Examples:

        glassplate codecs

        glassplate codecs hyperprior
    """
    from glassplate.codecs.registry import choices, codec_class, measured

    output = output_of(context)
    if name is not None:
        _explain(output, name)
        return
    rows = []
    for known in choices():
        cls = codec_class(known)
        defaults = {
            key: field.get_default(call_default_factory=True)
            for key, field in cls.Config.model_fields.items()
        }
        rows.append(
            {
                "codec": known,
                "summary": cls.summary,
                "options": defaults if output.as_json else " ".join(defaults),
                "source": cls.source,
                **measured(known),
            }
        )
    columns = ("codec", "summary", "parameters", "ratio", "psnr", "options")
    output.records(rows, columns, ("parameters",))
    output.message("glassplate codecs NAME explains the options of one")


def _explain(output: Output, name: str) -> None:
    """One codec and its options, as `--codec-option NAME=VALUE` takes them."""
    from glassplate.codecs.registry import codec_class, measured
    from glassplate.flows.options.described import described

    cls = codec_class(name)
    facts = {"codec": name, "summary": cls.summary, "source": cls.source, **measured(name)}
    options = described(cls.Config)
    if output.as_json:
        output.record({**facts, "options": [asdict(option) for option in options]})
        return
    output.facts(facts)
    output.stdout.print()
    if options:
        columns = ("option", "allowed", "default", "what")
        output.records([asdict(option) for option in options], columns)
    else:
        output.stdout.print("no options")


def runners(context: typer.Context, as_json: JsonOption = False) -> None:
    """List where `compress` can run, with the options of each runner.

    Example:

        glassplate runners
    """
    from glassplate.pipelines.jobs.runners import RUNNERS

    rows = []
    for name, runner in RUNNERS.items():
        rows.append({"runner": name, "option": None, "default": None, "what": runner.summary})
        for key, field in runner.model_fields.items():
            default = "needed" if field.is_required() else field.default
            if field.description:
                rows.append(
                    {"runner": name, "option": key, "default": default, "what": field.description}
                )
    output_of(context).records(rows, ("runner", "option", "default", "what"))


def report(
    context: typer.Context,
    subject: Annotated[
        str,
        typer.Argument(metavar="ARCHIVE|IMAGE", help="An archive, or one picture file."),
    ],
    output_file: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The HTML page.")
    ],
    rank: Annotated[
        list[int] | None,
        typer.Option("--rank", help="Show this rank; can be given more than once (IMAGE only)."),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option("--figures", metavar="DIR", help="Write the figures as PNG files, too."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a self-contained HTML report on an archive, or on one picture's SVD.

    For an archive: ledger, runs, ratio, quality, failures, worst pictures first. For a picture:
    singular values, compression factor and energy by rank, approximation beside the error.

    Examples:

        glassplate report archive/ -o report.html

        glassplate report photo.png -o svd.html --rank 100 --rank 50 --rank 10
    """
    from glassplate.flows.reports.page import write_archive_report, write_image_report
    from glassplate.pipelines.archive.deliver.file import refuse_folder

    refuse_folder(output_file)

    if Path(subject).is_file():
        written = write_image_report(subject, output_file, ranks=rank, figures=figures)
    else:
        written = write_archive_report(subject, output_file, figures=figures)
    output = output_of(context)
    for file in written:
        if output.as_json:
            output.record({"file": str(file)})
        else:
            output.message(f"wrote {one_line(str(file))}")


def demo(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Write a small collection to try things on: photographs, odd formats, and a few bad files.

    Needs scikit-image (extra `demo`), whose pictures these are.

    Example:

        glassplate demo photos/
    """
    from glassplate.flows.sample import write_sample

    output = output_of(context)
    files = write_sample(directory)
    if output.as_json:
        for file in files:
            output.record({"file": str(file)})
    else:
        output.message(f"wrote {counted(len(files), 'file')} to {one_line(str(directory))}")
