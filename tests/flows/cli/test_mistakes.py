"""What people mistype, on every verb: one line that says what is wrong, and no traceback."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glassplate.flows.terminal.exit_codes import ExitCode

Run = Callable[..., Any]
FOREIGN = re.compile(
    r"Traceback|\\n|Input should|Extra inputs|Field required|\[Errno|Errno \d|input_value|\.tmp\b"
    r"|Binder Error|Parser Error|Protocol not known"
)
"""What others say, and what nobody can read."""

MISTAKES = [
    ("compress {photos} out --quality abc", 2, "must be a number"),
    ("compress {photos} out --quality 200", 2, "--quality: must be at most 100"),
    ("compress {photos} out --workers 0", 2, "--workers: must be at least 1"),
    ("compress {photos} out --workers many", 2, "must be a whole number"),
    ("compress {photos} out --codec gif", 2, "no codec named 'gif'"),
    ("compress {photos} out --codec avif --codec-option speed=99", 2, "must be at most 10"),
    ("compress {photos} out --codec avif --codec-option sped=1", 2, "sped is not known"),
    ("compress {photos} out --codec avif --codec-option speed", 2, "NAME=VALUE"),
    ("compress {photos} out --runner nope", 2, "must be one of 'local'"),
    ("compress {photos} out --runner dask", 2, "address: is missing"),
    ("compress {photos} out --max-failures 2x", 2, "must be a number"),
    ("compress {photos} out --measure nope", 2, "must be 'ms_ssim' or 'ssimulacra2'"),
    ("compress {photos} out --plugin nope", 2, "cannot be imported"),
    ("compress {photos} {picture}", 2, "is a file, not an archive's folder"),
    ("compress {photos} {photos}/..", 2, "not an archive"),
    ("compress nothere out", 2, "no such file"),
    ("compress foo://bar out", 2, "no file system is known for foo://"),
    ("compress hf://datasets/no-one/nothing out", 2, ""),
    ("plan {photos} {picture}", 2, "is a file"),
    ("list {picture}", 2, "is a file"),
    ("list {photos}", 2, "not an archive"),
    ("list nothere", 2, "not an archive"),
    ("query {archive} --where psmr<3", 2, 'column "psmr" not found; did you mean'),
    ("query {archive} --where psnr<", 2, "syntax error"),
    ("query {archive} --order nope", 2, "not found"),
    ("query {archive} --limit 0", 2, "must be at least 1"),
    ("info {archive} nope", 7, "no such id"),
    ("info {archive} beech.png", 7, "Did you mean holiday/beach.png?"),
    ("stats {picture}", 2, "is a file"),
    ("similar {archive} nope", 7, "no such id"),
    ("similar {archive} beach.jpg -k 0", 2, "must be at least 1"),
    ("report {photos} -o r.html", 2, "not an archive"),
    ("report {archive} -o {photos}", 2, "is a folder"),
    ("report {photos}/broken.jpg -o r.html", 2, "not a picture"),
    ("get {archive} holiday/beach.png", 2, "Missing option"),
    ("get {archive} holiday/beach.png -o {photos}", 2, "is a folder"),
    ("get {archive} alpha.png --original -o {photos}", 2, "is a folder"),
    ("get {archive} holiday/beach.png -o a.xyz", 2, "cannot write .xyz files"),
    ("get {archive} holiday/beach.png -o {picture}/a.png", 1, "file exists"),
    ("get {archive} holiday/beach.png -o a.png --region 1,2", 2, "is not x,y,width,height"),
    ("get {archive} holiday/beach.png -o a.png --region 99999,0,9,9", 2, "outside"),
    ("get {archive} holiday/beach.png -o a.png --refine nope", 2, "--refine: must be"),
    ("extract {archive} {picture}", 2, "is a file"),
    ("extract {archive} out --format xyz", 2, "--format: cannot write .xyz"),
    ("extract {archive} out --where psmr<3", 2, "not found"),
    ("extract {archive} {photos} --bagit", 2, "is not empty, and no bag"),
    ("retrieve {archive} {picture}", 2, "is a file"),
    ("retrieve {archive} out --format xyz", 2, "--format: cannot write .xyz"),
    ("retrieve {archive} {photos}", 2, "is not empty"),
    ("export {archive} {picture}", 1, "a directory"),
    ("export {archive} out --as nope", 2, "is not one of"),
    ("interpolate {archive} alpha.png alpha.png -o a.xyz", 2, "cannot write .xyz"),
    ("verify {picture}", 2, "is a file"),
    ("verify {archive} --subset abc", 2, "--subset"),
    ("verify {archive} --max-duration soon", 2, "--max-duration"),
    ("compact {photos}", 2, "not an archive"),
    ("compact {archive} --keep-snapshots 0", 2, "must be at least 1"),
    ("evaluate nothere", 2, "no such file"),
    ("evaluate {photos} --codecs gif", 2, "no codec named 'gif'"),
    ("sample -o a.xyz", 2, "cannot write .xyz"),
    ("sample -o {photos}", 2, "is a folder"),
    ("sample -o a.png --weights nothere", 2, "nothere"),
    ("codecs nope", 2, "no codec named 'nope'"),
    ("runners nope", 2, "unexpected extra argument"),
    ("nope", 2, "No such command"),
]


@pytest.mark.parametrize(("line", "code", "told"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_mistake_is_told_in_our_words(
    glassplate: Run,
    archive: Path,
    collection: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    code: int,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    places = {"photos": collection, "archive": archive, "picture": collection / "alpha.png"}
    done = glassplate(*(word.format_map(places) for word in line.split()))
    said = " ".join(re.sub("[│╭╮╰╯─]", " ", done.err).split())
    assert done.code == ExitCode(code), said
    assert told in said
    assert not FOREIGN.search(done.err), said
