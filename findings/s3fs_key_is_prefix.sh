#!/usr/bin/env bash
# s3fs 2026.9.0: an object whose key others start with opens as an empty file, in silence.
#
# Guess before the run: `find` lists the object with its 4 bytes, so `open(...).read()` gives 4 bytes,
# or raises IsADirectoryError.
# Seen: beside photos/dup/in.png, `open("bucket/photos/dup")` reads b'' without an error, once `find`
# has listed the folder or `isdir` was asked: `info` then says directory, size 0. `cat_file` asks S3
# and gives the 4 bytes. So with 8 bytes under a key that ends in a slash.
# What follows for a pipeline: read listed objects with cat_file, and compare sizes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"; kill "${server:-}" 2>/dev/null || true' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check s3fs==2026.9.0 boto3==1.43.117 \
    moto==5.2.5 flask==3.1.3 flask-cors==6.0.5
export AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=y AWS_DEFAULT_REGION=us-east-1
export AWS_ENDPOINT_URL=http://127.0.0.1:18791
venv/bin/python -m moto.server -H 127.0.0.1 -p 18791 >log 2>&1 &
server=$!
venv/bin/python - <<'PY'
import os
import time

import boto3
import fsspec
import s3fs

for _ in range(100):
    try:
        s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
        s3.create_bucket(Bucket="bucket")
        break
    except Exception:
        time.sleep(0.2)
objects = {"photos/dup": b"four", "photos/dup/in.png": b"in", "photos/data/": b"datadata"}
for key, body in objects.items():
    s3.put_object(Bucket="bucket", Key=key, Body=body)
fs = fsspec.filesystem("s3")
listed = {name: info["size"] for name, info in fs.find("bucket/photos", detail=True).items()}
print("s3fs", s3fs.__version__, "find:", listed)
for key in ("photos/dup", "photos/data/"):
    name = f"bucket/{key}"
    with fs.open(name, "rb") as file:
        opened = file.read()
    whole = fs.cat_file(name)
    print(key, "listed", listed[name], "open", opened, "cat_file", whole)
    assert listed[name] == len(objects[key])
    assert whole == objects[key]
    assert opened == b"", "open gives the object now"
PY
