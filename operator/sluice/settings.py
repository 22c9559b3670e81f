"""What the operator is told by its environment (the Helm chart's values)."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every field is an environment variable: SLUICE_ and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="SLUICE_", frozen=True)

    mlflow_tracking_uri: str = Field(min_length=1, description="As pods reach it: they download the models.")
    server_image: str = Field(min_length=1, description="The model server's image where a spec names none.")
    registry_poll_seconds: float = Field(default=5, gt=0)
    scrape_timeout_seconds: float = Field(default=1, gt=0)
    liveness_port: int = Field(default=8080, ge=1, le=65535)
    log_level: str = "INFO"
