"""Whole runs in this process, without Beam: for tests of what a run makes of many changes."""

from __future__ import annotations

from glassplate.pipelines.archive.format.identity import create_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.encode import encode_shard
from glassplate.pipelines.compress.planning import RunPlan
from glassplate.pipelines.compress.run import commit_plan, plan_run, run_ledger, verify_run
from glassplate.pipelines.compress.tiers import Tiers
from glassplate.pipelines.storage.store import Store


def run_here(config: CompressConfig) -> RunPlan:
    """Plan, encode, verify and commit; the ledger is checked on the way."""
    plan = RunPlan.from_json(plan_run(config).to_json())
    create_archive(Store(config.archive))
    tiers = Tiers(config)
    for shard in plan.shards:
        encode_shard(shard, config, tiers)
    staged = verify_run(plan)
    assert run_ledger(plan, staged).inputs == plan.inputs
    commit_plan(plan, staged)
    return plan
