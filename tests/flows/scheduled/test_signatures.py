"""What commands and flows ask for: deployments out there name it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
from prefect.exceptions import ParameterTypeError

from glassplate.codecs.errors import ConfigError
from glassplate.codecs.refine.options import RefineOptions
from glassplate.codecs.restore.options import RestoreOptions
from glassplate.codecs.training.trainers import TRAINERS
from glassplate.flows.cli.compress import compress, plan
from glassplate.flows.cli.retrieve import retrieve
from glassplate.flows.cli.train import app
from glassplate.flows.options.values import config_of, values_of
from glassplate.flows.scheduled.compress import compress_archive
from glassplate.flows.scheduled.retrieve import retrieve_images
from glassplate.flows.scheduled.train import train_codec
from glassplate.flows.scheduled.train_refiner import train_refiner
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.retrieve.config import RetrieveConfig

IN_THE_PLURAL = {"runner_option": "runner_options"}
OF_THE_TERMINAL = {"context", "as_json", "no_progress", "dry_run", "flow"}
OF_THE_JOB = {"max_failures", "verify_fraction", "measures", "runner", "runner_options"}
CONFIG = CompressConfig(source="photos", archive="archive")


def defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """Parameter -> default, by the names of the flow, without what is about the terminal."""
    parameters = inspect.signature(function).parameters.values()
    named = {IN_THE_PLURAL.get(p.name, p.name): p.default for p in parameters}
    return {name: value for name, value in named.items() if name not in OF_THE_TERMINAL}


OF_TRAINING: dict[str, Any] = {
    "data": inspect.Parameter.empty,
    "out": inspect.Parameter.empty,
    "size": None,
    "minutes": None,
    "steps": None,
    "start": None,
    "batch": None,
    "crop": 128,
    "learning_rate": None,
    "max_crops": 10_000,
    "licence": "",
    "seed": 0,
    "device": "auto",
}
OF_REFINERS = {
    "kind": "flow",
    "codec_weights": None,
    "shift": 0.1,
    "max_noise": 100.0,
    "perceptual": 0.0,
}
OF_THE_EYE = {"ms_ssim": 0.0, "ssimulacra2": 0.0, "crop": None}
OF_RESTORERS = {"task": "denoise", "noise": "all"}


def command_of(kind: str) -> Callable[..., Any]:
    (found,) = (c.callback for c in app.registered_commands if c.name == kind)
    assert found
    return found


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (command_of("vae"), OF_TRAINING),
        (command_of("hyperprior"), OF_TRAINING | OF_THE_EYE),
        (command_of("refiner"), OF_TRAINING | OF_REFINERS),
        (command_of("restorer"), OF_TRAINING | OF_RESTORERS),
        (train_codec.fn, OF_TRAINING | {"kind": "hyperprior"}),
        (train_refiner.fn, OF_TRAINING | OF_REFINERS),
    ],
)
def test_commands_and_flows_ask_for_what_deployments_name(
    function: Callable[..., Any], wanted: dict[str, Any]
) -> None:
    assert defaults(function) == wanted


def test_every_kind_is_a_command() -> None:
    assert {command.name for command in app.registered_commands} == TRAINERS.keys()


@pytest.mark.parametrize("flow", [train_codec, train_refiner])
def test_a_deployment_may_say_none_for_what_has_a_default(flow: Any) -> None:
    parameters = {name: None for name, value in defaults(flow.fn).items() if value is not None}
    given = flow.validate_parameters(parameters | {"data": "photos", "out": "mine"})
    assert given["data"] == "photos"
    with pytest.raises(ParameterTypeError):
        flow.validate_parameters({"data": "photos", "out": "mine", "seed": "many"})


OF_A_RETRIEVAL: dict[str, Any] = {
    "archive": inspect.Parameter.empty,
    "out": inspect.Parameter.empty,
    "where": None,
    "snapshot": None,
    "format": None,
    "lossy": False,
    "max_pixels": 200_000_000,
    "refine": None,
    "sampler": None,
    "steps": None,
    "strength": 1.0,
    "seed": 0,
    "refiner_weights": None,
    "denoise": None,
    "upscale": None,
    "restorer_weights": None,
    "retry_failed": False,
    "workers": None,
    "worker_memory": None,
    "runner": "local",
    "runner_options": None,
    "device": "auto",
}


@pytest.mark.parametrize("function", [retrieve, retrieve_images.fn])
def test_command_and_flow_of_a_retrieval_ask_for_what_deployments_name(
    function: Callable[..., Any],
) -> None:
    assert defaults(function) == OF_A_RETRIEVAL


@pytest.mark.parametrize(
    ("said", "refine", "restore"),
    [
        ({}, None, None),
        ({"refine": "none", "denoise": False, "strength": 1.0, "seed": 0}, None, None),
        ({"refine": "flow", "steps": 2}, RefineOptions(kind="flow", steps=2), None),
        ({"refine": "none", "denoise": True}, None, RestoreOptions()),
        ({"denoise": False, "upscale": 2}, None, RestoreOptions(scale=2)),
    ],
)
def test_what_a_retrieval_does_to_pictures_is_there_if_it_is_asked_for(
    said: dict[str, Any], refine: RefineOptions | None, restore: RestoreOptions | None
) -> None:
    given = retrieve_images.validate_parameters({"archive": "archive", "out": "out"} | said)
    config = config_of(RetrieveConfig, **given)
    assert (config.refine, config.restore) == (refine, restore)
    assert config_of(RetrieveConfig, **values_of(config)) == config


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"strength": 0.5}, "--strength: goes with --refine only"),
        ({"restorer_weights": "mine"}, "--restorer-weights: goes with --denoise or --upscale only"),
        ({"refine": "flow", "denoise": True}, "--refine / --denoise / --upscale"),
        ({"refine": "gan", "steps": 2}, "--steps: a gan has one step"),
        ({"denoise": True, "upscale": 2}, "--denoise / --upscale: one at a time"),
    ],
)
def test_what_does_not_go_together_is_named(said: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(named)):
        config_of(RetrieveConfig, archive="archive", out="out", **said)


def test_a_plan_takes_what_decides_the_work() -> None:
    assert defaults(plan).keys() == defaults(compress).keys() - OF_THE_JOB


OF_A_RUN: dict[str, Any] = {
    "source": inspect.Parameter.empty,
    "archive": inspect.Parameter.empty,
    "include": None,
    "exclude": None,
    "preset": None,
    "codec": None,
    "codec_options": None,
    "weights": None,
    "rules": None,
    "quality": None,
    "target_psnr": None,
    "target_ms_ssim": None,
    "target_ssimulacra2": None,
    "max_bpp": None,
    "workers": None,
    "worker_memory": None,
    "runner": "local",
    "runner_options": None,
    "device": "auto",
    "retry_failed": False,
    "reencode": False,
    "max_failures": None,
    "max_pixels": 200_000_000,
    "damaged": "keep",
    "verify_fraction": "100%",
    "measures": "ms-ssim,ssimulacra2",
    "latents": "embedding",
    "latents_weights": None,
    "plugins": None,
}


@pytest.mark.parametrize("function", [compress, compress_archive.fn])
def test_command_and_flow_of_a_run_ask_for_what_deployments_name(
    function: Callable[..., Any],
) -> None:
    assert defaults(function) == OF_A_RUN


@pytest.mark.parametrize(("named", "meant"), [(True, "embedding"), (False, "none"), ("vae", "vae")])
def test_deployments_may_name_latents_as_they_did(named: bool | str, meant: str) -> None:
    given = compress_archive.validate_parameters({"source": "a", "archive": "b", "latents": named})
    assert config_of(CompressConfig, **given).latents == meant


def test_a_run_as_a_flow_has_the_options_of_the_command() -> None:
    given = {"codec_options": {"effort": 3}, "runner_options": {"address": "tcp://host:8786"}}
    config = config_of(
        CompressConfig,
        source=["photos", "scans"],
        archive="archive",
        target_psnr=38,
        runner="dask",
        codec="avif",
        verify_fraction="5%",
        include=["*.tif"],
        **given,
    )
    assert config.target.psnr == 38
    assert config.verify_fraction == 0.05
    parameters = compress_archive.validate_parameters(values_of(config))
    assert config_of(CompressConfig, **parameters) == config
    assert values_of(config).keys() == OF_A_RUN.keys()
    assert config_of(CompressConfig, source="photos", archive="archive") == CONFIG
