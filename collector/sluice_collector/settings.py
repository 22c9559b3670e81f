"""What the pod's environment says; everything has the prefix SLUICE_."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_DRIVERS = {
    "sqlite:///": "sqlite:///",
    "postgresql://": "postgresql+psycopg://",
    "postgres://": "postgresql+psycopg://",
}


class Settings(BaseSettings):
    """Settings of the collector."""

    model_config = SettingsConfigDict(env_prefix="SLUICE_", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr = Field(
        default=SecretStr("sqlite:////data/collector.db"),
        description="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE; never logged.",
    )
    database_timeout_seconds: int = Field(default=10, ge=1, description="For a lock, a statement or a connection.")

    host: str = "0.0.0.0"  # noqa: S104 - the pod's own address; model servers and kubelet come from outside
    port: int = Field(default=8080, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=16, description="Processes.")
    threads: int = Field(default=8, ge=1, le=64, description="Calls at the same time in one of them.")
    graceful_timeout_seconds: int = Field(default=20, ge=1, description="How long calls may take to end after SIGTERM.")
    runtime_dir: Path = Field(default=Path("/tmp"), description="For what is lost with the container.")  # noqa: S108

    partner_seconds: float = Field(default=120, gt=0, description="How long an answer waits for the other side's.")
    remember_seconds: float = Field(default=600, gt=0, description="How long a second copy of an answer is known.")
    keep_days: float = Field(default=30, gt=0, description="How long counts are kept after the last answer.")
    most_waiting: int = Field(
        default=50_000, ge=1, description="Answers, and outcomes, that may wait; beyond, the oldest go first."
    )
    experiment_days: float = Field(default=45, gt=0, description="How long an A/B test without news is kept.")
    most_units: int = Field(default=500_000, ge=1, description="Of one A/B test; further users do not get in.")
    most_requests: int = Field(default=1_000_000, ge=1, description="Of one A/B test; beyond, the oldest go first.")
    most_outcomes: int = Field(default=1_000_000, ge=1, description="Of one A/B test; with more it is incomplete.")
    most_rows: int = Field(default=3_000_000, ge=1, description="Of all A/B tests; beyond, the oldest tests go first.")
    sweep_seconds: float = Field(default=5, gt=0, description="How often what is over is taken away.")

    @field_validator("database_url")
    @classmethod
    def _driver(cls, url: SecretStr) -> SecretStr:
        given = url.get_secret_value()
        for scheme, driver in _DRIVERS.items():
            if given.startswith(scheme) and given != scheme:
                return SecretStr(driver + given.removeprefix(scheme))
        raise ValueError("write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE")

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.remember_seconds <= self.partner_seconds:
            raise ValueError("remember_seconds has to be more than partner_seconds: a second copy could find a place")
        if self.keep_days * 86_400 <= self.remember_seconds:
            raise ValueError("keep_days has to be longer than remember_seconds")
        if self.experiment_days * 86_400 <= self.remember_seconds:
            raise ValueError("experiment_days has to be longer than remember_seconds")
        if self.most_rows < self.most_units + self.most_requests + self.most_outcomes:
            raise ValueError("most_rows has to be at least most_units, most_requests and most_outcomes together")
        return self
