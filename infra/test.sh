#!/usr/bin/env bash
# Everything that a change has to pass: ruff, mypy --strict, pytest with the slow tests.
#   bash infra/test.sh                 all of it
#   bash infra/test.sh -m "not slow"   arguments go to pytest
set -euo pipefail
source "$(dirname "$0")/env.sh"

# mypy cannot follow the editable install, so it gets the import root as a folder of links.
mkdir -p build/types/glassplate
for floor in codecs pipelines flows; do ln -sfn "../../../$floor" "build/types/glassplate/$floor"; done

# Pages are looked at in a browser; without one their tests are skipped.
if ! command -v chromium > /dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        { apt-get update -qq && apt-get install -y -qq chromium; } > build/chromium.log 2>&1 ||
            echo "Chromium could not be installed (build/chromium.log); tests of pages are skipped." >&2
    else
        echo "Tests of pages are skipped: they need Chromium (apt-get install chromium, as root)." >&2
    fi
fi

ruff check .
ruff format --check .
MYPYPATH=build/types mypy --strict -p glassplate
pytest "$@"
