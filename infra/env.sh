# Sourced by demo.sh and test.sh: makes .venv with the pinned set, once, and puts it on PATH.
# A change of pyproject.toml or of the constraints installs again.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
PYTHON=${PYTHON:-python3}
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Glassplate needs Python 3.11 or newer; set PYTHON to one." >&2
    exit 1
}
wanted=$(cat pyproject.toml infra/constraints.txt | sha256sum)
if [ "$(cat .venv/.glassplate 2>/dev/null)" != "$wanted" ]; then
    echo "Installing into .venv (once; a minute or two) ..."
    "$PYTHON" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint infra/constraints.txt --editable ".[dev,demo,dask,s3]"
    echo "$wanted" > .venv/.glassplate
fi
PATH=$PWD/.venv/bin:$PATH
export PATH PYTHONWARNINGS=${PYTHONWARNINGS:-ignore::DeprecationWarning}
