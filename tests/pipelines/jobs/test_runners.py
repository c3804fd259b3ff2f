"""What each runner's adapter tells Beam, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from glassplate.codecs.errors import MissingExtraError
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.jobs import run_job
from glassplate.pipelines.compress.work import EncodeWork
from glassplate.pipelines.jobs.beam import beam
from glassplate.pipelines.jobs.gpus import share_of
from glassplate.pipelines.jobs.runners import RUNNERS, DataflowRunner
from glassplate.pipelines.jobs.step import DoShards

from apache_beam.options.pipeline_options import PipelineOptions  # isort: skip

assert run_job

DATAFLOW = {"project": "p", "region": "r", "temp_location": "gs://b/t", "image": "i"}
NEEDED: dict[str, dict[str, Any]] = {
    "local": {},
    "dask": {"address": "tcp://host:8786"},
    "portable": {"job_endpoint": "host:8099"},
    "flink": {"master": "host:8081"},
    "spark": {"master": "spark://host:7077"},
    "dataflow": DATAFLOW,
}
IN_BEAMS_WORDS: dict[str, dict[str, Any]] = {
    "dask": {"address": "tcp://host:8786", "partition_size": 1, "timeout": 30},
    "portable": {"job_endpoint": "host:8099", "environment_type": "EXTERNAL"},
    "flink": {"flink_master": "host:8081", "environment_config": "localhost:50000"},
    "spark": {"spark_master_url": "spark://host:7077", "sdk_worker_parallelism": "1"},
}


def config(name: str, **options: Any) -> CompressConfig:
    runner = {"name": name, **NEEDED[name], **options}
    return CompressConfig.model_validate({"source": "a", "archive": "b", "runner": runner})


@pytest.mark.parametrize("name", sorted(RUNNERS))
def test_options_survive_json(name: str) -> None:
    made = config(name)
    assert made.runner.name == name
    assert CompressConfig.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize("name", sorted(RUNNERS))
def test_unknown_options_are_errors(name: str) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        config(name, adress="tcp://host:8786")


@pytest.mark.parametrize("name", sorted(set(RUNNERS) - {"local"}))
def test_every_option_is_explained(name: str) -> None:
    fields = RUNNERS[name].model_fields
    assert [key for key, field in fields.items() if not field.description] == ["name"]
    assert RUNNERS[name].summary


@pytest.mark.parametrize(("name", "said"), IN_BEAMS_WORDS.items(), ids=IN_BEAMS_WORDS.keys())
def test_beam_understands(name: str, said: dict[str, Any]) -> None:
    options = config(name).runner.options()
    beam.Pipeline(options=options)  # imports the runner, and with it its options
    known = options.get_all_options()
    assert said.items() <= known.items()
    assert known["number_of_worker_harness_threads"] in (1, None)


def test_the_runner_does_not_decide_the_bytes() -> None:
    assert config("dask").encode_fingerprint() == config("local").encode_fingerprint()


def test_dataflow_needs_its_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"glassplate\[dataflow\]"):
        config("dataflow").runner.options()


def test_dataflow_asks_for_a_gpu_where_it_encodes() -> None:
    runner = DataflowRunner(**DATAFLOW, accelerator="nvidia-l4", min_ram="32GB")
    pipeline = beam.Pipeline(runner="DirectRunner", options=PipelineOptions([]))
    work = EncodeWork("archive", "plan", config("local").model_dump_json())
    encode = DoShards(work).with_resource_hints(**runner.resource_hints)
    _ = pipeline | "Places" >> beam.Create([(0, 1)]) | "Encode" >> encode
    components = pipeline.to_runner_api().components
    hinted = {
        name: sorted(components.environments[step.environment_id].resource_hints)
        for name, step in components.transforms.items()
        if step.environment_id
    }
    by_place = {components.transforms[name].unique_name: hints for name, hints in hinted.items()}
    encoding = next(hints for name, hints in by_place.items() if "_DoShard" in name)
    assert encoding == ["beam:resources:accelerator:v1", "beam:resources:min_ram_bytes:v1"]
    assert all(not hints for name, hints in by_place.items() if name.startswith("Places"))


def test_gpus_are_shared_out() -> None:
    assert [share_of(n, ("2", "3")) for n in range(7, 11)] == ["3", "2", "3", "2"]
