"""Source and archive on S3, by a real HTTP server: whole runs, races, refusals, outages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import odd_inputs
import pyarrow.dataset as ds
import pytest
from object_store import KEYS, Weather, s3_server

from glassplate.pipelines import open_archive
from glassplate.pipelines.archive.format.identity import IDENTITY, create_archive
from glassplate.pipelines.archive.upkeep.verify import verify_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import compress as run_here
from glassplate.pipelines.errors import ArchiveError, SourceError, StorageError
from glassplate.pipelines.storage.store import Store

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[4]
COMMAND = Path(sys.executable).with_name("glassplate")
BUCKET = "plates"
SOURCE, ARCHIVE = f"s3://{BUCKET}/photos", f"s3://{BUCKET}/archive"
SLOW = ["--codec", "mischief", "--plugin", "mischief", "--codec-option", "seconds=0.2"]
OUTAGE = (500, "InternalError", "We encountered an internal error. Please try again.")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with s3_server(tmp_path_factory.mktemp("s3") / "log") as port:
        yield port


@pytest.fixture
def weather(server: int) -> Iterator[Weather]:
    with Weather(server) as proxy:
        yield proxy
        proxy.shutdown()


@pytest.fixture
def env(weather: Weather) -> dict[str, str]:
    """What a user sets: an endpoint and keys, as for every S3 client."""
    path = f"{ROOT}:{ROOT / 'tests' / 'support'}"
    region = {"AWS_DEFAULT_REGION": "us-east-1", "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    return KEYS | region | {"AWS_ENDPOINT_URL": weather.url}


@pytest.fixture
def s3(env: dict[str, str], weather: Weather, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The file system, with an empty bucket."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    filesystem: Any = fsspec.filesystem("s3", skip_instance_cache=True)
    filesystem.mkdir(BUCKET)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    yield filesystem
    weather.refusal, weather.delay = None, 0.0
    filesystem.rm(BUCKET, recursive=True)
    fsspec.get_filesystem_class("s3").clear_instance_cache()


@pytest.fixture
def photos(s3: Any) -> list[str]:
    """Twenty photographs in the bucket; their names."""
    names = [f"{number:02}.bmp" for number in range(20)]
    for number, name in enumerate(names):
        picture = odd_inputs.photo(48, 32, left=8 * number, top=4 * number)
        s3.pipe_file(f"{BUCKET}/photos/{name}", odd_inputs.save(picture, "BMP"))
    return names


@pytest.fixture
def careless(s3: Any, weather: Weather) -> Store:
    """A store that replaces files whatever the client asks, as older MinIO does."""
    weather.drop_header = "If-None-Match"
    return Store(f"s3://{BUCKET}/careless")


def start(env: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([COMMAND, *arguments], env=os.environ | env, text=True, **pipes)


def run(env: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    process = start(env, *arguments)
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def compress(env: dict[str, str], *options: str) -> tuple[int, str, str]:
    return run(env, "compress", SOURCE, ARCHIVE, "--json", *options)


def names_in(s3: Any) -> list[str]:
    """Every row of the catalogue, read by pyarrow alone."""
    images = ds.dataset(f"{BUCKET}/archive/images", filesystem=s3, partitioning="hive")
    return sorted(images.to_table(columns=["name"])["name"].to_pylist())


def test_from_listing_to_fixity(env: dict[str, str], s3: Any, photos: list[str]) -> None:
    code, out, err = compress(env, "--codec", "jxl", "--workers", "2")
    assert (code, err) == (0, "")
    assert json.loads(out)["inputs"] == 20
    assert names_in(s3) == photos
    assert open_archive(ARCHIVE).get("03.bmp").size == (48, 32)
    assert verify_archive(open_archive(ARCHIVE), decode=True).ok
    picture = odd_inputs.photo(60, 40)
    s3.pipe_file(f"{BUCKET}/photos/new.png", odd_inputs.save(picture, "PNG"))
    s3.pipe_file(f"{BUCKET}/photos/05.bmp", odd_inputs.save(odd_inputs.photo(49, 32), "BMP"))
    again = run_here(CompressConfig(source=SOURCE, archive=ARCHIVE, codec="jxl"))
    assert again.ledger.unchanged == 19
    assert names_in(s3) == sorted([*photos, "new.png", "05.bmp"])
    assert verify_archive(open_archive(ARCHIVE)).ok
    assert not [path for path in s3.find(f"{BUCKET}/archive") if "_staging" in path]


def test_keys_that_others_start_with_and_markers(env: dict[str, str], s3: Any) -> None:
    for number, key in enumerate(["", "dup", "dup/in.bmp", "sub/", "sub//two.bmp"]):
        picture = odd_inputs.save(odd_inputs.photo(48, 32, left=8 * number), "BMP")
        body = b"" if key.endswith("/") or not key else picture
        s3.call_s3("put_object", Bucket=BUCKET, Key=f"photos/{key}", Body=body)
    assert compress(env, "--codec", "jpeg")[0] == 0
    assert names_in(s3) == ["dup", "dup/in.bmp", "sub/two.bmp"]
    rows = open_archive(ARCHIVE).where("status = 'encoded'", columns=["source_uri"])
    assert f"s3://{BUCKET}/photos/sub//two.bmp" in rows["source_uri"].to_pylist()


def test_a_conditional_put_decides(s3: Any) -> None:
    store = Store(f"s3://{BUCKET}/a")
    store.create_exclusive("one", b"1")
    with pytest.raises(FileExistsError):
        store.create_exclusive("one", b"2")
    assert store.read("one") == b"1"
    archive = Store(f"s3://{BUCKET}/archive")
    create_archive(archive)
    identity = archive.read(IDENTITY)
    create_archive(archive)  # the second time it is opened
    assert archive.read(IDENTITY) == identity


def test_a_store_without_conditional_puts_is_refused(s3: Any, careless: Store) -> None:
    with pytest.raises(ArchiveError, match="no conditional writes"):
        create_archive(careless)
    assert careless.list("") == []


def test_of_two_writers_one_commits(env: dict[str, str], s3: Any, photos: list[str]) -> None:
    racing = [start(env, "compress", SOURCE, ARCHIVE, *SLOW) for _ in range(2)]
    errors = [process.communicate(timeout=240)[1] for process in racing]
    codes = sorted(process.returncode for process in racing)
    assert codes in ([0, 5], [0, 0]), errors
    if codes == [0, 0]:  # they did not overlap
        assert "nothing to do" in "".join(errors)
    assert names_in(s3) == photos
    assert verify_archive(open_archive(ARCHIVE)).ok
    assert compress(env, *SLOW)[0] == 0
    assert len(s3.glob(f"{BUCKET}/archive/_manifests/*.json")) == 1


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((403, "InvalidAccessKeyId", "The key does not exist."), "The key does not exist"),
        ((403, "SignatureDoesNotMatch", "Wrong signature."), "Wrong signature"),
        ((400, "ExpiredToken", "The token has expired."), "The token has expired"),
    ],
)
def test_credentials_that_are_refused(
    s3: Any, weather: Weather, tmp_path: Path, refusal: Any, words: str
) -> None:
    odd_inputs.photo(48, 32).save(tmp_path / "one.bmp")
    weather.refusal = refusal
    began = time.monotonic()
    with pytest.raises(StorageError, match=f"{words}. Check the credentials"):
        run_here(CompressConfig(source=SOURCE, archive=ARCHIVE))
    with pytest.raises(SourceError, match=words):
        run_here(CompressConfig(source=SOURCE, archive=str(tmp_path / "archive")))
    assert time.monotonic() - began < 20
    weather.refusal = None


def test_no_credentials_at_all(env: dict[str, str], tmp_path: Path) -> None:
    nobody = dict.fromkeys(KEYS, "") | {"AWS_EC2_METADATA_DISABLED": "true"}
    code, out, err = run(env | nobody | {"HOME": str(tmp_path)}, "compress", SOURCE, ARCHIVE)
    assert (code, out) == (1, "")
    assert "Unable to locate credentials. Check the credentials" in err
    assert err.count("\n") == 1


def test_nobody_answers(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    s3.clear_instance_cache()
    with pytest.raises(StorageError, match="Could not connect"):
        run_here(CompressConfig(source=SOURCE, archive=ARCHIVE))
    with pytest.raises(SourceError, match="Could not connect"):
        run_here(CompressConfig(source=SOURCE, archive=str(tmp_path / "archive")))


def test_credentials_that_expire_in_a_run(
    env: dict[str, str], s3: Any, weather: Weather, photos: list[str]
) -> None:
    process = start(env, "compress", SOURCE, ARCHIVE, *SLOW)
    wait_for_a_shard(s3, process)
    weather.refusal = (400, "ExpiredToken", "The token has expired.")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "The token has expired" in err
    assert "Traceback" not in err
    weather.refusal = None
    assert not s3.exists(f"{BUCKET}/archive/_manifests")
    assert compress(env, *SLOW)[0] == 0
    assert names_in(s3) == photos


def test_a_short_outage_is_waited_for(
    env: dict[str, str], s3: Any, weather: Weather, photos: list[str]
) -> None:
    process = start(env, "compress", SOURCE, ARCHIVE, "--json", *SLOW)
    wait_for_a_shard(s3, process)
    weather.refusal = OUTAGE
    time.sleep(2)
    weather.refusal, weather.delay = None, 0.2
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert json.loads(out)["failed"] == 0
    weather.delay = 0
    assert names_in(s3) == photos


def test_a_long_outage_ends_the_run(
    env: dict[str, str], s3: Any, weather: Weather, photos: list[str]
) -> None:
    process = start(env, "compress", SOURCE, ARCHIVE, *SLOW)
    wait_for_a_shard(s3, process)
    weather.refusal = OUTAGE
    _, err = process.communicate(timeout=240)
    assert process.returncode == 1
    assert "internal error" in err
    assert "Traceback" not in err
    weather.refusal = None
    assert not s3.exists(f"{BUCKET}/archive/_manifests")
    assert not s3.exists(f"{BUCKET}/archive/images")
    assert compress(env, *SLOW)[0] == 0
    assert names_in(s3) == photos
    assert verify_archive(open_archive(ARCHIVE)).ok


def test_an_outage_is_not_damage(s3: Any, weather: Weather, photos: list[str]) -> None:
    run_here(CompressConfig(source=SOURCE, archive=ARCHIVE, codec="jpeg"))
    archive = open_archive(ARCHIVE)
    picture = archive.find(photos[0]).image_id or ""
    weather.refusal = OUTAGE
    for look in (verify_archive, lambda archive: archive.get(picture)):
        with pytest.raises(StorageError, match=r"(?i)internal (server )?error"):
            look(archive)
    weather.refusal = None
    assert verify_archive(archive, decode=True).ok
    assert archive.get(picture).size == (48, 32)


def wait_for_a_shard(s3: Any, process: subprocess.Popen[str]) -> None:
    while True:
        s3.invalidate_cache()
        if s3.glob(f"{BUCKET}/archive/_staging/*/done.json"):
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
