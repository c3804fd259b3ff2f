"""Whole runs: what is in the archive afterwards, whatever happened on the way."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import odd_inputs
import pytest
from PIL import Image
from unprivileged import unprivileged

from glassplate.codecs import Region
from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.format.manifest import Snapshot
from glassplate.pipelines.archive.format.schema import ImageRow
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.estimate import Density, estimate
from glassplate.pipelines.compress.run import (
    RunResult,
    commit_plan,
    compress,
    encode_run,
    plan_run,
    verify_run,
)
from glassplate.pipelines.errors import (
    ArchiveError,
    CommitConflictError,
    SourceError,
    TooManyFailuresError,
)
from glassplate.pipelines.jobs.progress import Progress
from glassplate.pipelines.sources.places.refs import SourceRef

Row = dict[str, Any]


def rows_of(config: CompressConfig) -> dict[str, Row]:
    """The newest row of every source, by name."""
    return {row["name"]: row for row in open_archive(config.archive).where("true").to_pylist()}


def counts(result: RunResult) -> tuple[int, int, int, int]:
    ledger = result.ledger
    return ledger.encoded, ledger.kept, ledger.skipped, ledger.failed


def trigger(path: Path) -> None:
    """The picture at which a mischievous codec acts."""
    Image.fromarray(np.full((96, 128, 3), 77, np.uint8)).save(path)


def pixels(path: Path) -> Any:
    with Image.open(path) as image:
        return np.array(image)


def test_pictures_come_back(source: Path, configure: Any) -> None:
    result = compress(configure())
    assert counts(result) == (20, 0, 0, 0)
    archive = open_archive(configure().archive)
    for path in source.iterdir():
        assert np.array_equal(np.asarray(archive.get(path.name)), pixels(path))
        image_id = hashlib.sha256(path.read_bytes()).hexdigest()
        assert np.array_equal(np.asarray(archive.get(image_id)), pixels(path))
    for row in rows_of(configure()).values():
        assert row["status"] == "encoded"
        assert row["verified"]
        assert row["psnr"] == float("inf")
        assert 0 < row["bpp"] < 24
        assert row["stored_bytes"] < row["source_bytes"]


def test_second_run_does_only_what_is_new(source: Path, configure: Any) -> None:
    compress(configure())
    again = compress(configure())
    assert (again.snapshot, again.ledger.unchanged, again.ledger.inputs) == (None, 20, 20)
    assert again.ledger.adds_up()
    odd_inputs.photo(40, 32).save(source / "00.bmp")
    odd_inputs.photo(41, 32).save(source / "new.bmp")
    (source / "01.bmp").unlink()
    more = compress(configure())
    assert counts(more) == (2, 0, 18, 0)
    assert more.snapshot
    assert more.snapshot.number == 2
    archive = open_archive(configure().archive)
    assert archive.get("00.bmp").size == (40, 32)
    assert archive.get("new.bmp").size == (41, 32)
    assert archive.get("01.bmp").size == (48, 32)  # gone from the source, not from the archive


def test_failed_inputs_are_tried_again_on_request(source: Path, configure: Any) -> None:
    trigger(source / "t.bmp")
    first = compress(configure("raise"))
    assert counts(first) == (20, 1, 0, 0)
    row = rows_of(configure())["t.bmp"]
    assert (row["status"], row["reason"]) == ("kept", "internal")
    assert (row["error_stage"], row["error_code"]) == ("encode", "internal")
    assert "ZeroDivisionError: mischief" in row["error_message"]
    assert compress(configure()).snapshot is None
    retried = compress(configure(retry_failed=True))
    assert counts(retried) == (1, 0, 20, 0)
    assert rows_of(configure())["t.bmp"]["status"] == "encoded"


def test_picture_that_does_not_come_back_is_kept_and_many_stop_the_run(
    source: Path, configure: Any
) -> None:
    with pytest.raises(TooManyFailuresError, match="bitstream-damaged: 20"):
        compress(configure("transpose"))
    assert not list(Path(configure().archive).glob("_manifests/*.json"))
    result = compress(configure("transpose", max_failures=1))
    assert counts(result) == (0, 20, 0, 0)
    rows = rows_of(configure()).values()
    assert {(row["reason"], row["error_stage"]) for row in rows} == {("verify-failed", "verify")}


def test_alpha_has_to_come_back_exactly(tmp_path: Path, configure: Any) -> None:
    source = tmp_path / "source"
    source.mkdir()
    odd_inputs.with_alpha().save(source / "alpha.tif")
    result = compress(configure("blend"))
    assert counts(result) == (0, 1, 0, 0)
    assert "another alpha came back" in rows_of(configure())["alpha.tif"]["error_message"]


def test_failure_gate_counts_new_inputs_only(source: Path, configure: Any) -> None:
    compress(configure())
    for number in range(3):
        (source / f"bad{number}.jpg").write_bytes(b"no picture %d" % number)
    odd_inputs.photo(50, 32).save(source / "good.bmp")
    with pytest.raises(TooManyFailuresError, match="3 of 4 new inputs failed or are damaged"):
        compress(configure(max_failures="50%"))
    assert "good.bmp" not in rows_of(configure())
    assert counts(compress(configure(max_failures="75%"))) == (1, 0, 20, 3)


def test_one_bad_file_tonight_is_a_row(source: Path, configure: Any) -> None:
    compress(configure())
    (source / "bad.jpg").write_bytes(b"no picture")
    assert counts(compress(configure())) == (0, 0, 20, 1)


def test_picture_that_the_codec_cannot_encode_is_kept(source: Path, configure: Any) -> None:
    trigger(source / "t.bmp")
    assert counts(compress(configure("give_up"))) == (20, 1, 0, 0)
    (row,) = (row for row in rows_of(configure()).values() if row["status"] == "kept")
    assert row["reason"] == "encode-failed"


def test_duplicates_are_stored_once(source: Path, configure: Any) -> None:
    (source / "z-twin.bmp").write_bytes((source / "05.bmp").read_bytes())
    assert counts(compress(configure())) == (20, 0, 1, 0)
    (source / "late-twin.bmp").write_bytes((source / "05.bmp").read_bytes())
    assert counts(compress(configure())) == (0, 0, 22, 0)
    rows = rows_of(configure())
    archive = open_archive(configure().archive)
    assert archive.bitstreams().count_rows() == 20
    for name in ("z-twin.bmp", "late-twin.bmp"):
        assert (rows[name]["status"], rows[name]["reason"]) == ("skipped", "duplicate")
        assert rows[name]["image_id"] == rows["05.bmp"]["image_id"]
        assert np.array_equal(np.asarray(archive.get(name)), pixels(source / "05.bmp"))


def test_twins_of_a_bad_file_fail_too(source: Path, configure: Any) -> None:
    for name in ("bad.jpg", "twin.jpg"):
        (source / name).write_bytes(b"no picture")
    assert counts(compress(configure())) == (20, 0, 0, 2)
    rows = rows_of(configure())
    assert rows["twin.jpg"]["error_code"] == rows["bad.jpg"]["error_code"] == "not-an-image"


@pytest.mark.parametrize(("do", "code"), [("delete", "vanished"), ("change", "changed-during-run")])
def test_file_that_goes_away_during_the_run(
    source: Path, configure: Any, do: str, code: str
) -> None:
    trigger(source / "00-trigger.bmp")
    victim = source / "zz-victim.bmp"
    odd_inputs.photo(100, 90).save(victim)
    config = configure(do, str(victim))
    plan = plan_run(config)
    first = max(plan.shards, key=lambda shard: shard.source_bytes)
    names = {ref.name for ref in first.refs}
    assert "00-trigger.bmp" in names
    assert victim.name not in names
    assert counts(compress(config)) == (21, 0, 0, 1)
    row = rows_of(configure())[victim.name]
    assert (row["status"], row["error_stage"], row["error_code"]) == ("failed", "read", code)
    if do == "change":  # a new version: it needs no --retry-failed
        assert counts(compress(configure())) == (1, 0, 21, 0)


def test_unreadable_file_and_folder(tmp_path: Path, source: Path, configure: Any) -> None:
    (source / "03.bmp").chmod(0)
    (source / "closed").mkdir(mode=0)
    with unprivileged(tmp_path):
        assert counts(compress(configure())) == (19, 0, 0, 2)
        rows = rows_of(configure())
    assert (rows["03.bmp"]["error_stage"], rows["03.bmp"]["error_code"]) == ("read", "unreadable")
    assert (rows["closed"]["error_stage"], rows["closed"]["error_code"]) == ("list", "unreadable")
    (source / "03.bmp").chmod(0o644)
    assert rows_of(configure(retry_failed=True))["03.bmp"]["status"] == "failed"
    assert counts(compress(configure(retry_failed=True)))[0] == 1


@pytest.mark.slow
def test_same_inputs_give_the_same_files(tmp_path: Path, source: Path, configure: Any) -> None:
    def files(name: str, workers: int) -> dict[str, bytes]:
        archive = tmp_path / name
        compress(configure(archive=str(archive), workers=workers))
        found = [path for path in archive.rglob("run=*/*") if path.parent.parent.name != "_index"]
        return {f"{p.parent.parent.name}/{p.name}": p.read_bytes() for p in found}

    one, two = files("one", 1), files("two", 2)
    assert len(one) == 9
    assert one == two


def test_nothing_smaller_is_kept_bit_exactly(tmp_path: Path, configure: Any) -> None:
    source = tmp_path / "source"
    source.mkdir()
    data = odd_inputs.save(odd_inputs.photo(), "JPEG", quality=20)
    (source / "small.jpg").write_bytes(data)
    assert counts(compress(configure())) == (0, 1, 0, 0)
    row = rows_of(configure())["small.jpg"]
    assert (row["reason"], row["bit_exact"]) == ("not-smaller", True)
    assert row["stored_bytes"] <= len(data) + 200  # JPEG XL's transcode of it is larger
    assert open_archive(configure().archive).original("small.jpg") == (data, ".jpg")


@pytest.mark.parametrize(
    ("target", "status"),
    [({"psnr": 40}, "encoded"), ({"max_bpp": 0.001}, "kept"), ({"quality": 30}, "encoded")],
)
def test_targets(source: Path, configure: Any, target: dict[str, float], status: str) -> None:
    config = configure(codec="jxl", codec_options={"effort": 3}, target=target)
    compress(config)
    for row in rows_of(config).values():
        assert row["status"] == status
        assert row["reason"] == (None if status == "encoded" else "target-missed")
        assert row["psnr"] >= target.get("psnr", 0)


def test_ms_ssim_target(tmp_path: Path, configure: Any) -> None:
    """Reached by the cheapest quality; a picture too small to have an MS-SSIM is kept."""
    source = tmp_path / "source"
    source.mkdir()
    odd_inputs.photo(192, 170).save(source / "large.bmp")
    odd_inputs.photo(192, 160).save(source / "small.bmp")
    config = configure(codec="jpeg", codec_options={}, target={"ms_ssim": 0.97})
    assert counts(compress(config)) == (1, 1, 0, 0)
    rows = rows_of(config)
    assert 0.97 <= rows["large.bmp"]["ms_ssim"] < 0.98
    assert rows["small.bmp"]["reason"] == "target-missed"
    assert {row["target"] for row in rows.values()} == {"ms_ssim=0.97"}


def test_ssimulacra2_target(tmp_path: Path, configure: Any) -> None:
    source = tmp_path / "source"
    source.mkdir()
    odd_inputs.photo(192, 170).save(source / "large.bmp")
    odd_inputs.photo(7, 80).save(source / "small.bmp")
    config = configure(codec="jpeg", codec_options={}, target={"ssimulacra2": 72}, measures=())
    compress(config)
    rows = rows_of(config)
    assert 72 <= rows["large.bmp"]["ssimulacra2"] < 73
    assert rows["large.bmp"]["ms_ssim"] is None  # not asked for
    assert (rows["small.bmp"]["status"], rows["small.bmp"]["reason"]) == ("kept", "target-missed")
    assert rows["small.bmp"]["ssimulacra2"] == 100


def test_measures_that_are_not_asked_for_are_not_taken(source: Path, configure: Any) -> None:
    compress(configure(codec="jpeg", codec_options={}, measures="ssimulacra2"))
    rows = [row for row in rows_of(configure()).values() if not row["bit_exact"]]
    assert rows
    for row in rows:
        assert row["ms_ssim"] is None
        assert row["psnr"] is not None
        assert row["ssimulacra2"] <= 100


def test_verification_can_be_sampled(source: Path, configure: Any) -> None:
    compress(configure(verify_fraction=0.5))
    rows = rows_of(configure()).values()
    verified = {row["image_id"] for row in rows if row["verified"]}
    assert verified == {row["image_id"] for row in rows if row["image_id"] < "8"}
    assert all((row["psnr"] is None) != row["verified"] for row in rows)
    assert 0 < len(verified) < 20


def test_file_codec_can_be_asked_for(source: Path, configure: Any) -> None:
    config = configure(codec="original", codec_options={})
    assert counts(compress(config)) == (20, 0, 0, 0)
    archive = open_archive(config.archive)
    assert archive.original("07.bmp") == ((source / "07.bmp").read_bytes(), ".bmp")


def test_interrupted_work_is_not_done_again(source: Path, configure: Any) -> None:
    plan = plan_run(configure())
    encode_run(plan)
    staged = Path(configure().archive) / "_staging"
    before = {path: path.stat().st_mtime_ns for path in staged.rglob("*.parquet")}
    (staged / plan.shards[0].key / "done.json").unlink()
    encode_run(plan_run(configure()))
    after = {path: path.stat().st_mtime_ns for path in staged.rglob("*.parquet")}
    assert before.keys() == after.keys()
    redone = {path.parent.name for path in before if before[path] != after[path]}
    assert redone == {plan.shards[0].key}


def test_staged_damage_is_found_before_the_commit(source: Path, configure: Any) -> None:
    plan = plan_run(configure())
    encode_run(plan)
    file = Path(configure().archive) / "_staging" / plan.shards[1].key / "bitstreams.parquet"
    file.write_bytes(odd_inputs.flip(file.read_bytes(), 400))
    with pytest.raises(ArchiveError, match="missing or damaged"):
        verify_run(plan)
    encode_run(plan)
    assert commit_plan(plan, verify_run(plan))


def test_second_writer_fails_and_can_go_on(source: Path, configure: Any) -> None:
    slow = plan_run(configure())
    compress(configure())
    encode_run(slow)
    with pytest.raises(CommitConflictError):
        verify_run(slow)
    assert compress(configure()).snapshot is None
    assert len(rows_of(configure())) == 20


def test_progress_adds_up(source: Path, configure: Any) -> None:
    seen: list[Progress] = []
    compress(configure(), seen.append)
    assert (seen[0].done, seen[0].total, seen[0].ratio, seen[0].eta) == (0, 20, None, None)
    last = seen[-1]
    assert (last.done, last.total, last.failed, last.eta) == (20, 20, 0, 0)
    assert last.source_bytes == sum(path.stat().st_size for path in source.iterdir())
    assert last.ratio == last.source_bytes / last.stored_bytes
    assert last.images_per_second > 0
    assert last.megabytes_per_second > 0


def test_estimate_writes_nothing_and_is_near(source: Path, configure: Any) -> None:
    plan = plan_run(configure())
    guess = estimate(plan, sample=5)
    assert not Path(configure().archive).exists()
    stored = compress(configure()).ledger.stored_bytes
    assert guess.stored_bytes == pytest.approx(stored, rel=0.3)
    assert (guess.inputs, guess.sampled, guess.statuses) == (20, 5, {"encoded": 5})
    assert guess.seconds > 0


def test_pixels_are_guessed_by_the_kind_of_file() -> None:
    def row(name: str, side: int, size: int) -> ImageRow:
        return ImageRow("", name, "", "encoded", width=side, height=side, source_bytes=size)

    density = Density([row("a.png", 100, 20_000), row("b.JPG", 100, 2_000)])
    assert density.pixels(SourceRef("", "", "c.png", "", 40_000)) == 20_000
    assert density.pixels(SourceRef("", "", "d.jpg", "", 40_000)) == 200_000
    assert density.pixels(SourceRef("", "", "e.tif", "", 22_000)) == 20_000  # as all together
    assert Density([]).pixels(SourceRef("", "", "c.png", "", 1)) == 0


def test_options_and_ledger_are_in_the_manifest(source: Path, configure: Any) -> None:
    result = compress(configure(max_failures="5%"))
    snapshot = result.snapshot
    assert isinstance(snapshot, Snapshot)
    assert snapshot.run.options["codec"] == "mischief"
    assert snapshot.run.options["max_failures"] == 0.05
    assert snapshot.run.ledger == result.ledger
    assert snapshot.run.run_id == result.plan.run_id


def test_empty_source(tmp_path: Path, configure: Any) -> None:
    with pytest.raises(SourceError):
        compress(configure())
    assert not (tmp_path / "archive").exists()


@pytest.mark.slow
def test_200_megapixels_pass_when_allowed(tmp_path: Path, configure: Any) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with Image.open(odd_inputs.PHOTOS / "astronaut.png") as image:
        image.convert("RGB").resize((16_000, 12_600)).save(source / "large.jpg", quality=90)
    config = configure(codec="jxl", codec_options={"effort": 3}, max_failures=1)
    assert counts(compress(config)) == (0, 1, 0, 0)  # kept bit for bit
    assert rows_of(config)["large.jpg"]["reason"] == "too-many-pixels"
    allowed = config.model_copy(update={"max_pixels": 210_000_000, "retry_failed": True})
    assert counts(compress(allowed)) == (1, 0, 0, 0)
    row = rows_of(config)["large.jpg"]
    assert (row["width"], row["height"], row["status"]) == (16_000, 12_600, "encoded")
    assert row["verified"]
    assert row["psnr"] > 40
    assert row["ms_ssim"] > 0.98
    corner = Region(x=15_000, y=12_000, width=500, height=400)
    assert open_archive(config.archive).get("large.jpg", region=corner).size == (500, 400)
