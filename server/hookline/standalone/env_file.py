"""`.hookline/env`: the settings that `hookline up` writes for the other commands."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import SecretStr, ValidationError

from hookline.settings import ConfigurationError, Settings, load
from hookline.standalone.file_errors import file_errors_as

__all__ = ["load_for_start", "read_written", "write"]

_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9_@%+=:,./?-]+")

_HEADER = """\
# Written by `hookline up` at each start, for the other commands in this directory. A variable of
# the environment wins over the same variable here. Lines that you add are kept.
"""


def load_for_start(env_file: Path) -> Settings:
    """The settings to start with: those of the environment and of the file.

    The file also records where the stack listened last, so that the commands find it. That is no
    wish to listen there again: host and admin host count only if the environment sets them.
    Raises ConfigurationError.
    """
    chosen = load(env_file)
    forgotten = {
        name: field.default
        for name, field in Settings.model_fields.items()
        if name in ("host", "admin_host") and field.alias not in os.environ
    }
    return chosen.model_copy(update=forgotten)


def read_written(env_file: Path) -> Settings:
    """The settings of the file alone. The environment may name another database than this one.

    Raises ConfigurationError if the file is not as `write` leaves it.
    """
    try:
        recorded = {
            name: value
            for name, value in dotenv_values(env_file, encoding="utf-8-sig").items()
            if value
        }
        settings = Settings(**recorded)  # type: ignore[arg-type]
    except (ValidationError, OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{env_file} was changed since `hookline up` wrote it, and cannot be read:"
            " stop that `hookline up` and start it again."
        ) from error
    settings.require_database()
    return settings


def write(env_file: Path, settings: Settings) -> None:
    """Replace the file in one step, readable by its owner only. Lines of the user are kept.

    Raises ConfigurationError.
    """
    with file_errors_as(ConfigurationError, env_file):
        _replace(env_file, _variables_of(settings))


def _variables_of(settings: Settings) -> dict[str, str]:
    """What another process needs to be an operator of this stack."""

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


def _replace(env_file: Path, variables: Mapping[str, str]) -> None:
    kept = ""
    with suppress(FileNotFoundError):
        bindings = parse_stream(StringIO(_without_header(env_file.read_text(encoding="utf-8-sig"))))
        kept = "".join(one.original.string for one in bindings if one.key not in variables)
    lines = "".join(f"{name}={_quoted(value)}\n" for name, value in variables.items())
    for name, read in dotenv_values(stream=StringIO(lines)).items():
        # Only a secret that the user chose can hold `${`, which this format cannot escape.
        if read != variables[name]:
            raise ConfigurationError(f"{name} holds `${{`, which {env_file} cannot hold.")
    unfinished = env_file.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{_HEADER}{lines}{kept}")
        file.flush()
        os.fsync(descriptor)
    unfinished.rename(env_file)


def _without_header(text: str) -> str:
    """The text after the header, also after that of another version of Hookline."""
    lines = text.splitlines(keepends=True)
    if not lines or not lines[0].startswith("# Written by `hookline up`"):
        return text
    return "".join(itertools.dropwhile(lambda line: line.startswith("#"), lines))


def _quoted(value: str) -> str:
    if _NEEDS_NO_QUOTES.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
