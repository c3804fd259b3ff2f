"""Pictures that take more memory than a worker may have cost a row each, and nothing else."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from glassplate.pipelines import open_archive
from glassplate.pipelines.compress.run import compress
from glassplate.pipelines.retrieve.planning import RetrieveConfig
from glassplate.pipelines.retrieve.run import retrieve

pytestmark = pytest.mark.slow

LITTLE = 600 << 20
SIDE = 14_000
"""Of a sound picture whose pixels alone take 588 MB."""


def flat_png(path: Path, side: int = SIDE) -> None:
    """A black RGB picture."""
    packer = zlib.compressobj(1)
    row = bytes(1 + 3 * side)
    pixels = b"".join([*(packer.compress(row) for _ in range(side)), packer.flush()])
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", pixels),
        (b"IEND", b""),
    ]
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in chunks:
        checksum = zlib.crc32(kind + data)
        parts.append(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum))
    path.write_bytes(b"".join(parts))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_picture_that_needs_more_is_one_row(source: Path, configure: Any, workers: int) -> None:
    flat_png(source / "large.png")
    config = configure(workers=workers, worker_memory=LITTLE)
    ledger = compress(config).ledger
    assert (ledger.inputs, ledger.encoded) == (21, 20)
    archive = open_archive(config.archive)
    (row,) = archive.where("name = 'large.png'").to_pylist()
    assert row["status"] == "kept"
    assert row["reason"] in ("out-of-memory", "worker-died")
    assert archive.where("error_code = 'internal'").num_rows == 0
    assert archive.original("large.png")[0] == (source / "large.png").read_bytes()


def test_a_picture_that_cannot_be_given_back_is_one_row(
    source: Path, configure: Any, tmp_path: Path
) -> None:
    flat_png(source / "large.png")
    config = configure(codec="original", codec_options={}, plugins=())
    assert compress(config).ledger.failed == 0
    out = tmp_path / "out"
    options = {"archive": config.archive, "out": str(out), "format": "bmp", "workers": 1}
    result = retrieve(RetrieveConfig.model_validate({**options, "worker_memory": "600MiB"}))
    (failed,) = [row for row in result.rows if row.status == "failed"]
    assert failed.name == "large.png"
    assert failed.error_code in ("out-of-memory", "worker-died")
    assert "large.png" in str(failed.error_message)
    assert (result.ledger.plain, len(list(out.glob("*.bmp")))) == (20, 20)
