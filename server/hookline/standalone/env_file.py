"""`.hookline/env`: what `hookline up` writes, and what it starts with."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import (
    suppress,
)
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import SecretStr

from hookline.settings import ConfigurationError, Settings, load

__all__ = ["settings_to_start_with", "variables_of", "write_env_file"]

_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9_@%+=:,./?-]+")
_HEADER = """\
# Written by `hookline up` at each start. The other commands read it in this directory; what stands
# in the environment wins. Lines of your own are kept.
"""


def settings_to_start_with(env_file: Path) -> Settings:
    """The settings to start with."""
    chosen = load(env_file)
    # The file says where it listened last, for the commands: no wish to be exposed once more.
    forgotten = {
        name: field.default
        for name, field in Settings.model_fields.items()
        if name in ("host", "admin_host") and field.alias not in os.environ
    }
    return chosen.model_copy(update=forgotten)


def variables_of(settings: Settings) -> dict[str, str]:
    """What another process needs to be an operator of this one, by variable."""

    def listed(values: tuple[SecretStr, ...]) -> str:
        return ",".join(value.get_secret_value() for value in values)

    return {
        "DATABASE_URL": settings.require_database(),
        "HOOKLINE_STORAGE_URL": settings.require_storage(),
        "HOOKLINE_HOST": settings.host,
        "HOOKLINE_PORT": str(settings.port),
        "HOOKLINE_ADMIN_HOST": settings.admin_host,
        "HOOKLINE_ADMIN_PORT": str(settings.admin_port),
        "HOOKLINE_LLAMAPARSE_SCHEME": settings.llamaparse_scheme,
        "HOOKLINE_LLAMAPARSE_SECRETS": listed(settings.llamaparse_secrets),
        "HOOKLINE_LLAMACLOUD_SECRETS": listed(settings.llamacloud_secrets),
        "HOOKLINE_PUSH_SECRETS": listed(settings.push_secrets),
    }


def write_env_file(env_file: Path, variables: Mapping[str, str]) -> None:
    """Replace the file as a whole, readable by us alone; lines of others stay as they are."""
    kept = ""
    with suppress(FileNotFoundError):
        bindings = parse_stream(StringIO(env_file.read_text().removeprefix(_HEADER)))
        kept = "".join(one.original.string for one in bindings if one.key not in variables)
    lines = "".join(f"{name}={_quoted(value)}\n" for name, value in variables.items())
    for name, read in dotenv_values(stream=StringIO(lines)).items():
        # Only a secret of the user's own can be so: `${` has no escape in this format.
        if read != variables[name]:
            raise ConfigurationError(f"{name} holds `${{`, which {env_file} cannot hold.")
    unfinished = env_file.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        file.write(f"{_HEADER}{lines}{kept}")
        file.flush()
        os.fsync(descriptor)
    unfinished.rename(env_file)


def _quoted(value: str) -> str:
    if _NEEDS_NO_QUOTES.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
