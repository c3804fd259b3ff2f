#!/usr/bin/env bash
# A Click 8.5.1 command keeps the help option of the first context that it meets: the next context's names are ignored.
#
# Guess before the run: `help_option_names` is of the context, so a context that is made to parse a line on trial, and
# thrown away, leaves the command as it was.
# Seen: Click caches the help option on the command. After one parser was made for a context without the names, `-h`
# is "No such option" for good, though the command's own context settings name it.
# What follows: give every context that is made by hand the names of the real one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check click==8.5.1
cat > names.py <<'PY'
import click
from click.testing import CliRunner


def command():
    @click.command(context_settings={"help_option_names": ["-h", "--help"]})
    def hello():
        pass

    return hello


untouched, tried = command(), command()
trial = click.Context(tried, resilient_parsing=True)
tried.make_parser(trial).parse_args([])
before, after = (CliRunner().invoke(one, ["-h"]) for one in (untouched, tried))
print("-h of the command:", before.exit_code, "; after a parser for another context:", after.exit_code)
print(after.output.splitlines()[-1])
assert before.exit_code == 0
assert after.exit_code == 2 and "No such option" in after.output, "the names are the context's now"
PY
venv/bin/python names.py
