"""Stages of a run can be repeated, as a scheduler with retries does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glassplate.pipelines import open_archive
from glassplate.pipelines.compress.run import commit_plan, encode_run, plan_run, verify_run


def test_commit_can_be_repeated(source: Path, configure: Any) -> None:
    config = configure()
    plan = plan_run(config)
    encode_run(plan)
    staged = verify_run(plan)
    first = commit_plan(plan, staged)
    assert commit_plan(plan, staged) == first
    assert open_archive(config.archive).snapshots() == [1]
