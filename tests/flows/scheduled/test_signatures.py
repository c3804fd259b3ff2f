"""The options of a run stand in several signatures, of commands and a flow. They stay the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from glassplate.codecs.training.trainers import TRAINERS
from glassplate.flows.cli.compress import compress, plan
from glassplate.flows.cli.retrieve import retrieve
from glassplate.flows.cli.train import train, train_refiner
from glassplate.flows.options.common import compress_config
from glassplate.flows.scheduled.compress import compress_archive, flow_parameters
from glassplate.flows.scheduled.retrieve import retrieve_images
from glassplate.flows.scheduled.train import train_codec
from glassplate.flows.scheduled.train_refiner import train_refiner as train_refiner_flow
from glassplate.pipelines.compress.config import CompressConfig

IN_THE_PLURAL = {"codec_option": "codec_options", "plugin": "plugins", "verify": "verify_fraction"}
IN_THE_PLURAL |= {"runner_option": "runner_options", "measure": "measures"}
OF_THE_TERMINAL = {"context", "as_json", "no_progress", "dry_run", "flow"}
OF_THE_JOB = {"max_failures", "verify_fraction", "measures", "latents", "runner", "runner_options"}
CONFIG = CompressConfig(source="photos", archive="archive")


def defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """Parameter -> default, by the names of the flow, without what is about the terminal."""
    parameters = inspect.signature(function).parameters.values()
    named = {IN_THE_PLURAL.get(p.name, p.name): p.default for p in parameters}
    return {name: value for name, value in named.items() if name not in OF_THE_TERMINAL}


@pytest.mark.parametrize(
    ("command", "flow"),
    [(train, train_codec), (train_refiner, train_refiner_flow), (retrieve, retrieve_images)],
)
def test_command_and_flow_have_the_same_options(command: Callable[..., Any], flow: Any) -> None:
    of_the_flow = defaults(flow.fn)
    if command is train:  # each kind has a command of its own
        assert of_the_flow.pop("kind") in TRAINERS
    assert defaults(command) == of_the_flow


def test_commands_and_flow_of_a_run_have_the_same_options() -> None:
    assert defaults(compress).keys() == defaults(compress_archive.fn).keys()
    assert flow_parameters(CONFIG).keys() == defaults(compress_archive.fn).keys()


def test_a_plan_takes_what_decides_the_work() -> None:
    assert defaults(plan).keys() == defaults(compress).keys() - OF_THE_JOB


@pytest.mark.parametrize("function", [compress, plan, compress_archive.fn])
def test_defaults_are_those_of_the_configuration(function: Callable[..., Any]) -> None:
    given = defaults(function) | {"source": "photos", "archive": "archive"}
    empty = {"codec_options": {}, "plugins": (), "include": (), "exclude": ()}
    assert all(given[name] is None for name in empty)  # each caller makes them empty
    assert compress_config(**given | empty) == CONFIG
