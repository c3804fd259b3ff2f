"""Signatures made from configurations, as Typer and Prefect read them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer
from prefect import flow
from prefect.exceptions import ParameterTypeError
from pydantic import BaseModel, Field
from typer.testing import CliRunner

from glassplate.codecs.errors import ConfigError
from glassplate.codecs.option import Option
from glassplate.flows.options.signature import as_command, as_flow


class Brew(BaseModel):
    """Something with an option of each kind."""

    leaves: Annotated[Path, Option("Which leaves.", name="tea", metavar="FILE")]
    colour: Annotated[Literal["green", "black"], Option("What they are.")] = "green"
    grams: Annotated[float, Option("How much."), Field(gt=0)] = 2.5
    minutes: Annotated[int | None, Option("How long.", depends=True)] = None
    milk: Annotated[bool, Option("With milk.")] = False
    pot: str = "china"


Seen = list[tuple[Brew, bool]]


def command(seen: Seen, **given: Any) -> typer.Typer:
    app = typer.Typer()

    def run(
        context: typer.Context,
        config: Brew,
        loud: Annotated[bool, typer.Option("--loud")] = False,
    ) -> None:
        assert context.info_name
        seen.append((config, loud))

    app.command("brew")(as_command(Brew, run, "Make tea.", **given))
    return app


def test_a_command_line_becomes_a_configuration() -> None:
    seen: Seen = []
    line = ["--tea", "a", "--colour", "black", "--grams", "3", "--milk", "--loud"]
    done = CliRunner().invoke(command(seen), line)
    assert done.exit_code == 0, done.output
    made = Brew(leaves=Path("a"), colour="black", grams=3, milk=True)
    assert seen == [(made, True)]


def test_help_says_what_the_fields_say() -> None:
    text = " ".join(
        CliRunner().invoke(command([]), ["--help"], env={"COLUMNS": "200"}).output.split()
    )
    for words in ("Make tea.", "--tea FILE", "Which leaves.", "green|black", "[default: 2.5]"):
        assert words in text
    assert "--pot" not in text
    assert "--minutes" in text


def test_what_is_given_is_not_asked_for_and_a_default_can_be_another() -> None:
    seen: Seen = []
    app = command(seen, defaults={"grams": 7.0}, milk=True)
    assert CliRunner().invoke(app, ["--tea", "a", "--milk"]).exit_code == 2
    assert CliRunner().invoke(app, ["--tea", "a"]).exit_code == 0
    assert seen == [(Brew(leaves=Path("a"), grams=7, milk=True), False)]


@pytest.mark.parametrize(
    ("line", "named"), [(["--grams", "0"], "--grams"), (["--colour", "red"], "--colour")]
)
def test_a_refusal_names_the_option(line: list[str], named: str) -> None:
    done = CliRunner().invoke(command([]), ["--tea", "a", *line])
    assert isinstance(done.exception, ConfigError)
    assert done.exception.subject == named


def test_a_flow_takes_json_and_checks_it() -> None:
    def brew(config: Brew) -> str:
        """Make tea."""
        return f"{config.leaves} {config.grams:g} {config.colour}"

    made: Any = flow(name="brew")(as_flow(Brew, brew))
    assert made.description == "Make tea."
    assert made.parameters.model_dump()["required"] == ["tea"]
    assert made.validate_parameters({"tea": "a", "grams": 3, "minutes": None})["grams"] == 3
    with pytest.raises(ParameterTypeError):
        made.validate_parameters({"tea": "a", "grams": "much"})
    assert made.fn(tea="a", grams=3.0, colour=None) == "a 3 green"
