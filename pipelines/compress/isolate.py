"""Encoding in a process apart, so that a picture that kills the process is found and named.

    a shard -> child -> staged
                 `-- died: each picture alone -> child -> survived | died (decode, encode)
                           the shard again, those that died as failed: worker-died

Workers do this in a run's second try, after one of them died, and after a run that died itself. The
child is started once for each worker.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from glassplate.codecs.errors import GlassplateError
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.encode import Death, encode_refs, encode_shard, set_up_worker
from glassplate.pipelines.compress.planning import ShardPlan, source_ref
from glassplate.pipelines.compress.tiers import Tiers
from glassplate.pipelines.errors import WorkerDiedError, WorkerError
from glassplate.pipelines.jobs.child_process import Answer, Child, serve
from glassplate.pipelines.sources.refs import SourceRef

logger = logging.getLogger(__name__)

_STAGES = ("decode", "encode")


class IsolatedEncoder:
    """Stages shards in a child process, which is replaced when it dies."""

    def __init__(self, config: CompressConfig) -> None:
        self._child = Child(__name__, config.model_dump_json())

    def encode(self, shard: ShardPlan) -> None:
        """Stage a shard; pictures that kill the child become `failed` rows.

        Raises WorkerError if the child dies of the shard but of none of its pictures, or reports
        an error.
        """
        request = {"shard": shard.to_json(), "deaths": {}}
        if self._survives(request):
            return
        deaths = {ref.uri: death for ref in shard.refs if (death := self._try_alone(ref))}
        logger.warning("shard %.12s: a process died; %d pictures are why", shard.key, len(deaths))
        if not self._survives(request | {"deaths": deaths}):
            cause = "the process that encodes it dies, though of no picture by itself"
            raise WorkerError(
                cause, "Is there enough memory? Fewer --workers need less.", shard.key
            )

    def _try_alone(self, ref: SourceRef) -> Death | None:
        """At which stage a picture kills the child, if it does, and its outcome."""
        if ref.outcome:
            return None
        for stage in _STAGES:
            if not self._survives({"stage": stage, "ref": asdict(ref)}):
                cause = f"the process that was to {stage} it died"
                error = WorkerDiedError(
                    cause, "Is the file sound? Is there enough memory?", ref.uri
                )
                return stage, ("failed", error.code, str(error))
        return None

    def _survives(self, request: Mapping[str, Any]) -> bool:
        """Whether the child answers. Raises WorkerError if it answers with an error."""
        answer = self._child.ask(json.dumps(request))
        if answer is None:
            return False
        if error := json.loads(answer):
            raise WorkerError(error)
        return True


def _greeted(config_json: str) -> Answer:
    """The child: answers null or what went wrong."""
    config = CompressConfig.model_validate_json(config_json)
    stages = {"encode": set_up_worker(config), "decode": Tiers(_decoding_only(config))}
    return lambda request: json.dumps(_answer(json.loads(request), stages))


def _decoding_only(config: CompressConfig) -> CompressConfig:
    """Options with which a picture is read and decoded, and its file is kept."""
    return config.model_copy(update={"codec": "original", "codec_options": {}, "latents": False})


def _answer(request: Mapping[str, Any], stages: Mapping[str, Tiers]) -> str | None:
    if "ref" in request:
        tiers = stages[request["stage"]]
        encode_refs([source_ref(request["ref"])], tiers.config, tiers)
        return None
    tiers = stages["encode"]
    deaths = {uri: (stage, tuple(what)) for uri, (stage, what) in request["deaths"].items()}
    try:
        encode_shard(ShardPlan.from_json(request["shard"]), tiers.config, tiers, deaths)
    except (GlassplateError, OSError) as error:
        return str(error)
    return None


if __name__ == "__main__":
    serve(_greeted)
