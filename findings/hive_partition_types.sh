#!/usr/bin/env bash
# The folder part=00012 is the text 00012 to DuckDB 2.0.0, the number 12 to pyarrow 25.0.1 and polars 2.1.0.
#
# Guess before the run: what readers infer from the name of a hive folder is the same everywhere.
# Seen: a number with leading zeros stays text in DuckDB, and loses them in the other two.
# What follows for an archive: names of folders that no reader can take for anything but text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.0 pyarrow==25.0.1 polars==2.1.0
venv/bin/python - <<'PY'
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

Path("data/part=00012").mkdir(parents=True)
pq.write_table(pa.table({"x": [1]}), "data/part=00012/a.parquet")
glob = "data/*/*.parquet"
seen = {
    "duckdb": duckdb.sql(f"select part from read_parquet({glob!r}, hive_partitioning = true)").fetchall()[0][0],
    "pyarrow": ds.dataset("data", partitioning="hive").to_table()["part"][0].as_py(),
    "polars": pl.read_parquet(glob, hive_partitioning=True)["part"][0],
}
print(seen)
assert seen == {"duckdb": "00012", "pyarrow": 12, "polars": 12}
PY
