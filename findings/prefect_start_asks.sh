#!/usr/bin/env bash
# prefect server start (3.8.8) asks a question in a terminal although PREFECT_API_URL is set.
#
# Guess before the run: the variable, which every other command obeys, is what it wants to know.
# Seen: in a new PREFECT_HOME it asks which profile to write the address into, and reads the answer from what
# is typed next: pasted lines are eaten. With PREFECT_CLI_PROMPT=false it starts.
# What follows for instructions: lines that are to be pasted turn the questions off first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check prefect==3.8.8
venv/bin/python - <<'PY'
import os
import pty
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PREFECT = str(Path(sys.executable).with_name("prefect"))


def start(port, **more):
    """What the command shows in a terminal within a minute."""
    env = os.environ | more | {
        "PREFECT_HOME": tempfile.mkdtemp(dir="."),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "TERM": "xterm",
    }
    env["PREFECT_HOME"] = os.path.abspath(env["PREFECT_HOME"])
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(PREFECT, [PREFECT, "server", "start", "--background", "--port", str(port)], env)
    shown, end = "", time.monotonic() + 60
    while time.monotonic() < end and "How would you like" not in shown:
        if select.select([terminal], [], [], 1)[0]:
            try:
                shown += os.read(terminal, 65536).decode(errors="replace")
            except OSError:
                break
    os.close(terminal)
    subprocess.run([PREFECT, "server", "stop"], env=env, capture_output=True)
    return shown


asked, quiet = start(4327), start(4328, PREFECT_CLI_PROMPT="false")
print(asked[-300:], quiet[-300:], sep="\n---\n")
assert "How would you like to proceed?" in asked
assert "running in the background" in quiet
PY
