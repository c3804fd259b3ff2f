"""Beam's own job service, with as many workers for a job as it asks for; by itself it has one."""

from __future__ import annotations

import sys
from typing import Any

from apache_beam.options.pipeline_options import DirectOptions
from apache_beam.portability.api import beam_job_api_pb2
from apache_beam.runners.portability import local_job_service, local_job_service_main
from apache_beam.runners.portability.fn_api_runner import FnApiRunner


class _Job(local_job_service.BeamJob):
    def _invoke_runner(self) -> Any:
        self.set_state(beam_job_api_pb2.JobState.RUNNING)
        options = self.pipeline_options()
        runner = FnApiRunner(provision_info=self._provision_info)
        runner._num_workers = int(options.view_as(DirectOptions).direct_num_workers)
        return runner.run_via_runner_api(self._pipeline_proto, options)


if __name__ == "__main__":
    service = local_job_service.LocalJobServicer(beam_job_type=_Job)
    service.start_grpc_server(int(sys.argv[1]))
    local_job_service_main.serve("Listening for beam jobs.")
