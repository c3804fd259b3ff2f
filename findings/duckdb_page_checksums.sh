#!/usr/bin/env bash
# DuckDB 2.0.0 reads a Parquet page whose checksum does not match, in silence.
#
# Guess before the run: a reader of 2026 checks the CRC that a page carries, at least with a warning.
# Seen: one bit flipped in each of 120 copies of a file that pyarrow 25.0.1 wrote with page checksums.
# DuckDB gives other rows than were written for most copies, without a word; pyarrow, told to verify,
# refuses every one. It is as quiet about uncompressed pages as about zstd ones, whose frames have no
# checksum of their own here.
# What follows for an archive: bytes are checked by the reader that can, and DuckDB is handed the rows.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.0 pyarrow==25.0.1 numpy==2.4.6
venv/bin/python - <<'PY'
import random

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

dice = random.Random(0)
table = pa.table(
    {
        "id": [f"{dice.getrandbits(128):032x}" for _ in range(5000)],
        "value": [dice.random() for _ in range(5000)],
    }
)
rows = [tuple(row.values()) for row in table.to_pylist()]
for compression in ("zstd", "none"):
    pq.write_table(table, "good.parquet", compression=compression, write_page_checksum=True)
    good = open("good.parquet", "rb").read()
    footer = int.from_bytes(good[-8:-4], "little") + 8
    found = {"duckdb": [0, 0, 0], "pyarrow": [0, 0, 0]}  # right rows, refused, wrong rows
    for _ in range(120):
        bad = bytearray(good)
        bad[dice.randrange(64, len(bad) - footer)] ^= 1 << dice.randrange(8)
        open("bad.parquet", "wb").write(bad)
        try:
            got = duckdb.sql("select * from read_parquet('bad.parquet')").fetchall()
            found["duckdb"][0 if got == rows else 2] += 1
        except duckdb.Error:
            found["duckdb"][1] += 1
        try:
            back = pq.read_table("bad.parquet", page_checksum_verification=True)
            found["pyarrow"][0 if back.equals(table) else 2] += 1
        except (OSError, pa.ArrowException):
            found["pyarrow"][1] += 1
    print(compression, "(right, refused, wrong):", found)
    assert found["duckdb"][2] > 60, "DuckDB checks pages now"
    assert found["pyarrow"][2] == 0
PY
