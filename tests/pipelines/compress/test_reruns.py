"""Any sequence of changes and runs: what the archive says and gives back, against a small model.

The model knows what each source held when it was last seen, and by which settings each picture is
stored. The codec is lossless, so that pictures are told by their pixels.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from in_process import run_here
from PIL import Image

from glassplate.pipelines import Archive, open_archive
from glassplate.pipelines.archive.deliver.folder import extract
from glassplate.pipelines.archive.upkeep.compact import compact_archive
from glassplate.pipelines.archive.upkeep.verify import verify_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.run import plan_run
from glassplate.pipelines.storage.store import Store

NAMES = ["a.bmp", "b.bmp", "d/a.bmp", "d/c.bmp"]
ROOTS = ["one", "two"]
CONTENTS = 3
names, contents, roots = map(st.sampled_from, (NAMES, range(CONTENTS), ROOTS))
levels = st.sampled_from([1, 9])


def picture(content: int) -> Image.Image:
    """Flat enough that the codec is smaller; all in one size, but one of another."""
    side = 24 + 8 * (content == 2)
    ramp = np.linspace(0, 255, side * 24 * 3, dtype=np.uint8).reshape(24, side, 3) // (content + 1)
    return Image.fromarray(ramp)


@dataclass
class Source:
    """What the model knows of a source that a run has seen."""

    content: int
    version: str
    gone: bool = False


class Reruns(RuleBasedStateMachine):
    """A folder that changes, an archive that follows, and what both should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.root = "one"
        self.time = 1_700_000_000
        self.ids: dict[int, str] = {}
        self.sources: dict[str, Source] = {}
        self.levels: dict[int, int] = {}
        self.ran = False

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize()
    def begin(self) -> None:
        (self.folder / self.root).mkdir()
        for content in range(CONTENTS):
            file = self.folder / "content.bmp"
            picture(content).save(file)
            self.ids[content] = hashlib.sha256(file.read_bytes()).hexdigest()
        self.write("a.bmp", 0)

    def path(self, name: str) -> Path:
        return self.folder / self.root / name

    def files(self) -> dict[str, Path]:
        """URI -> file of everything that is there."""
        return {f"file://{path}": path for path in (self.folder / self.root).rglob("*.bmp")}

    def content_of(self, path: Path) -> int:
        image_id = hashlib.sha256(path.read_bytes()).hexdigest()
        return next(content for content, known in self.ids.items() if known == image_id)

    @rule(name=names, content=contents)
    def write(self, name: str, content: int) -> None:
        """Add, change or revert."""
        path = self.path(name)
        path.parent.mkdir(exist_ok=True)
        picture(content).save(path)
        self.touch(name)

    @rule(name=names)
    def touch(self, name: str) -> None:
        self.time += 1
        if self.path(name).exists():
            os.utime(self.path(name), (self.time, self.time))

    @rule(name=names)
    def delete(self, name: str) -> None:
        if len(self.files()) > 1:
            self.path(name).unlink(missing_ok=True)

    @rule(old=names, new=names)
    def rename(self, old: str, new: str) -> None:
        if self.path(old).exists():
            self.path(new).parent.mkdir(exist_ok=True)
            self.path(old).replace(self.path(new))

    @rule(root=roots)
    def move_the_root(self, root: str) -> None:
        if root != self.root:
            (self.folder / self.root).rename(self.folder / root)
            self.root = root

    @rule(level=levels)
    def run(self, level: int) -> None:
        self._run(level, reencode=False)

    @rule(level=levels)
    def run_with_another_codec(self, level: int) -> None:
        self._run(level, reencode=True)

    @rule(keep=st.sampled_from([None, 1]))
    def compact(self, keep: int | None) -> None:
        if self.ran:
            compact_archive(Store(str(self.folder / "archive")), keep)
            self._check()

    def _run(self, level: int, *, reencode: bool) -> None:
        config = CompressConfig(
            source=str(self.folder / self.root),
            archive=str(self.folder / "archive"),
            codec="fake",
            codec_options={"level": level},
            plugins=("tests.fakes",),
            reencode=reencode,
            latents=False,
        )
        plan = run_here(config)
        seen = {
            uri: Source(self.content_of(path), f"{path.stat().st_size}:{path.stat().st_mtime_ns}")
            for uri, path in self.files().items()
        }
        assert plan.inputs == len(seen)
        here = f"file://{self.folder / self.root}/"
        read = {
            s.content
            for uri, s in seen.items()
            if uri not in self.sources or self.sources[uri] != s
        }
        for uri, source in self.sources.items():
            if uri not in seen and (uri.startswith(here) or source.content in read):
                source.gone = True
        self.sources |= seen
        for content in {source.content for source in seen.values()}:
            if reencode or content not in self.levels:
                self.levels[content] = level
        self.ran = True
        again = plan_run(config.model_copy(update={"reencode": False}))
        assert (again.shards, again.unchanged) == ((), len(seen))
        self._check()

    def _check(self) -> None:
        archive = open_archive(str(self.folder / "archive"))
        self._check_rows(archive)
        self._check_pictures(archive)

    def _check_rows(self, archive: Archive) -> None:
        rows = {row["source_uri"]: row for row in archive.where().to_pylist()}
        assert rows.keys() == self.sources.keys()
        for uri, source in self.sources.items():
            row, image = rows[uri], picture(source.content)
            assert row["gone"] == source.gone
            assert row["source_version"] == source.version
            assert row["image_id"] == self.ids[source.content]
            assert (row["width"], row["height"]) == image.size
            assert (row["psnr"], row["codec"], row["bit_exact"]) == (float("inf"), "fake", False)
            assert row["bpp"] > 0
            assert row["status"] == "encoded" or row["reason"] == "duplicate"
            assert archive.find(uri).source_uri == uri
            stored = archive.stored(uri).image
            assert stored
            for name in ("image_id", "codec_fingerprint", "settings", "stored_bytes", "bpp"):
                assert getattr(stored, name) == row[name]
        there = [row for row in rows.values() if not row["gone"]]
        holders = Counter(row["image_id"] for row in there if row["status"] == "encoded")
        assert holders == dict.fromkeys({row["image_id"] for row in there}, 1)
        stored = {row["image_id"] for row in rows.values()}
        assert sum(row["pictures"] for row in archive.stats()["codecs"]) == len(stored)
        for row in there:
            content = self.sources[row["source_uri"]].content
            assert self.fingerprint(content) == row["codec_fingerprint"]

    def fingerprint(self, content: int) -> str:
        from tests.fakes import FakeCodec

        return FakeCodec(FakeCodec.Config(level=self.levels[content])).spec.fingerprint

    def _check_pictures(self, archive: Archive) -> None:
        for uri, source in self.sources.items():
            for key in (uri, self.ids[source.content], self.ids[source.content].upper()):
                assert archive.get(key).tobytes() == picture(source.content).tobytes()
        for uri, path in self.files().items():
            if uri in self.sources and not self.sources[uri].gone:
                name = str(path.relative_to(self.folder / self.root))
                content = self.sources[uri].content
                assert archive.get(name).tobytes() == picture(content).tobytes()
        there = {s.content for s in self.sources.values() if not s.gone}
        wanted = {
            (
                uri.split("/", 3)[3].removeprefix(f"{str(self.folder)[1:]}/").split("/", 1)[1],
                s.content,
            )
            for uri, s in self.sources.items()
            if not s.gone or s.content not in there
        }
        with tempfile.TemporaryDirectory() as out:
            result = extract(archive, None, out)
            assert not result.errors
            found = Counter(np.asarray(Image.open(path)).tobytes() for path in result.written)
        assert found == Counter(picture(content).tobytes() for _, content in wanted)
        assert verify_archive(archive).ok


Reruns.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestReruns = Reruns.TestCase
