"""What the pod's environment says; everything has the prefix SLUICE_."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of the server container."""

    model_config = SettingsConfigDict(env_prefix="SLUICE_", frozen=True, protected_namespaces=())

    model_dir: Path = Path("/model")
    model_name: str = "model"
    model_version: str = ""
    revision: str = ""

    host: str = "0.0.0.0"  # noqa: S104 - the pod's own address; kubelet and gateway come from outside
    port: int = Field(default=8080, ge=0, le=65535)
    mirror_port: int = Field(
        default=8081, ge=0, le=65535, description="What comes here is a copy: nobody gets the answer."
    )
    shared_port: int = Field(
        default=8082,
        ge=0,
        le=65535,
        description="What comes here came through a Service of all versions: nobody chose this one for it.",
    )
    metrics_port: int = Field(default=9090, ge=0, le=65535)

    workers: int = Field(default=1, ge=1, description="Processes; about the CPU limit.")
    threads: int = Field(default=4, ge=1, description="Predictions at the same time in one worker.")
    max_queue: int = Field(default=128, ge=0, description="Requests that may wait for a thread in one worker.")
    queue_timeout_seconds: float = Field(default=10.0, gt=0, description="How long one of them may wait.")
    warm_up_seconds: float = Field(default=10.0, ge=0, description="How long a new worker's durations do not count.")
    max_body_bytes: int = Field(default=16 * 1024 * 1024, ge=1)
    graceful_timeout_seconds: int = Field(default=25, ge=1, description="How long a drain may take.")
    keepalive_seconds: int = Field(
        default=3660,
        ge=0,
        description="Above the gateway's idle timeout (Envoy: 1 h), so that the gateway closes first.",
    )

    collector_url: str = Field(default="", description="Who is told of answers and outcomes; empty: nobody.")

    trust_pickle: bool = Field(default=False, description="Load formats that can run any code while they are loaded.")
    runtime_dir: Path = Field(default=Path("/tmp"), description="The only place that is written to.")  # noqa: S108

    @property
    def counters_dir(self) -> Path:
        """Where the counts are that all workers share; empty at the start of each run of the container."""
        return self.runtime_dir / "sluice-metrics"
