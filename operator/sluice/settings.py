"""What the operator is told by its environment (the Helm chart's values)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


# In the environment they are separated by commas.
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Scope(BaseSettings):
    """Every field is an environment variable: SLUICE_ and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="SLUICE_", frozen=True)

    namespaces: Names = Field(default=(), description="Which to watch; none means all of the cluster.")


class Settings(Scope):
    """The operator's."""

    mlflow_tracking_uri: str = Field(min_length=1, description="As pods reach it: they download the models.")
    server_image: str = Field(min_length=1, description="The model server's image where a spec names none.")
    registry_poll_seconds: float = Field(default=5, gt=0)
    record_history: int = Field(default=20, ge=1, le=1000, description="Finished RolloutRecords kept of each.")
    scrape_timeout_seconds: float = Field(default=1, gt=0)
    port: int = Field(default=8080, ge=1, le=65535, description="Of /healthz, /readyz and /metrics.")
    lease_namespace: str = Field(default="default", description="Where the operator itself runs.")
    lease_name: str = Field(default="sluice", description="Operators with the same Lease have one leader.")
    collector_url: str = Field(default="", description="Of the collector, as pods of any namespace reach it; or none.")
    log_level: str = "INFO"
    notify_urls: Path | None = Field(default=None, description="A file with one Apprise URL a line.")
    notify_left_out: Names = Field(default=(), description="Reasons of events of which nobody is notified.")
