"""The configuration: read once from the environment, into one frozen object.

A wrong value stops the start with a sentence that names the variable and shows a right value.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from hookline.database_url import variable_fault
from hookline.error import HooklineError
from hookline.setting_values import (
    ApiKey,
    BaseUrl,
    DashboardUrl,
    EndpointUrl,
    HeaderName,
    Host,
    HostNames,
    ModuleNames,
    Networks,
    Password,
    PostgresUrl,
    PublicUrl,
    Secrets,
    ServiceRoleKey,
    StorageUrl,
    SupabaseUrl,
    check_length,
    clean_text,
    is_in_a_local_network,
    split_at_commas,
    standard_key,
)

__all__ = ["ENV_FILE", "ConfigurationError", "Settings", "find_env_file", "load", "missing"]

# `hookline up` writes it, for the other commands to read. Variables of the environment win over it.
ENV_FILE = Path(".hookline/env")

_EXAMPLES = {
    "DATABASE_URL": "postgresql://receiver:password@db.example.com:5432/app",
    "HOOKLINE_STORAGE_URL": "file:///var/lib/hookline/objects",
    "SUPABASE_URL": "https://abcdefghijklmnopqrst.supabase.co",
    "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_and-more-from-the-dashboard",
    "HOOKLINE_LLAMAPARSE_SCHEME": "hex",
    "HOOKLINE_LLAMAPARSE_SECRETS": "a-long-random-secret,the-one-before-it",
    "HOOKLINE_LLAMACLOUD_SECRETS": "a-long-random-secret,the-one-before-it",
    "HOOKLINE_PUSH_SECRETS": "a-long-random-secret,the-one-before-it",
    "HOOKLINE_SOURCES": "/etc/hookline/sources.toml",
    "HOOKLINE_PUBLIC_URL": "https://hooks.example.com",
    "HOOKLINE_HOST": "0.0.0.0",  # noqa: S104 - an example
    "HOOKLINE_PORT": "8080",
    "HOOKLINE_PROCESSES": "2",
    "HOOKLINE_ADMIN_HOST": "127.0.0.1",
    "HOOKLINE_ADMIN_PORT": "8081",
    "HOOKLINE_DASHBOARD_DATABASE_URL": "postgresql://dashboard:password@db.example.com:5432/app",
    "HOOKLINE_DASHBOARD_PASSWORD": "a-long-random-password",
    "HOOKLINE_DASHBOARD_URL": "https://ops.example.com/hookline",
    "HOOKLINE_DASHBOARD_USER_HEADER": "X-Forwarded-User",
    "HOOKLINE_DASHBOARD_PROXIES": "10.0.0.5,10.1.0.0/24",
    "HOOKLINE_PREPARE_THRESHOLD": "5, or off behind a transaction pooler",
    "HOOKLINE_POOL_SIZE": "8",
    "HOOKLINE_STORAGE_DEADLINE": "10",
    "HOOKLINE_MAX_BODY": "33554432",
    "HOOKLINE_BODY_BUDGET": "67108864",
    "HOOKLINE_READ_TIMEOUT": "20",
    "HOOKLINE_STOP_TIMEOUT": "30",
    "HOOKLINE_STAGES": "my_stages,/srv/app/more_stages.py",
    "HOOKLINE_WORKER_NAME": "worker-1",
    "HOOKLINE_LEASE": "60",
    "HOOKLINE_NOTIFY_URL": "https://app.example.com/hooks/documents",
    "HOOKLINE_NOTIFY_SECRETS": "whsec_ and 32 random bytes in base64",
    "HOOKLINE_NOTIFY_PRIVATE": "on, or off",
    "HOOKLINE_NOTIFY_TIMEOUT": "15",
    "HOOKLINE_LOG_FORMAT": "auto, or json, or console",
    "HOOKLINE_ERROR_MESSAGES": "on, or off if messages may quote documents",
    "HOOKLINE_PARSER": "llamacloud, or reducto,docling,local, or none",
    "HOOKLINE_RECEIVER_URL": "http://10.0.0.5:8080",
    "HOOKLINE_PARSER_MEMORY": "1073741824",
    "HOOKLINE_PARSER_MEMORY_BUDGET": "4294967296",
    "LLAMA_CLOUD_API_KEY": "llx-and-48-characters",
    "LLAMA_CLOUD_BASE_URL": "https://api.cloud.eu.llamaindex.ai",
    "HOOKLINE_PARSE_TIER": "cost_effective, or agentic, or agentic_plus",
    "HOOKLINE_PARSE_VERSION": "latest, or a date such as 2026-10-16",
    "HOOKLINE_DOCLING_URL": "http://127.0.0.1:5001",
    "HOOKLINE_DOCLING_API_KEY": "the-key-of-docling-serve",
    "HOOKLINE_DOCLING_SECRETS": "a-long-random-secret,the-one-before-it",
    "REDUCTO_API_KEY": "the-key-of-reducto",
    "REDUCTO_BASE_URL": "https://eu.platform.reducto.ai",
    "HOOKLINE_REDUCTO_SECRETS": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "HOOKLINE_REDUCTO_CREDITS_PER_PAGE": "2",
    "HOOKLINE_RESULT_HOSTS": "results.internal,10.0.0.7",
    "HOOKLINE_ASSUMED_PAGES": "10",
    "HOOKLINE_PROVIDER_TIMEOUT": "60",
    "HOOKLINE_SUBMIT_GRACE": "120",
}
_SECRETS = (
    "llamaparse_secrets",
    "llamacloud_secrets",
    "push_secrets",
    "notify_secrets",
    "docling_secrets",
    "reducto_secrets",
)
_STANDARD_EXAMPLE = "whsec_ and 32 random bytes in base64"


class ConfigurationError(HooklineError):
    """The configuration is wrong. The message names the variable, the reason and a right value."""


class Settings(BaseSettings):
    """All settings. Sizes are in bytes, times in seconds."""

    model_config = SettingsConfigDict(
        frozen=True,
        populate_by_name=True,
        case_sensitive=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    database_url: PostgresUrl | None = Field(None, alias="DATABASE_URL")
    prepare_threshold: int | None = Field(5, alias="HOOKLINE_PREPARE_THRESHOLD", ge=0)
    pool_size: int = Field(8, alias="HOOKLINE_POOL_SIZE", ge=2, le=1000)

    storage_url: StorageUrl | None = Field(None, alias="HOOKLINE_STORAGE_URL")
    supabase_url: SupabaseUrl | None = Field(None, alias="SUPABASE_URL")
    supabase_service_role_key: ServiceRoleKey | None = Field(
        None, alias="SUPABASE_SERVICE_ROLE_KEY"
    )
    storage_deadline: float = Field(10.0, alias="HOOKLINE_STORAGE_DEADLINE", gt=0, le=25)

    # The scheme stands before the secrets, since their validation reads it.
    llamaparse_scheme: Literal["hex", "standard"] = Field("hex", alias="HOOKLINE_LLAMAPARSE_SCHEME")
    llamaparse_secrets: Secrets = Field((), alias="HOOKLINE_LLAMAPARSE_SECRETS")
    llamacloud_secrets: Secrets = Field((), alias="HOOKLINE_LLAMACLOUD_SECRETS")
    push_secrets: Secrets = Field((), alias="HOOKLINE_PUSH_SECRETS")
    # A TOML file that describes senders; sources.descriptions reads it.
    sources: str | None = Field(None, alias="HOOKLINE_SOURCES", min_length=1)

    host: Host = Field("127.0.0.1", alias="HOOKLINE_HOST")
    port: int = Field(8080, alias="HOOKLINE_PORT", ge=0, le=65535)
    processes: int = Field(1, alias="HOOKLINE_PROCESSES", ge=1, le=64)
    admin_host: Host = Field("127.0.0.1", alias="HOOKLINE_ADMIN_HOST")
    admin_port: int = Field(8081, alias="HOOKLINE_ADMIN_PORT", ge=0, le=65535)
    public_url: PublicUrl | None = Field(None, alias="HOOKLINE_PUBLIC_URL")

    # `hookline up` and `hookline dashboard` use DATABASE_URL without it, which is an operator's.
    dashboard_database_url: PostgresUrl | None = Field(
        None, alias="HOOKLINE_DASHBOARD_DATABASE_URL"
    )
    dashboard_password: Password | None = Field(None, alias="HOOKLINE_DASHBOARD_PASSWORD")
    dashboard_url: DashboardUrl | None = Field(None, alias="HOOKLINE_DASHBOARD_URL")
    dashboard_user_header: HeaderName | None = Field(None, alias="HOOKLINE_DASHBOARD_USER_HEADER")
    dashboard_proxies: Networks = Field((), alias="HOOKLINE_DASHBOARD_PROXIES")

    max_body: int = Field(32 * 2**20, alias="HOOKLINE_MAX_BODY", ge=2**16, le=2**30)
    body_budget: int = Field(64 * 2**20, alias="HOOKLINE_BODY_BUDGET", ge=2**20)
    read_timeout: float = Field(20.0, alias="HOOKLINE_READ_TIMEOUT", gt=0, le=600)
    stop_timeout: float = Field(30.0, alias="HOOKLINE_STOP_TIMEOUT", gt=0, le=600)

    # None: providers.configured_parser decides by the other settings.
    parser: str | None = Field(
        None, alias="HOOKLINE_PARSER", pattern=r"^[a-z][a-z0-9_]{0,62}( ?, ?[a-z][a-z0-9_]{0,62})*$"
    )
    # Where the local parser sends its webhooks; None: HOOKLINE_HOST and HOOKLINE_PORT.
    receiver_url: BaseUrl | None = Field(None, alias="HOOKLINE_RECEIVER_URL")

    parser_memory: int = Field(2**30, alias="HOOKLINE_PARSER_MEMORY", ge=256 * 2**20, le=64 * 2**30)
    parser_memory_budget: int = Field(
        4 * 2**30, alias="HOOKLINE_PARSER_MEMORY_BUDGET", ge=256 * 2**20, le=2**40
    )

    # LLAMA_CLOUD_... are the names that the SDK of LlamaCloud uses.
    llama_cloud_api_key: ApiKey | None = Field(None, alias="LLAMA_CLOUD_API_KEY")
    llama_cloud_base_url: BaseUrl | None = Field(None, alias="LLAMA_CLOUD_BASE_URL")
    parse_tier: Literal["cost_effective", "agentic", "agentic_plus"] = Field(
        "cost_effective", alias="HOOKLINE_PARSE_TIER"
    )
    parse_version: str = Field(
        "latest", alias="HOOKLINE_PARSE_VERSION", pattern=r"^(latest|\d{4}-\d{2}-\d{2})$"
    )
    docling_url: BaseUrl | None = Field(None, alias="HOOKLINE_DOCLING_URL")
    docling_api_key: ApiKey | None = Field(None, alias="HOOKLINE_DOCLING_API_KEY")
    docling_secrets: Secrets = Field((), alias="HOOKLINE_DOCLING_SECRETS")

    # REDUCTO_... are the names that the SDK of Reducto uses.
    reducto_api_key: ApiKey | None = Field(None, alias="REDUCTO_API_KEY")
    reducto_base_url: BaseUrl | None = Field(None, alias="REDUCTO_BASE_URL")
    reducto_secrets: Secrets = Field((), alias="HOOKLINE_REDUCTO_SECRETS")
    reducto_credits_per_page: float = Field(
        2.0, alias="HOOKLINE_REDUCTO_CREDITS_PER_PAGE", gt=0, le=1000
    )
    # Hosts from which a result may come although their address is private.
    result_hosts: HostNames = Field((), alias="HOOKLINE_RESULT_HOSTS")

    assumed_pages: int = Field(10, alias="HOOKLINE_ASSUMED_PAGES", ge=1, le=100_000)
    provider_timeout: float = Field(60.0, alias="HOOKLINE_PROVIDER_TIMEOUT", gt=0, le=600)
    submit_grace: float = Field(120.0, alias="HOOKLINE_SUBMIT_GRACE", gt=0, le=600)

    log_format: Literal["auto", "json", "console"] = Field("auto", alias="HOOKLINE_LOG_FORMAT")

    stages: ModuleNames = Field((), alias="HOOKLINE_STAGES")
    worker_name: str | None = Field(
        None, alias="HOOKLINE_WORKER_NAME", min_length=1, max_length=200
    )
    lease: float = Field(60.0, alias="HOOKLINE_LEASE", ge=1, le=86400)
    # Where the worker tells the application of steps, and the keys that it signs with.
    notify_url: EndpointUrl | None = Field(None, alias="HOOKLINE_NOTIFY_URL")
    notify_secrets: Secrets = Field((), alias="HOOKLINE_NOTIFY_SECRETS")
    notify_private: Literal["on", "off"] = Field("off", alias="HOOKLINE_NOTIFY_PRIVATE")
    notify_timeout: float = Field(15.0, alias="HOOKLINE_NOTIFY_TIMEOUT", gt=0, le=60)
    # Whether the message of a handler's exception is stored and logged.
    error_messages: Literal["on", "off"] = Field("on", alias="HOOKLINE_ERROR_MESSAGES")

    @field_validator(*_SECRETS, mode="before")
    @classmethod
    def _split_secrets(cls, value: Any, others: ValidationInfo) -> Any:
        if not isinstance(value, str):
            return value
        secrets = split_at_commas(value)
        is_standard = others.data.get("llamaparse_scheme") == "standard"
        # _check_standard_keys checks keys of the scheme `standard`, with another sentence.
        if not (is_standard and others.field_name == "llamaparse_secrets"):
            check_length(secrets)
        if others.field_name in ("notify_secrets", "reducto_secrets"):
            for secret in secrets:
                standard_key(secret)
        return secrets

    @field_validator("prepare_threshold", mode="before")
    @classmethod
    def _read_off(cls, value: Any) -> Any:
        return None if value == "off" else value

    @field_validator("parse_tier", mode="before")
    @classmethod
    def _refuse_fast(cls, value: Any) -> Any:
        if value == "fast":
            raise ValueError("the tier fast gives no markdown")
        return value

    # The last validator before the type is the first to run, so it sees the value as it came.
    @field_validator("*", mode="before")
    @classmethod
    def _clean(cls, value: Any, info: ValidationInfo) -> Any:
        is_list = info.field_name in ("stages", *_SECRETS)
        return clean_text(value, lines=is_list) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_libpq_variables(self) -> Self:
        for url in (self.database_url, self.dashboard_database_url):
            if url is not None and (fault := variable_fault(url.get_secret_value())):
                raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _check_dashboard_login(self) -> Self:
        header, proxies = self.dashboard_user_header, self.dashboard_proxies
        if header is not None and not proxies:
            raise ValueError(
                "HOOKLINE_DASHBOARD_USER_HEADER is set without HOOKLINE_DASHBOARD_PROXIES, so"
                " anybody could send it: set both"
            )
        if proxies and header is None:
            raise ValueError(
                "HOOKLINE_DASHBOARD_PROXIES is set without HOOKLINE_DASHBOARD_USER_HEADER: set both"
            )
        if header is not None and self.dashboard_password is not None:
            raise ValueError(
                "HOOKLINE_DASHBOARD_PASSWORD and HOOKLINE_DASHBOARD_USER_HEADER are two ways to log"
                " in: set one of them"
            )
        return self

    @model_validator(mode="after")
    def _check_notifications(self) -> Self:
        if self.notify_url is None:
            if self.notify_secrets:
                raise ValueError(
                    "HOOKLINE_NOTIFY_SECRETS is set without HOOKLINE_NOTIFY_URL: set both"
                )
            return self
        if not self.notify_secrets:
            raise ValueError(
                "HOOKLINE_NOTIFY_URL is set without HOOKLINE_NOTIFY_SECRETS, so the application"
                " could not know who sends: set both"
            )
        parts = urlsplit(self.notify_url.get_secret_value())
        if self.notify_private == "off":
            if parts.scheme == "http":
                raise ValueError(
                    "HOOKLINE_NOTIFY_URL is http://, which is accepted only in a local network:"
                    " use https://, or set HOOKLINE_NOTIFY_PRIVATE=on"
                )
            if is_in_a_local_network(parts.hostname or ""):
                raise ValueError(
                    f"HOOKLINE_NOTIFY_URL leads to {parts.hostname}, which is in a local network:"
                    " set HOOKLINE_NOTIFY_PRIVATE=on if that is right"
                )
        return self

    @property
    def notify_keys(self) -> list[bytes]:
        """The keys in HOOKLINE_NOTIFY_SECRETS."""
        return [standard_key(secret.get_secret_value()) for secret in self.notify_secrets]

    @model_validator(mode="after")
    def _check_standard_keys(self) -> Self:
        if self.llamaparse_scheme == "standard":
            secrets = [secret.get_secret_value() for secret in self.llamaparse_secrets]
            check_length(secrets)
            for secret in secrets:
                standard_key(secret)
        return self

    @model_validator(mode="after")
    def _check_supabase(self) -> Self:
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
    def _check_body_budget(self) -> Self:
        if self.body_budget < self.max_body:
            raise ValueError(
                f"HOOKLINE_BODY_BUDGET must be at least HOOKLINE_MAX_BODY, here {self.max_body}"
            )
        return self

    @model_validator(mode="after")
    def _check_parser_memory(self) -> Self:
        if self.parser_memory_budget < self.parser_memory:
            raise ValueError(
                "HOOKLINE_PARSER_MEMORY_BUDGET must be at least HOOKLINE_PARSER_MEMORY, "
                f"here {self.parser_memory}"
            )
        return self

    @model_validator(mode="after")
    def _check_submit_grace(self) -> Self:
        # A request that we gave up may still take effect, and be listed even later.
        if self.submit_grace <= self.provider_timeout:
            raise ValueError(
                "HOOKLINE_SUBMIT_GRACE must be more than HOOKLINE_PROVIDER_TIMEOUT, "
                f"here {self.provider_timeout:g}"
            )
        return self

    @property
    def parsers(self) -> tuple[str, ...]:
        """The words of HOOKLINE_PARSER. Empty if it is not set."""
        return () if self.parser is None else split_at_commas(self.parser)

    def require_database(self) -> str:
        """DATABASE_URL. Raises ConfigurationError, which says how to set it."""
        if self.database_url is None:
            raise missing("DATABASE_URL", "or run `hookline up` in this directory")
        return self.database_url.get_secret_value()

    def require_storage(self) -> str:
        """HOOKLINE_STORAGE_URL. Raises ConfigurationError, which says how to set it."""
        if self.storage_url is None:
            raise missing("HOOKLINE_STORAGE_URL")
        return self.storage_url

    def require_api_key(self) -> str:
        """LLAMA_CLOUD_API_KEY. Raises ConfigurationError, which says how to set it."""
        if self.llama_cloud_api_key is None:
            raise missing("LLAMA_CLOUD_API_KEY")
        return self.llama_cloud_api_key.get_secret_value()

    def require_llamaparse_secret(self) -> str:
        """The first, newest of HOOKLINE_LLAMAPARSE_SECRETS. Raises ConfigurationError."""
        if not self.llamaparse_secrets:
            raise missing(
                "HOOKLINE_LLAMAPARSE_SECRETS",
                "the local parser signs with the first of the receiver's secrets",
            )
        return self.llamaparse_secrets[0].get_secret_value()


def missing(variable: str, more: str = "") -> ConfigurationError:
    """The error that says how to set a variable. `more` is what could be done instead, or why."""
    sentence = f"{variable} is not set: set it, for example to {_EXAMPLES[variable]}"
    return ConfigurationError(f"{sentence}; {more}." if more else f"{sentence}.")


def find_env_file() -> Path:
    """ENV_FILE of this directory, else of the nearest parent where it is a file of this user."""
    if not ENV_FILE.exists():
        for parent in Path.cwd().parents:
            with suppress(OSError):
                # A directory above may belong to others, who must not choose our database.
                if (parent / ENV_FILE).stat().st_uid == os.geteuid():
                    return parent / ENV_FILE
    return ENV_FILE


def load(
    env_file: Path | None = ENV_FILE,
    *,
    ignoring: Collection[str] = (),
    given: Mapping[str, object] | None = None,
) -> Settings:
    """The settings of the environment and of `env_file`, if that exists. The environment wins.

    The default is the file that find_env_file finds; None is no file. Variables named in `ignoring`
    count as not set. Values of `given`, by the names of the variables, win over both. Raises
    ConfigurationError for the first wrong value.
    """
    chosen = {
        str(field.alias): field.default
        for field in Settings.model_fields.values()
        if field.alias in ignoring
    } | dict(given or {})
    if env_file is ENV_FILE:
        env_file = find_env_file()
    try:
        if env_file is not None and env_file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        # Editors on Windows begin a file with a byte order mark.
        return Settings(_env_file=env_file, _env_file_encoding="utf-8-sig", **chosen)  # type: ignore[call-arg]
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{env_file} is damaged, it is not text: remove it, and `hookline up` writes a new one."
        ) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(f"{env_file} is there but cannot be read: {reason}.") from error
    reason = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        if reason.startswith(("HOOKLINE_", "SUPABASE_", "PG")):
            raise ConfigurationError(f"{reason}.")
        raise ConfigurationError(
            f"HOOKLINE_LLAMAPARSE_SECRETS is wrong for the scheme `standard`: {reason}. "
            f"A right one: {_STANDARD_EXAMPLE}."
        )
    variable = str(first["loc"][0])
    example = _EXAMPLES.get(variable)
    right = f" A right value: {example}." if example else ""
    raise ConfigurationError(f"{variable} is wrong: {reason}.{right}")
