#!/usr/bin/env bash
# From nothing to a compressed, queried, verified archive with an HTML report.
# Run it again: the archive is up to date, and it says so.
set -euo pipefail
source "$(dirname "$0")/env.sh"

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
archive=demo/archive
mkdir -p demo

say "A sample collection, with a few deliberately bad files"
[ -d demo/photos ] || glassplate demo demo/photos
ls demo/photos | head -n 50

say "Compress it: the compress-archive Prefect flow, which runs the Beam job"
status=0
glassplate compress demo/photos "$archive" --flow --workers 2 --max-failures 50% || status=$?
[ "$status" = 0 ] || [ "$status" = 3 ] || exit "$status"   # 3: done, but some inputs are bad

say "Query it with plain pyarrow"
python - <<'PY'
import pyarrow.compute as pc
import pyarrow.dataset as ds

images = ds.dataset("demo/archive/images", partitioning="hive")
table = images.to_table(
    columns=["name", "width", "height", "codec", "bpp", "psnr"],
    filter=(pc.field("status") == "encoded") & (pc.field("width") > 500),
)
for row in table.sort_by("bpp").to_pylist():
    print("{name:32} {width:5} x {height:<5} {codec:8} {bpp:6.3f} bpp {psnr:6.2f} dB".format(**row))
PY

say "One picture back by its name, another by its id"
id=$(glassplate query "$archive" --where "name = 'coffee.png'" --json | python -c 'import json, sys; print(json.loads(sys.stdin.readline())["image_id"])')
glassplate get "$archive" astronaut.png -o demo/astronaut.png
glassplate get "$archive" "$id" -o demo/coffee.png

say "Verify every byte, and decode every picture"
glassplate verify "$archive" --decode

say "Report"
glassplate report "$archive" -o demo/report.html

say "Look at"
printf '  %s\n' "demo/report.html     what the archive holds, and how good it is" \
    "demo/astronaut.png   back by name" "demo/coffee.png      back by id" "$archive         the archive"
