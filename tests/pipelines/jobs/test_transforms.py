"""Beam transforms keep to what every engine does.

On Dask (Beam 2.77) tagged outputs, Partition, what finish_bundle emits and the rest of
BatchElements are lost or go astray in silence, and the job ends as done.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from glassplate.pipelines.compress.work import CheckWork
from glassplate.pipelines.jobs.beam import beam
from glassplate.pipelines.jobs.step import DoShards

ROOT = Path(__file__).parents[3]
LOSSY = {
    *("TaggedOutput", "with_outputs", "OutputValue", "Partition", "BatchElements"),
    *("finish_bundle", "GroupIntoBatches", "RunInference"),
}
MODULES = [
    path for floor in ("codecs", "pipelines", "flows") for path in (ROOT / floor).rglob("*.py")
]


def lossy_names(source: str) -> Iterator[str]:
    """What a module uses or defines of them, as a name, an attribute, an import or a method."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                used = name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                used = name
            case _:
                continue
        if used.rpartition(".")[2] in LOSSY:
            yield used


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_used_that_engines_lose(module: Path) -> None:
    assert not list(lossy_names(module.read_text()))


@pytest.mark.parametrize(
    "line",
    [
        "yield beam.pvalue.TaggedOutput('bad', 1)",
        "beam.ParDo(step).with_outputs('bad', main='good')",
        "values | beam.Partition(which, 2)",
        "from apache_beam.transforms.util import BatchElements",
        "class Step:\n    def finish_bundle(self): ...",
        "from apache_beam.ml.inference import RunInference as infer",
    ],
)
def test_the_guard_sees_them(line: str) -> None:
    assert list(lossy_names(line))


def test_the_one_transform_has_one_output_and_no_state() -> None:
    pipeline = beam.Pipeline(runner="DirectRunner")
    _ = pipeline | beam.Create([(0, 1)]) | DoShards(CheckWork("folder", "plan", "checked"))
    steps = pipeline.to_runner_api().components.transforms.values()
    assert all(len(step.outputs) <= 1 for step in steps)
    payloads = [s.spec.payload for s in steps if s.spec.urn == "beam:transform:pardo:v1"]
    assert payloads
    for payload in payloads:
        parsed = beam.portability.api.beam_runner_api_pb2.ParDoPayload.FromString(payload)
        assert not parsed.requests_finalization
        assert not parsed.state_specs
        assert not parsed.timer_family_specs
