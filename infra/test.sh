#!/usr/bin/env bash
# Everything that a change has to pass: ruff, mypy --strict, pytest with the slow tests.
#   bash infra/test.sh                 all of it
#   bash infra/test.sh -m "not slow"   arguments go to pytest
set -euo pipefail
source "$(dirname "$0")/env.sh"

# mypy cannot follow the editable install, so it gets the import root as a folder of links.
mkdir -p build/types/glassplate
for floor in codecs pipelines flows; do ln -sfn "../../../$floor" "build/types/glassplate/$floor"; done

ruff check .
ruff format --check .
MYPYPATH=build/types mypy --strict -p glassplate
pytest "$@"
