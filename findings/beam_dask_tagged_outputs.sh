#!/usr/bin/env bash
# Beam 2.77.0 on Dask loses tagged outputs in silence; the job ends as DONE.
#
# Guess before the run: a runner that does not do something refuses it.
# Seen: of the numbers 0 to 9, split into even and odd by tags, the direct runner gives five and five. On Dask
# another split comes out, without an error or a warning.
# What follows for a job: one output for each transform; say in the element what it is.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check apache-beam==2.77.0 dask==2026.8.0 distributed==2026.8.0
cat > job.py <<'PY'
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.dask.dask_runner import DaskRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from dask.distributed import Client, LocalCluster


class Split(beam.DoFn):
    def process(self, number):
        if number % 2:
            yield beam.pvalue.TaggedOutput("odd", number)
        else:
            yield number


def note(number, file):
    with open(file, "a") as sink:
        sink.write(f"{number}\n")
    return number


def numbers(name):
    file = Path(name)
    return sorted(int(line) for line in file.read_text().split()) if file.exists() else []


def run(runner, name, options):
    even, odd = str(Path(f"{name}-even").absolute()), str(Path(f"{name}-odd").absolute())
    pipeline = beam.Pipeline(runner=runner, options=options)
    parts = pipeline | beam.Create(range(10)) | beam.ParDo(Split()).with_outputs("odd", main="even")
    parts.even | "even" >> beam.Map(note, even)
    parts.odd | "odd" >> beam.Map(note, odd)
    state = pipeline.run()
    print(name, state.wait_until_finish(), "even:", numbers(even), "odd:", numbers(odd))
    return numbers(even), numbers(odd)


if __name__ == "__main__":
    right = ([0, 2, 4, 6, 8], [1, 3, 5, 7, 9])
    assert run(FnApiRunner(), "direct", PipelineOptions([])) == right
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        with Client(cluster):
            got = run(DaskRunner(), "dask", PipelineOptions([f"--dask_client_address={address}"]))
    assert got != right, "tags work now"
PY
venv/bin/python job.py 2>&1 | grep -v "^20\|WARNING" 
