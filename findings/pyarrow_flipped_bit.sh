#!/usr/bin/env bash
# pyarrow 25.0.1 neither writes nor checks page checksums by default: a flipped bit reads back in silence.
#
# Guess before the run: a format with a CRC in each page header uses it.
# Seen: with the defaults every flipped bit of an uncompressed column of bytes comes back as another value.
# With write_page_checksum=True alone as well; only together with page_checksum_verification=True is it found.
# What follows for an archive: say both, everywhere.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyarrow==25.0.1
venv/bin/python - <<'PY'
import os
import random

import pyarrow as pa
import pyarrow.parquet as pq

dice = random.Random(0)
table = pa.table({"data": pa.array([os.urandom(1000) for _ in range(200)], pa.binary())})
for written, verified, expected in ((False, False, 0), (True, False, 0), (False, True, 0), (True, True, 100)):
    pq.write_table(
        table, "a.parquet", compression="none", use_dictionary=False, write_page_checksum=written
    )
    good = open("a.parquet", "rb").read()
    found = 0
    for _ in range(100):
        bad = bytearray(good)
        bad[dice.randrange(5000, 150_000)] ^= 1 << dice.randrange(8)
        open("b.parquet", "wb").write(bad)
        try:
            back = pq.read_table("b.parquet", page_checksum_verification=verified)
            assert not back.equals(table)
        except (OSError, pa.ArrowException):
            found += 1
    print(f"written {written}, verified {verified}: {found} of 100 found")
    assert abs(found - expected) <= 5
PY
