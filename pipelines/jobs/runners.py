"""Where shards are encoded: one small adapter for each runner of Apache Beam.

Each is a set of options with a help text, and one method, `options`, that says the same in Beam's
words. `local` is this machine and needs nothing else; the others hand the job to an engine that
runs already, whose machines have this package, the source and the archive within reach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from glassplate.codecs.extras import optional

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

Endpoint = Annotated[str, Field(pattern=r"^[^\s/]+:\d+$")]

_ONE_AT_A_TIME = "--number_of_worker_harness_threads=1"


class _Runner(BaseModel):
    """What all runners have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: ClassVar[str]

    def options(self) -> PipelineOptions:
        """The same in Beam's words. Raises MissingExtraError."""
        raise NotImplementedError

    @property
    def resource_hints(self) -> dict[str, str]:
        """What the machines that encode need beyond the others (Beam's resource hints)."""
        return {}


class LocalRunner(_Runner):
    """`--workers` says how many processes; with `--device cuda`, one for each GPU at most."""

    name: Literal["local"] = "local"
    summary: ClassVar[str] = "processes on this machine, as many as --workers says"

    def options(self) -> PipelineOptions:
        """Nothing: `local.local_pipeline` starts the processes itself."""
        return _options()


class ClusterRunner(_Runner):
    """A job that runs elsewhere, and whose progress is seen in the archive."""

    stall_timeout: float = Field(
        default=3600,
        gt=0,
        description="Give the job up when no shard was finished for so many seconds.",
    )


class DaskRunner(ClusterRunner):
    """A Dask cluster. Start its workers with one thread each, and keep their nannies."""

    name: Literal["dask"] = "dask"
    summary: ClassVar[str] = "a Dask cluster"
    address: str = Field(
        pattern=r"^(tcp|tls|ws|wss)://", description="The scheduler: tcp://HOST:8786."
    )
    connect_timeout: int = Field(
        default=30, ge=1, description="Seconds to wait for the scheduler at the start."
    )

    def options(self) -> PipelineOptions:
        """Every shard is a task of its own: Dask makes a partition of 128 by default."""
        optional("distributed", "dask")
        return _options(
            "--runner=apache_beam.runners.dask.dask_runner.DaskRunner",
            "--dask_partition_size=1",
            dask_client_address=self.address,
            dask_connection_timeout=self.connect_timeout,
        )


class _PortableRunner(ClusterRunner):
    """An engine behind Beam's job service, with workers that are started beside it."""

    beam_name: ClassVar[str]

    environment: Literal["EXTERNAL", "DOCKER", "PROCESS", "LOOPBACK"] = Field(
        default="EXTERNAL", description="How the engine gets its workers; Beam's environment_type."
    )
    environment_config: str | None = Field(
        default="localhost:50000",
        description="EXTERNAL: address of the worker pool, as the engine's machines see it; "
        "DOCKER: the image; PROCESS: JSON with the command.",
    )
    parallelism: int = Field(default=1, ge=1, description="Shards that are encoded at a time.")

    def options(self) -> PipelineOptions:
        """`parallelism` has another name in each engine; each ignores the others'."""
        return _options(
            f"--runner={self.beam_name}",
            _ONE_AT_A_TIME,
            environment_type=self.environment,
            environment_config=self.environment_config,
            parallelism=self.parallelism,
            sdk_worker_parallelism=self.parallelism,
            direct_num_workers=self.parallelism,
            **self._engine(),
        )

    def _engine(self) -> dict[str, str | None]:
        """Where the engine is."""
        raise NotImplementedError


class PortableRunner(_PortableRunner):
    """Any engine that speaks Beam's job API."""

    name: Literal["portable"] = "portable"
    beam_name: ClassVar[str] = "PortableRunner"
    summary: ClassVar[str] = "any engine behind a Beam job service"
    job_endpoint: Endpoint = Field(description="The job service: HOST:8099.")
    artifact_endpoint: Endpoint | None = Field(
        default=None, description="Where files are staged; by default what the service says."
    )

    def _engine(self) -> dict[str, str | None]:
        return {"job_endpoint": self.job_endpoint, "artifact_endpoint": self.artifact_endpoint}


class FlinkRunner(_PortableRunner):
    """An Apache Flink cluster. Beam starts its job server, which needs Java and a jar."""

    name: Literal["flink"] = "flink"
    beam_name: ClassVar[str] = "FlinkRunner"
    summary: ClassVar[str] = "an Apache Flink cluster"
    master: Endpoint = Field(description="The job manager's REST address: HOST:8081.")
    version: str | None = Field(default=None, description="Flink's version; Beam's newest.")
    job_server_jar: str | None = Field(
        default=None, description="The job server's jar; by default Beam downloads it."
    )

    def _engine(self) -> dict[str, str | None]:
        return {
            "flink_master": self.master,
            "flink_version": self.version,
            "flink_job_server_jar": self.job_server_jar,
        }


class SparkRunner(_PortableRunner):
    """An Apache Spark cluster. Beam starts its job server, which needs Java and a jar."""

    name: Literal["spark"] = "spark"
    beam_name: ClassVar[str] = "SparkRunner"
    summary: ClassVar[str] = "an Apache Spark cluster"
    master: str = Field(pattern=r"^spark://", description="The master: spark://HOST:7077.")
    job_server_jar: str | None = Field(
        default=None, description="The job server's jar; by default Beam downloads it."
    )

    def _engine(self) -> dict[str, str | None]:
        return {"spark_master_url": self.master, "spark_job_server_jar": self.job_server_jar}


class DataflowRunner(ClusterRunner):
    """Google Cloud Dataflow, with a container image that has this package."""

    name: Literal["dataflow"] = "dataflow"
    summary: ClassVar[str] = "Google Cloud Dataflow"
    project: str = Field(description="The cloud project.")
    region: str = Field(description="The region: europe-west4.")
    temp_location: str = Field(pattern=r"^gs://", description="A folder for the job: gs://...")
    image: str = Field(description="The container image of the workers.")
    machine_type: str | None = Field(default=None, description="Dataflow's choice by default.")
    max_workers: int | None = Field(default=None, ge=1, description="Upper limit of machines.")
    accelerator: str | None = Field(
        default=None, description="GPU of the machines that encode: nvidia-l4, one for each."
    )
    min_ram: str | None = Field(
        default=None, description="Memory of the machines that encode: 32GB."
    )
    service_account: str | None = Field(default=None, description="Whose rights workers have.")
    subnetwork: str | None = Field(default=None, description="Subnetwork of the machines.")

    def options(self) -> PipelineOptions:
        """With a GPU, one process for each machine, so that it is not shared."""
        optional("apitools", "dataflow")
        alone = ["--experiments=no_use_multiple_sdk_containers"] if self.accelerator else []
        return _options(
            "--runner=DataflowRunner",
            "--sdk_location=container",
            _ONE_AT_A_TIME,
            *alone,
            project=self.project,
            region=self.region,
            temp_location=self.temp_location,
            sdk_container_image=self.image,
            machine_type=self.machine_type,
            max_num_workers=self.max_workers,
            service_account_email=self.service_account,
            subnetwork=self.subnetwork,
        )

    @property
    def resource_hints(self) -> dict[str, str]:
        """For the step that encodes alone (right fitting); listing needs no GPU."""
        hints = {"min_ram": self.min_ram}
        if self.accelerator:
            hints["accelerator"] = f"type:{self.accelerator};count:1;install-nvidia-driver"
        return {name: value for name, value in hints.items() if value}


Runner = Annotated[
    LocalRunner | DaskRunner | PortableRunner | FlinkRunner | SparkRunner | DataflowRunner,
    Field(discriminator="name"),
]

RUNNERS: dict[str, type[_Runner]] = {
    runner.model_fields["name"].default: runner for runner in get_args(get_args(Runner)[0])
}
"""Every adapter by its name."""


def _options(*flags: str, **named: Any) -> PipelineOptions:
    """Beam's options from flags and from values, those that are None left out."""
    from apache_beam.options.pipeline_options import PipelineOptions

    values = [f"--{name}={value}" for name, value in named.items() if value is not None]
    return PipelineOptions([*flags, *values], save_main_session=False)
