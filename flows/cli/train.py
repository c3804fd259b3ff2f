"""`glassplate train KIND`: one command for each entry of the registry of trainers."""

from __future__ import annotations

import typer

from glassplate.codecs.training.trainers import TRAINERS
from glassplate.flows.cli.training_run import run_training
from glassplate.flows.options.signature import as_command
from glassplate.flows.terminal.command import Command

app = typer.Typer(name="train", no_args_is_help=True)


@app.callback()
def about() -> None:
    """Train a model, or fine-tune a shipped one on a collection of your own."""


_HELP = """{summary}

Ctrl-C leaves a checkpoint; the same command goes on from it, with more --minutes, too. How it goes,
losses and samples over time, is in training.html.

Examples:

    glassplate train {kind} --data photos/ --out mine/ --minutes 90

    glassplate train {kind} --data 's3://bucket/*.tar' --out mine/ {example} --minutes 10
"""

for _kind, _trainer in TRAINERS.items():
    _help = _HELP.format(kind=_kind, summary=_trainer.summary, example=_trainer.example)
    app.command(_kind, cls=Command)(as_command(_trainer.options(), run_training, _help, kind=_kind))
