"""What differs between machines, read from the environment once (prefix LIKEWISE_)."""

import ipaddress
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_MODEL = "all-MiniLM-L6-v2"


class Settings(BaseSettings):
    """Every setting, with its default; docs/settings.md says the same."""

    model_config = SettingsConfigDict(env_prefix="LIKEWISE_", env_file=None, extra="ignore")

    data_dir: Path = Path(".likewise")
    database_url: str = ""
    database_url_file: Path | None = None
    public_url: str = ""
    is_https: bool = False
    trusted_proxies: str = ""
    base_model: str = DEFAULT_MODEL
    allow_model_downloads: bool = False
    device: str = "auto"
    runtime: Literal["torch", "openvino", "openvino-int8"] = "torch"
    min_labels: int = Field(default=25, ge=2)
    session_size: int = Field(default=100, ge=1, le=1000)
    smtp_url: str = ""
    max_upload_mb: int = Field(default=200, ge=1)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    metrics_token: str = ""

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: str) -> str:
        _networks(value)
        return value

    @property
    def proxy_networks(self) -> list[str]:
        """The networks of the proxies whose X-Forwarded headers are believed.

        An IPv4 one is also given as IPv6 writes it: so a socket for both sees its peers.
        """
        found = _networks(self.trusted_proxies)
        mapped = [
            f"::ffff:{each.network_address}/{96 + each.prefixlen}"
            for each in found
            if each.version == 4
        ]
        return [*map(str, found), *mapped]

    @model_validator(mode="after")
    def _resolve_database_url(self) -> Self:
        self.data_dir = self.data_dir.expanduser().resolve()
        if self.database_url_file is not None:
            self.database_url = self.database_url_file.read_text().strip()
        if not self.database_url:
            self.database_url = f"sqlite:///{self.data_dir / 'likewise.sqlite3'}"
        return self


def _networks(written: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    parts = [each.strip() for each in written.split(",") if each.strip()]
    try:
        return [ipaddress.ip_network(part, strict=False) for part in parts]
    except ValueError as error:
        raise ValueError(
            f"{error}. Use IP addresses or networks separated by commas, "
            "such as 10.0.0.5 or 10.0.0.0/24"
        ) from error


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process; tests clear the cache when they change the
    environment."""
    return Settings()
