"""Encoding in a process apart, so that a picture that kills the process costs its own row.

    a shard -> child -> staged
                 `-- died: each picture alone -> child -> survived | died (decode, encode)
                           the shard again, picture by picture; those that died unopened

On every runner, what the engine calls a worker asks such a child, and never opens a picture itself.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from glassplate.codecs.errors import GlassplateError
from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.encode import Death, encode_refs, encode_shard, set_up_worker
from glassplate.pipelines.compress.planning import ShardPlan, source_ref
from glassplate.pipelines.compress.records import StoredPicture
from glassplate.pipelines.compress.tiers import Tiers
from glassplate.pipelines.errors import WorkerDiedError, WorkerError
from glassplate.pipelines.jobs.child_process import Answer, Child, ChildPool, stop_children
from glassplate.pipelines.sources.places.refs import Outcome, SourceRef

logger = logging.getLogger(__name__)

_STAGES = ("decode", "encode")


@dataclass(frozen=True)
class Sampled:
    """Rows of pictures that were encoded, and bytes of their latents; seconds of work, of all
    processes together, and until the last of these was ready."""

    rows: list[ImageRow]
    latent_bytes: int
    work: float
    start_up: float


class IsolatedEncoder:
    """Stages shards by child processes, as many at a time as there are workers here."""

    def __init__(self, config: CompressConfig) -> None:
        memory = config.memory_of_worker()
        self._size = config.children()
        self._pool = ChildPool(__name__, config.model_dump_json(), memory, self._size)

    def encode(self, shard: ShardPlan) -> None:
        """Stage a shard; pictures that kill the child twice become rows of their own.

        Raises WorkerError if the child dies of the shard but of none of its pictures, or reports
        an error.
        """
        with self._pool.child() as child:
            self._encode(shard, child)

    def _encode(self, shard: ShardPlan, child: Child) -> None:
        request = {"shard": shard.to_json(), "deaths": {}, "one_by_one": False}
        if _survives(child, request):
            return
        cause = child.died_of
        deaths = {ref.uri: death for ref in shard.refs if (death := _try_alone(ref, child))}
        logger.warning(
            "a process %s; of %d pictures %d are why", cause, len(shard.refs), len(deaths)
        )
        if not _survives(child, request | {"deaths": deaths, "one_by_one": True}):
            raise WorkerError(
                f"the process that encodes it {child.died_of}, though of no picture by itself",
                "Is there enough memory? Fewer --workers have more of it.",
                shard.key,
            )

    def sample(self, refs: Sequence[SourceRef]) -> Sampled:
        """Encode references and throw it away, by as many processes at a time as a run has.

        What kills a child has no row. Raises WorkerError if one reports an error.
        """
        hands = [refs[place :: self._size] for place in range(min(self._size, len(refs)))]
        with ThreadPoolExecutor(max(1, len(hands))) as threads:
            try:
                parts = list(threads.map(self._sample_hand, hands))
            except BaseException:
                stop_children()  # an interruption would wait for them
                raise
        return Sampled(
            [row for part in parts for row in part.rows],
            sum(part.latent_bytes for part in parts),
            sum(part.work for part in parts),
            max((part.start_up for part in parts), default=0.0),
        )

    def _sample_hand(self, refs: Sequence[SourceRef]) -> Sampled:
        started = time.monotonic()
        with self._pool.child() as child:
            _ask(child, _sample_of([]))
            start_up = time.monotonic() - started
            told = _ask(child, _sample_of(refs))
            parts = [told] if told else [_ask(child, _sample_of([ref])) for ref in refs]
        done = [part for part in parts if part]
        rows = [ImageRow(**row) for part in done for row in part["rows"]]
        latent_bytes = sum(part["latent_bytes"] for part in done)
        return Sampled(rows, latent_bytes, sum(part["seconds"] for part in done), start_up)


def _sample_of(refs: Sequence[SourceRef]) -> dict[str, Any]:
    return {"sample": [asdict(ref) for ref in refs]}


def _try_alone(ref: SourceRef, child: Child) -> Death | None:
    """At which stage a picture kills the child, if it does, and its outcome.

    One that kills it although its file is only to be kept dies at `read`, and is not tried again.
    """
    if ref.outcome:
        return None
    for stage in _STAGES:
        if not _survives(child, {"stage": stage, "ref": asdict(ref)}):
            cause = f"the process that was to {stage} it {child.died_of}"
            error = WorkerDiedError(cause, "Is there enough memory? See --worker-memory.", ref.uri)
            death = stage, Outcome("failed", error.code, str(error))
            kept = {"stage": "decode", "ref": asdict(ref), "death": death}
            return death if _survives(child, kept) else ("read", death[1])
    return None


def _survives(child: Child, request: Mapping[str, Any]) -> bool:
    """Whether the child answers. Raises WorkerError if it answers with an error."""
    return _ask(child, request) is not None


def _ask(child: Child, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """What it answers; None if it died. Raises WorkerError if it answers with an error."""
    answer = child.ask(json.dumps(request))
    if answer is None:
        return None
    told: dict[str, Any] = json.loads(answer)
    if error := told.get("error"):
        raise WorkerError(error)
    return told


def greeted(config_json: str) -> Answer:
    """The child: answers what it did, or what went wrong."""
    config = CompressConfig.model_validate_json(config_json)
    stages = {"encode": set_up_worker(config), "decode": Tiers(_decoding_only(config))}

    def answer(request: str) -> str:
        try:
            return json.dumps(_do(json.loads(request), stages))
        except (GlassplateError, OSError) as error:
            return json.dumps({"error": str(error)})

    return answer


def _decoding_only(config: CompressConfig) -> CompressConfig:
    """Options with which a picture is read and decoded, and its file is kept."""
    return config.model_copy(
        update={
            "codec": "original",
            "codec_options": {},
            "weights": None,
            "latents": "none",
            "latents_weights": None,
            "rules": (),
        }
    )


def _do(request: Mapping[str, Any], stages: Mapping[str, Tiers]) -> dict[str, Any]:
    tiers = stages[request.get("stage", "encode")]
    if "ref" in request:
        ref = source_ref(request["ref"])
        death = request.get("death")
        deaths = {ref.uri: (death[0], Outcome(*death[1]))} if death else {}
        encode_refs([ref], tiers.config, tiers, deaths)
        return {}
    if "sample" in request:
        return _sample([source_ref(ref) for ref in request["sample"]], tiers)
    deaths = {uri: (stage, Outcome(*what)) for uri, (stage, what) in request["deaths"].items()}
    shard = ShardPlan.from_json(request["shard"])
    encode_shard(shard, tiers.config, tiers, deaths, one_by_one=request["one_by_one"])
    return {}


def _sample(refs: Sequence[SourceRef], tiers: Tiers) -> dict[str, Any]:
    latent_bytes = 0

    def weigh(done: StoredPicture) -> None:
        nonlocal latent_bytes
        latent_bytes += done.latent.stored_bytes if done.latent else 0

    started = time.monotonic()
    rows = [asdict(row) for row in encode_refs(refs, tiers.config, tiers, write=weigh)]
    return {"rows": rows, "latent_bytes": latent_bytes, "seconds": time.monotonic() - started}
