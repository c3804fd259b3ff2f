"""SQL over the newest row of every source, by a DuckDB that is shut off from everything else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from glassplate.codecs.errors import ConfigError
from glassplate.pipelines.archive.format.schema import DAMAGED
from glassplate.pipelines.errors import ShardDamagedError

_NEWEST = """
    SELECT * REPLACE (coalesce(run_id, run) AS run_id, coalesce(gone, false) AS gone) FROM images
    QUALIFY row_number() OVER (PARTITION BY source_uri ORDER BY coalesce(run_id, run) DESC) = 1
"""
_PICTURES = """
    SELECT status, reason, gone, codec, source_bytes, stored_bytes, bpp, psnr, ms_ssim, ssimulacra2,
        codec IS NOT NULL AND row_number() OVER (
            PARTITION BY image_id
            ORDER BY 4 * (codec IS NULL)::INT + 2 * gone::INT + (status = 'skipped')::INT
        ) = 1 AS counts
    FROM newest
"""
_STATS = f"""
    SELECT count(*) AS sources,
        count(*) FILTER (status = 'encoded') AS encoded,
        count(*) FILTER (status = 'kept') AS kept,
        count(*) FILTER ({DAMAGED}) AS damaged,
        count(*) FILTER (status = 'skipped') AS skipped,
        count(*) FILTER (status = 'failed') AS failed,
        count(*) FILTER (gone) AS gone,
        sum(source_bytes) FILTER (counts)::BIGINT AS source_bytes,
        sum(stored_bytes) FILTER (counts)::BIGINT AS stored_bytes
    FROM pictures
"""
_CODEC_STATS = """
    SELECT codec, count(*) AS pictures, sum(source_bytes)::BIGINT AS source_bytes,
        sum(stored_bytes)::BIGINT AS stored_bytes, avg(bpp) AS mean_bpp,
        avg(psnr) FILTER (isfinite(psnr)) AS mean_psnr,
        min(psnr) FILTER (isfinite(psnr)) AS min_psnr,
        avg(ms_ssim) AS mean_ms_ssim, avg(ssimulacra2) AS mean_ssimulacra2
    FROM pictures WHERE counts GROUP BY codec ORDER BY pictures DESC, codec
"""

_CHOSEN = """
    SELECT codec, sum(won)::BIGINT AS won, sum(size)::BIGINT AS bytes FROM (
        SELECT label.codec, coalesce((c.how = 'stored')::INT, 0) AS won,
            coalesce(c.bytes, row.source_bytes) AS size
        FROM chosen AS row
        CROSS JOIN (SELECT DISTINCT unnest(candidates).codec AS codec FROM chosen) AS label
        LEFT JOIN (SELECT image_id, unnest(candidates, recursive := true) FROM chosen) AS c
            ON c.image_id = row.image_id AND c.codec = label.codec
    ) GROUP BY codec ORDER BY won DESC, bytes, codec
"""
_CHOSEN_SUMS = """
    SELECT count(*) AS pictures, sum(coalesce(
        list_filter(candidates, lambda c: c.how = 'stored')[1].bytes, stored_bytes
    ))::BIGINT AS bytes FROM chosen
"""

_ALIKE = 0.9
"""Jaro-Winkler similarity from which a name may have been mistyped."""

_NONE: Mapping[str, str] = MappingProxyType({})
_VIEWS = f"newest AS ({_NEWEST}), pictures AS ({_PICTURES})"


def where(
    images: ds.Dataset,
    condition: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    order: str | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> pa.Table:
    """Rows of the newest version of every source that meet a condition.

    Args:
        images: The catalogue, with its `run` column; run ids sort in the order of the commits.
        condition: A SQL expression over the catalogue's columns; None: all rows.
        columns: Columns to return; None: all.
        order: What comes after ORDER BY; None: by name, then source_uri.
        limit: At most so many rows.
        offset: Rows to leave out before these.

    Raises ConfigError with DuckDB's message if the SQL is wrong, ShardDamagedError if a
    catalogue file cannot be read.
    """
    unknown = [name for name in columns or () if name not in images.schema.names]
    if unknown:
        known = ", ".join(images.schema.names)
        raise ConfigError(f"no column named {unknown[0]!r}", f"Columns: {known}.", "columns")
    chosen = ", ".join(f'"{name}"' for name in columns) if columns else "*"
    return _run(
        images,
        f"SELECT {chosen} FROM newest\nWHERE (\n{condition or 'true'}\n)\n"
        f"ORDER BY {order or 'name, source_uri'}\n"
        f"LIMIT {'ALL' if limit is None else int(limit)} OFFSET {int(offset)}",
    )


def sql(images: ds.Dataset, statement: str) -> pa.Table:
    """What a SELECT over `images` gives, which has the newest row of every source.

    Nothing else can be read or written by it. Raises ConfigError with DuckDB's message if the SQL
    is wrong or no SELECT, ShardDamagedError.
    """
    newest = _NEWEST.replace("FROM images", "FROM catalogue")
    return run(statement, {"catalogue": images}, {"images": newest})


def stats(images: ds.Dataset) -> dict[str, Any]:
    """Counts of sources by status, bytes, and per codec its pictures, bytes and mean quality.

    A picture that several sources have counts once; `gone` sources have a status, too.
    Keys as in the SQL above, and `codecs`: one dict for each codec. Bit-exact pictures (infinite
    PSNR) are left out of the PSNR figures. Raises ShardDamagedError.
    """
    total: dict[str, Any] = _run(images, _STATS).to_pylist()[0]
    return total | {"codecs": _run(images, _CODEC_STATS).to_pylist()}


def choices(images: ds.Dataset, run: str | None = None) -> dict[str, Any] | None:
    """What codec `auto` chose, and what it saved; None if it chose nothing.

    pictures, bytes: of the streams that were chosen. codecs: one dict for each candidate, of how
    many pictures it won, and the bytes of all pictures if each were its own: tried, or else as
    predicted; a picture that it cannot hold, or misses the target on, counts with its file.
    best_single: that of the fewest bytes, of those that pixels go through; single_bytes: those.
    run: Only of the rows of one run. Raises ShardDamagedError.
    """
    quoted = (run or "").replace("'", "''")
    which = f"AND run_id = '{quoted}'" if run else ""
    chosen = (
        "chosen AS (SELECT * FROM newest WHERE candidates IS NOT NULL"
        f" AND status IN ('encoded', 'kept') {which})"
    )
    sums: dict[str, Any] = _run(images, _CHOSEN_SUMS, chosen).to_pylist()[0]
    if not sums["pictures"]:
        return None
    codecs = _run(images, _CHOSEN, chosen).to_pylist()
    single = [row for row in codecs if row["codec"] != "jxl-jpeg"]
    best = min(single, key=lambda row: row["bytes"])
    return sums | {
        "codecs": codecs,
        "best_single": best["codec"],
        "single_bytes": best["bytes"],
    }


def names_like(images: ds.Dataset, name: str, limit: int = 3) -> list[str]:
    """Names of the catalogue that somebody may have meant, the likeliest first.

    The whole name, or its last part, is near to what was asked for. Raises ShardDamagedError.
    """
    quoted = "'" + name.lower().replace("'", "''") + "'"
    last = "regexp_extract({}, '[^/]*$')"
    ours, asked = last.format("lower(name)"), last.format(quoted)
    alike = f"greatest(jaro_winkler_similarity(lower(name), {quoted}),"
    alike += f" jaro_winkler_similarity({ours}, {asked}))"
    found = _run(
        images,
        f"SELECT name, max({alike}) AS alike FROM newest GROUP BY name"
        f" HAVING alike >= {_ALIKE} ORDER BY alike DESC, name LIMIT {int(limit)}",
    )
    return [str(name) for name in found["name"].to_pylist()]


def _run(images: ds.Dataset, sql: str, *views: str) -> pa.Table:
    return run(f"WITH {', '.join([_VIEWS, *views])}\n{sql}", {"images": images})


def run(sql: str, tables: Mapping[str, ds.Dataset], views: Mapping[str, str] = _NONE) -> pa.Table:
    """The result of one statement that reads, by a DuckDB that sees these tables and nothing else.

    views: Name -> SQL of further tables.

    Raises ConfigError with DuckDB's message if the SQL is wrong, ShardDamagedError if a file
    cannot be read.
    """
    with duckdb.connect(config={"enable_external_access": False}) as connection:
        connection.execute("SET enable_progress_bar = false")  # it goes to stdout
        connection.execute("SET python_enable_replacements = false")  # variables are no tables
        connection.execute("SET lock_configuration = true")
        for name, table in tables.items():
            connection.register(name, table)
        for name, view in views.items():
            connection.execute(f"CREATE VIEW {name} AS {view}")
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1:
                raise ConfigError("is more than one statement", "Leave out the ;.", "query")
            if statements[0].type != duckdb.StatementType.SELECT:
                raise ConfigError("is no SELECT", "A query only reads.", "query")
            return connection.sql(statements[0]).to_arrow_table()
        except duckdb.Error as error:
            if "IOError" in str(error):  # pyarrow's, passed through by DuckDB
                fix = "Run `glassplate verify` to see which pictures are hit."
                raise ShardDamagedError(str(error), fix, "the catalogue") from error
            raise ConfigError(_said(error), "Columns are those of `images`.", "query") from error


def _said(error: duckdb.Error) -> str:
    """What is wrong with a query, in one line, without the picture that DuckDB draws of it."""
    first, *rest = str(error).splitlines()
    cause = re.sub(r"^\w+ Error: ", "", first).rstrip(".!").removesuffix(" in FROM clause")
    candidates = next((line for line in rest if line.startswith("Candidate")), "")
    names = re.findall(r'"([^"]+)"', candidates)
    return cause + (f"; did you mean {' or '.join(names[:3])}" if names else "")
