#!/usr/bin/env bash
# A socket from `socket.create_server`, given to uvicorn 0.54.0 (or asyncio), makes short answers take 40 ms.
#
# Guess before the run: asyncio sets TCP_NODELAY on every TCP connection, as its documentation says.
# Seen (Python 3.11, Linux): it does so only where the socket names its protocol. `socket.create_server` leaves it 0,
# accepted connections inherit that, and an answer of two small writes waits for the client's delayed ACK.
# What follows: socket.socket(family, SOCK_STREAM, IPPROTO_TCP), bind, listen; or let uvicorn bind.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check uvicorn==0.54.0
cat > delay.py <<'PY'
import http.client
import socket
import statistics
import threading
import time

import uvicorn


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def median_ms(listening):
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    client = http.client.HTTPConnection(*listening.getsockname())
    times = []
    for _ in range(40):
        begun = time.perf_counter()
        client.request("GET", "/")
        client.getresponse().read()
        times.append(1000 * (time.perf_counter() - begun))
    server.should_exit = True
    return statistics.median(times)


named = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
named.bind(("127.0.0.1", 0))
named.listen()
unnamed = socket.create_server(("127.0.0.1", 0))
print("protocol named:", round(median_ms(named), 1), "ms; create_server:", round(slow := median_ms(unnamed), 1), "ms")
assert unnamed.proto == 0 and slow > 30, "create_server is quick now"
PY
venv/bin/python delay.py
