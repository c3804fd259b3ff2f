"""Plans: only what is new, the same shards every time, equal files together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassplate.codecs.errors import ConfigError, DeviceError, UnknownCodecError
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.planning import (
    MAX_SHARD_BYTES,
    MAX_SHARD_INPUTS,
    RunPlan,
    ShardPlan,
    _shards,
    plan_run,
)
from glassplate.pipelines.sources.places.refs import SourceRef

sizes = st.lists(st.integers(0, MAX_SHARD_BYTES * 2), min_size=1, max_size=200)


def fill(folder: Path, contents: list[bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for number, data in enumerate(contents):
        (folder / f"{number:04}.jpg").write_bytes(data)
    return folder


def config(folder: Path, **options: object) -> CompressConfig:
    return CompressConfig.model_validate(
        {"source": str(folder), "archive": str(folder.parent / "archive"), **options}
    )


def test_plan_has_every_input_once_and_writes_nothing(tmp_path: Path) -> None:
    source = fill(tmp_path / "source", [bytes([i]) for i in range(30)])
    plan = plan_run(config(source))
    names = [ref.name for shard in plan.shards for ref in shard.refs]
    assert sorted(names) == [f"{i:04}.jpg" for i in range(30)]
    assert (plan.inputs, plan.new_inputs, plan.unchanged, plan.base) == (30, 30, 0, None)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_shard_keys_depend_on_what_decides_the_bytes(tmp_path: Path) -> None:
    source = fill(tmp_path / "source", [b"a", b"bb"])

    def keys(**options: object) -> list[str]:
        return [shard.key for shard in plan_run(config(source, **options)).shards]

    assert keys() == keys(workers=7, max_failures=0.5, retry_failed=True)
    assert keys() != keys(target={"quality": 50})
    assert keys() != keys(codec_options={"tile_size": 512})
    assert keys() != keys(codec="jpeg")
    before = keys()
    (source / "0000.jpg").write_bytes(b"ccc")
    assert keys() != before


def test_equal_files_lie_in_one_shard(tmp_path: Path) -> None:
    contents = [b"%04d" % (i % 25) for i in range(50)]
    plan = plan_run(config(fill(tmp_path / "source", contents)))
    assert len(plan.shards) > 3
    for shard in plan.shards:
        inside = {contents[int(ref.name[:4])] for ref in shard.refs}
        assert len(shard.refs) == 2 * len(inside)


@given(sizes)
def test_shards_are_bounded_and_lose_nothing(sizes: list[int]) -> None:
    refs = [SourceRef(f"file:///{i}", f"/{i}", str(i), "v", size) for i, size in enumerate(sizes)]
    shards = list(_shards([[ref] for ref in refs], "seed"))
    assert [ref for shard in shards for ref in shard.refs] == refs
    for shard in shards:
        assert len(shard.refs) <= MAX_SHARD_INPUTS
        assert len(shard.refs) == 1 or shard.source_bytes <= MAX_SHARD_BYTES


def test_plans_survive_json_with_names_that_are_not_utf8(tmp_path: Path) -> None:
    source = fill(tmp_path / "source", [b"x"])
    (source / "caf\udce9.jpg").write_bytes(b"y")
    plan = plan_run(config(source, target={"psnr": 38}))
    text = plan.to_json()
    assert text.isascii()
    assert json.loads(text)["run_id"] == plan.run_id
    assert RunPlan.from_json(text) == plan
    shard = plan.shards[0]
    assert ShardPlan.from_json(shard.to_json()) == shard


def test_bad_options_are_found_before_anything_is_read(tmp_path: Path) -> None:
    source = fill(tmp_path / "source", [b"x"])
    with pytest.raises(UnknownCodecError):
        plan_run(config(source, codec="nosuch"))
    with pytest.raises(ConfigError):
        plan_run(config(source, codec_options={"nosuch": 1}))


@pytest.mark.parametrize("codec", ["svd", "jxl"])
def test_missing_gpu_is_found_at_planning(tmp_path: Path, codec: str) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(DeviceError):
        plan_run(config(fill(tmp_path / "source", [b"x"]), codec=codec, device="cuda"))
