"""Configuration, read once from the environment into one frozen object.

A wrong value stops the start with a sentence that names the variable and shows a right value.
"""

from __future__ import annotations

import base64
import binascii
import errno
import ipaddress
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

__all__ = ["ENV_FILE", "ConfigurationError", "Settings", "load", "standard_key"]

# Written by `hookline up`, so that the other commands find it; the environment has the last word.
ENV_FILE = Path(".hookline/env")

_SHORTEST_SECRET = 16

_EXAMPLES = {
    "DATABASE_URL": "postgresql://receiver:password@db.example.com:5432/app",
    "HOOKLINE_STORAGE_URL": "file:///var/lib/hookline/objects",
    "SUPABASE_URL": "https://abcdefghijklmnopqrst.supabase.co",
    "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_and-more-from-the-dashboard",
    "HOOKLINE_LLAMAPARSE_SCHEME": "hex",
    "HOOKLINE_LLAMAPARSE_SECRETS": "a-long-random-secret,the-one-before-it",
    "HOOKLINE_LLAMACLOUD_SECRETS": "a-long-random-secret,the-one-before-it",
    "HOOKLINE_PUSH_SECRETS": "a-long-random-secret,the-one-before-it",
    "HOOKLINE_PUBLIC_URL": "https://hooks.example.com",
    "HOOKLINE_HOST": "0.0.0.0",  # noqa: S104 - an example
    "HOOKLINE_PORT": "8080",
    "HOOKLINE_ADMIN_HOST": "127.0.0.1",
    "HOOKLINE_ADMIN_PORT": "8081",
    "HOOKLINE_PREPARE_THRESHOLD": "5, or off behind a transaction pooler",
    "HOOKLINE_POOL_SIZE": "8",
    "HOOKLINE_STORAGE_DEADLINE": "10",
    "HOOKLINE_MAX_BODY": "33554432",
    "HOOKLINE_BODY_BUDGET": "268435456",
    "HOOKLINE_READ_TIMEOUT": "20",
    "HOOKLINE_STOP_TIMEOUT": "30",
    "HOOKLINE_STAGES": "my_stages,/srv/app/more_stages.py",
    "HOOKLINE_WORKER_NAME": "worker-1",
    "HOOKLINE_LEASE": "60",
    "HOOKLINE_PARSER": "local, or llamacloud, or none",
    "HOOKLINE_RECEIVER_URL": "http://10.0.0.5:8080",
    "LLAMA_CLOUD_API_KEY": "llx-and-48-characters",
    "LLAMA_CLOUD_BASE_URL": "https://api.cloud.eu.llamaindex.ai",
    "HOOKLINE_PARSE_TIER": "cost_effective, or agentic, or agentic_plus",
    "HOOKLINE_ASSUMED_PAGES": "10",
    "HOOKLINE_PROVIDER_TIMEOUT": "60",
    "HOOKLINE_SUBMIT_GRACE": "120",
}
_STANDARD_EXAMPLE = "whsec_ and 32 random bytes in base64"


class ConfigurationError(Exception):
    """The configuration is wrong; `str()` of it says which variable, why, and what is right."""


def standard_key(secret: str) -> bytes:
    """The key inside a Standard Webhooks secret: `whsec_` and base64, with or without padding.

    Raises ValueError, with a sentence that does not hold the secret, for anything else.
    Specification: Standard Webhooks, "Signature scheme", secret serialization.
    """
    encoded = secret.removeprefix("whsec_")
    if encoded == secret:
        raise ValueError("a Standard Webhooks secret starts with whsec_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a Standard Webhooks secret is base64 after whsec_") from None
    if not key:
        raise ValueError("a Standard Webhooks secret holds a key after whsec_")
    return key


Secrets = Annotated[tuple[SecretStr, ...], NoDecode]


class Settings(BaseSettings):
    """What the environment says. Sizes are bytes, times seconds."""

    model_config = SettingsConfigDict(
        frozen=True,
        populate_by_name=True,
        case_sensitive=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    database_url: SecretStr | None = Field(None, alias="DATABASE_URL")
    prepare_threshold: int | None = Field(5, alias="HOOKLINE_PREPARE_THRESHOLD", ge=0)
    pool_size: int = Field(8, alias="HOOKLINE_POOL_SIZE", ge=2, le=1000)

    storage_url: str | None = Field(None, alias="HOOKLINE_STORAGE_URL")
    supabase_url: str | None = Field(None, alias="SUPABASE_URL")
    supabase_service_role_key: SecretStr | None = Field(None, alias="SUPABASE_SERVICE_ROLE_KEY")
    storage_deadline: float = Field(10.0, alias="HOOKLINE_STORAGE_DEADLINE", gt=0, le=25)

    # Before the secrets: what they are depends on it.
    llamaparse_scheme: Literal["hex", "standard"] = Field("hex", alias="HOOKLINE_LLAMAPARSE_SCHEME")
    llamaparse_secrets: Secrets = Field((), alias="HOOKLINE_LLAMAPARSE_SECRETS")
    llamacloud_secrets: Secrets = Field((), alias="HOOKLINE_LLAMACLOUD_SECRETS")
    push_secrets: Secrets = Field((), alias="HOOKLINE_PUSH_SECRETS")

    # Empty would be every address.
    host: str = Field("127.0.0.1", alias="HOOKLINE_HOST", min_length=1)
    port: int = Field(8080, alias="HOOKLINE_PORT", ge=0, le=65535)
    admin_host: str = Field("127.0.0.1", alias="HOOKLINE_ADMIN_HOST", min_length=1)
    admin_port: int = Field(8081, alias="HOOKLINE_ADMIN_PORT", ge=0, le=65535)
    public_url: str | None = Field(None, alias="HOOKLINE_PUBLIC_URL")

    max_body: int = Field(32 * 2**20, alias="HOOKLINE_MAX_BODY", ge=2**16, le=2**30)
    body_budget: int = Field(256 * 2**20, alias="HOOKLINE_BODY_BUDGET", ge=2**20)
    read_timeout: float = Field(20.0, alias="HOOKLINE_READ_TIMEOUT", gt=0, le=600)
    stop_timeout: float = Field(30.0, alias="HOOKLINE_STOP_TIMEOUT", gt=0, le=600)

    # None: by what else is set, see builtin_stages.
    parser: Literal["local", "llamacloud", "none"] | None = Field(None, alias="HOOKLINE_PARSER")
    # Where the local parser sends its webhooks; None: HOOKLINE_HOST and HOOKLINE_PORT.
    receiver_url: str | None = Field(None, alias="HOOKLINE_RECEIVER_URL")

    # The first two have the SDK's own names.
    llama_cloud_api_key: SecretStr | None = Field(None, alias="LLAMA_CLOUD_API_KEY")
    llama_cloud_base_url: str | None = Field(None, alias="LLAMA_CLOUD_BASE_URL")
    parse_tier: Literal["cost_effective", "agentic", "agentic_plus"] = Field(
        "cost_effective", alias="HOOKLINE_PARSE_TIER"
    )
    assumed_pages: int = Field(10, alias="HOOKLINE_ASSUMED_PAGES", ge=1, le=100_000)
    provider_timeout: float = Field(60.0, alias="HOOKLINE_PROVIDER_TIMEOUT", gt=0, le=600)
    submit_grace: float = Field(120.0, alias="HOOKLINE_SUBMIT_GRACE", gt=0, le=3600)

    stages: Annotated[tuple[str, ...], NoDecode] = Field((), alias="HOOKLINE_STAGES")
    worker_name: str | None = Field(
        None, alias="HOOKLINE_WORKER_NAME", min_length=1, max_length=200
    )
    lease: float = Field(60.0, alias="HOOKLINE_LEASE", ge=1, le=86400)

    @field_validator("stages", mode="before")
    @classmethod
    def _split_stages(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        stages = tuple(part.strip() for part in value.split(","))
        if not all(stages):
            raise ValueError("it is modules or .py files, with commas between them")
        return stages

    @field_validator("llamaparse_secrets", "llamacloud_secrets", "push_secrets", mode="before")
    @classmethod
    def _split(cls, value: Any, others: ValidationInfo) -> Any:
        if not isinstance(value, str):
            return value
        secrets = tuple(part.strip() for part in value.split(","))
        is_standard = others.data.get("llamaparse_scheme") == "standard"
        # Those of the scheme `standard` have a sentence of their own: see _keys_decode.
        if not (is_standard and others.field_name == "llamaparse_secrets"):
            _require_length(secrets)
        return secrets

    @field_validator("prepare_threshold", mode="before")
    @classmethod
    def _read_off(cls, value: Any) -> Any:
        return None if value == "off" else value

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            scheme, _, rest = value.get_secret_value().partition("://")
            if scheme not in ("postgres", "postgresql"):
                raise ValueError("it is a postgresql:// URL")
            # Else a part of the password is taken for a host or a port, and shown as such.
            authority, _, path = rest.partition("?")[0].partition("/")
            if authority.count("@") > 1 or "@" in path or not _readable(value.get_secret_value()):
                raise ValueError("user and password are percent-encoded, port is a number")
        return value

    @field_validator("storage_url")
    @classmethod
    def _is_storage(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme == "supabase":
                # Uploads are in `raw`: mixed with them, parsed content could not be listed.
                if not re.fullmatch(r"supabase://(?!raw$)[A-Za-z0-9][A-Za-z0-9_-]{0,99}", value):
                    raise ValueError("it is supabase:// and the name of a bucket other than raw")
                return value
            if parts.scheme != "file" or parts.netloc or not parts.path.startswith("/"):
                raise ValueError(
                    "it is file:// and an absolute path, or supabase:// and a bucket's name"
                )
            if "?" in value or "#" in value or "\0" in unquote(parts.path):
                raise ValueError("it has no query, fragment or null byte; %3F is ?, %23 is #")
        return value

    @field_validator("supabase_url")
    @classmethod
    def _is_supabase(cls, value: str | None) -> str | None:
        if value is None:
            return None
        address = re.fullmatch(
            r"(https?)://([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?/?", value
        )
        if address is None:
            raise ValueError("it is https:// and a host, without a path")
        if address[1] == "http" and not _is_near(address[2].strip("[]")):
            raise ValueError(
                "plain http:// would show the key to the network, but on this machine or to a"
                " host without a domain (a container's)"
            )
        return value.rstrip("/")

    @field_validator("supabase_service_role_key")
    @classmethod
    def _is_service_role_key(cls, value: SecretStr | None) -> SecretStr | None:
        # Anything else cannot be sent in a header, and an HTTP client's complaint would show it.
        if value is not None and not re.fullmatch(r"[A-Za-z0-9._-]{20,}", value.get_secret_value()):
            raise ValueError(
                "it is the secret key, or the service_role key, of the project's API settings"
            )
        return value

    @field_validator("public_url")
    @classmethod
    def _is_public(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            host = parts.hostname or ""
            # LlamaParse refuses plain HTTP, addresses and private names.
            if parts.scheme != "https" or not re.fullmatch(r"([a-z0-9-]+\.)+[a-z][a-z0-9-]*", host):
                raise ValueError("it is https:// and a public domain name")
            if parts.query or parts.fragment or parts.username:
                raise ValueError("it has no query, fragment or user")
            if not re.fullmatch(r"[^:]*(:[0-9]{1,5})?", parts.netloc):
                raise ValueError("its port is a number")
        return None if value is None else value.rstrip("/")

    @field_validator("llama_cloud_api_key")
    @classmethod
    def _is_key(cls, value: SecretStr | None) -> SecretStr | None:
        # It goes into a header.
        if value is not None and not re.fullmatch(r"[!-~]+", value.get_secret_value()):
            raise ValueError("it is one word of visible ASCII characters")
        return value

    @field_validator("llama_cloud_base_url", "receiver_url")
    @classmethod
    def _is_base(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("it is https:// and a host")
            if parts.query or parts.fragment or parts.username:
                raise ValueError("it has no query, fragment or user")
        return value

    @field_validator("parse_tier", mode="before")
    @classmethod
    def _has_markdown(cls, value: Any) -> Any:
        if value == "fast":
            raise ValueError("the tier fast gives no markdown")
        return value

    @model_validator(mode="after")
    def _keys_decode(self) -> Self:
        if self.llamaparse_scheme == "standard":
            secrets = [secret.get_secret_value() for secret in self.llamaparse_secrets]
            _require_length(secrets)
            for secret in secrets:
                standard_key(secret)
        return self

    @model_validator(mode="after")
    def _supabase_is_whole(self) -> Self:
        if self.storage_url is not None and self.storage_url.startswith("supabase:"):
            for variable, value in (
                ("SUPABASE_URL", self.supabase_url),
                ("SUPABASE_SERVICE_ROLE_KEY", self.supabase_service_role_key),
            ):
                if value is None:
                    raise ValueError(
                        f"{variable} is not set, and HOOKLINE_STORAGE_URL={self.storage_url} needs"
                        f" it: set it, for example to {_EXAMPLES[variable]}"
                    )
        return self

    @model_validator(mode="after")
    def _one_body_fits(self) -> Self:
        if self.body_budget < self.max_body:
            raise ValueError(
                f"HOOKLINE_BODY_BUDGET is at least HOOKLINE_MAX_BODY, here {self.max_body}"
            )
        return self

    @model_validator(mode="after")
    def _silence_is_long_enough(self) -> Self:
        # A request that is given up may take effect late, and be listed later still.
        if self.submit_grace <= self.provider_timeout:
            raise ValueError(
                "HOOKLINE_SUBMIT_GRACE is more than HOOKLINE_PROVIDER_TIMEOUT, "
                f"here {self.provider_timeout:g}"
            )
        return self

    def require_database(self) -> str:
        """DATABASE_URL, or a ConfigurationError that says how to set it."""
        if self.database_url is None:
            raise _missing("DATABASE_URL", "or run `hookline up` in this directory")
        return self.database_url.get_secret_value()

    def require_storage(self) -> str:
        """HOOKLINE_STORAGE_URL, or a ConfigurationError that says how to set it."""
        if self.storage_url is None:
            raise _missing("HOOKLINE_STORAGE_URL")
        return self.storage_url

    def require_api_key(self) -> str:
        """LLAMA_CLOUD_API_KEY, or a ConfigurationError that says how to set it."""
        if self.llama_cloud_api_key is None:
            raise _missing("LLAMA_CLOUD_API_KEY")
        return self.llama_cloud_api_key.get_secret_value()

    def require_llamaparse_secret(self) -> str:
        """The newest of HOOKLINE_LLAMAPARSE_SECRETS, or a ConfigurationError that asks for it."""
        if not self.llamaparse_secrets:
            raise _missing(
                "HOOKLINE_LLAMAPARSE_SECRETS",
                "the local parser signs with the first of the receiver's secrets",
            )
        return self.llamaparse_secrets[0].get_secret_value()

    def require_secrets(self) -> None:
        """Raise a ConfigurationError unless some source has a secret: no receiver without one."""
        if not (self.llamaparse_secrets or self.llamacloud_secrets or self.push_secrets):
            raise _missing(
                "HOOKLINE_LLAMAPARSE_SECRETS",
                "or HOOKLINE_LLAMACLOUD_SECRETS, or HOOKLINE_PUSH_SECRETS: "
                "a receiver accepts nothing that is not proven",
            )


def _require_length(secrets: Iterable[str]) -> None:
    if any(len(secret) < _SHORTEST_SECRET for secret in secrets):
        raise ValueError(
            f"every secret has at least {_SHORTEST_SECRET} characters, with commas between them"
        )


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return "." not in host


def _readable(conninfo: str) -> bool:
    try:
        ports = str(conninfo_to_dict(conninfo).get("port") or "")
    except ProgrammingError:
        return False
    return all(port == "" or port.isdecimal() for port in ports.split(","))


def _missing(variable: str, more: str = "") -> ConfigurationError:
    sentence = f"{variable} is not set: set it, for example to {_EXAMPLES[variable]}"
    return ConfigurationError(f"{sentence}; {more}." if more else f"{sentence}.")


def load(env_file: Path | None = ENV_FILE) -> Settings:
    """The environment's settings, and under them those of `env_file` if it exists.

    Raises ConfigurationError for the first wrong value.
    """
    try:
        if env_file is not None and env_file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return Settings(_env_file=env_file)  # type: ignore[call-arg]
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{env_file} is damaged, it is no text: remove it, `hookline up` writes it anew."
        ) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(f"{env_file} is there but cannot be read: {reason}.") from error
    reason = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        if reason.startswith(("HOOKLINE_", "SUPABASE_")):
            raise ConfigurationError(f"{reason}.")
        raise ConfigurationError(
            f"HOOKLINE_LLAMAPARSE_SECRETS is wrong for the scheme `standard`: {reason}. "
            f"A right one: {_STANDARD_EXAMPLE}."
        )
    variable = str(first["loc"][0])
    example = _EXAMPLES.get(variable)
    right = f" A right value: {example}." if example else ""
    raise ConfigurationError(f"{variable} is wrong: {reason}.{right}")
