"""Reads the descriptions of senders from TOML: one table for each, checked with a sentence each."""

from __future__ import annotations

import base64
import binascii
import re
import tomllib
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from hookline.setting_values import check_length, split_at_commas, standard_key
from hookline.settings import ConfigurationError, Settings
from hookline.sources.signed_json import Description

__all__ = ["Sender", "read_senders", "secrets_variable"]

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
# A source called `push` would take the secrets of llamaparse_push.
_VARIABLES_OF_OTHERS: Final = frozenset(str(one.alias) for one in Settings.model_fields.values())
_PLACEHOLDERS: Final = frozenset({"body", "id", "timestamp"})


def _check_pointer(pointer: str) -> str:
    if re.search(r"~(?![01])", pointer):
        raise ValueError("in a JSON pointer ~ is written ~0, and / in a name ~1")
    return pointer


def _check_signed(signed: str) -> str:
    named = re.findall(r"\{([^{}]*)\}", signed)
    if not set(named) <= _PLACEHOLDERS or re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", signed)):
        raise ValueError("only {body}, {id} and {timestamp} stand in braces")
    if named.count("body") != 1 or len(named) != len(set(named)):
        raise ValueError("it has {body} once, and {id} and {timestamp} at most once")
    # Otherwise a character could be moved from one signed value to the next.
    if re.search(r"\}[A-Za-z0-9]*\{", signed):
        raise ValueError("a full stop, a colon or the like stands between two values")
    return signed


_Code = Literal[
    "parse_started",
    "parse_ready",
    "parse_partial",
    "parse_ended",
    "parse_failed",
    "parse_cancelled",
]
_Header = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$")]
_Pointer = Annotated[
    str, StringConstraints(pattern=r"^/", max_length=200), AfterValidator(_check_pointer)
]


class Sender(BaseModel):
    """One table: Description explains the fields. `secret_form` says how the secrets are written.

    text: the key is the UTF-8 text; hex, base64: the key is decoded; whsec: as Standard Webhooks.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    signature_header: _Header
    status: _Pointer
    codes: dict[Annotated[str, StringConstraints(min_length=1, max_length=200)], _Code]
    signature_prefix: Annotated[str, StringConstraints(pattern=r"^[!-~]{0,20}$")] = ""
    signed: Annotated[
        str, StringConstraints(pattern=r"^[ -~]{1,100}$"), AfterValidator(_check_signed)
    ] = "{body}"
    encoding: Literal["hex", "base64"] = "hex"
    algorithm: Literal["sha256", "sha512"] = "sha256"
    id_header: _Header | None = None
    timestamp_header: _Header | None = None
    tolerance: int = Field(300, ge=1, le=3600)
    secret_form: Literal["text", "hex", "base64", "whsec"] = "text"  # noqa: S105 - no secret
    delivery_id: _Pointer | None = None
    parse_job_id: _Pointer | None = None
    job_id: _Pointer | None = None
    attempt: _Pointer | None = None
    reason: _Pointer | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        for placeholder, header in (
            ("id", self.id_header),
            ("timestamp", self.timestamp_header),
        ):
            if (f"{{{placeholder}}}" in self.signed) != (header is not None):
                raise ValueError(
                    f"{placeholder}_header and {{{placeholder}}} in signed need each other: a"
                    " header that is not signed proves nothing"
                )
        if self.parse_job_id is None and self.job_id is None:
            raise ValueError("parse_job_id or job_id has to say where the job is named")
        if self.attempt is not None and self.job_id is None:
            raise ValueError("attempt needs job_id: it is the attempt of that job")
        if not self.codes:
            raise ValueError("codes has to map a status to one of our codes")
        return self

    def description(self, name: str) -> Description:
        """The description for the source of this name."""
        return Description(name=name, **self.model_dump(exclude={"secret_form"}))

    def keys(self, secrets: str) -> list[bytes]:
        """The keys in a list of secrets with commas between them.

        Raises ValueError with a sentence that holds no secret.
        """
        listed = split_at_commas(secrets)
        check_length(listed)
        match self.secret_form:
            case "text":
                return [secret.encode() for secret in listed]
            case "whsec":
                return [standard_key(secret) for secret in listed]
            case form:
                return [_decoded(secret, form) for secret in listed]


def secrets_variable(name: str) -> str:
    """The variable with the secrets of a described source."""
    return f"HOOKLINE_{name.upper()}_SECRETS"


def read_senders(text: str, taken: frozenset[str]) -> Mapping[str, Sender]:
    """The tables of a TOML document by the names of their sources.

    `taken` are the names of other sources. Raises ConfigurationError, which names the first wrong
    table and field.
    """
    try:
        tables: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"HOOKLINE_SOURCES is no TOML: {error}.") from error
    if not tables:
        raise ConfigurationError(
            "HOOKLINE_SOURCES describes no source: it has one table for each, such as [acme]."
        )
    senders = {}
    for name, table in tables.items():
        where = f"The source [{name}] of HOOKLINE_SOURCES"
        if not _NAME.fullmatch(name) or name in taken:
            raise ConfigurationError(
                f"{where} needs another name: one that no other source has, of lower-case letters,"
                " digits and underscores."
            )
        if (variable := secrets_variable(name)) in _VARIABLES_OF_OTHERS:
            raise ConfigurationError(
                f"{where} needs another name: {variable} has the secrets of a built-in source."
            )
        if not isinstance(table, dict):
            raise ConfigurationError(f"{where} is no table: write [{name}] above its fields.")
        try:
            senders[name] = Sender.model_validate(table)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            fields = ".".join(map(str, first["loc"]))
            reason = first["msg"].removeprefix("Value error, ")
            raise ConfigurationError(
                f"{where} is wrong: {f'{fields}: ' if fields else ''}{reason}."
            ) from None
    return senders


def _decoded(secret: str, form: str) -> bytes:
    try:
        key = bytes.fromhex(secret) if form == "hex" else base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"a secret is not {form}") from None
    if len(key) < 16:
        raise ValueError(f"a secret holds fewer than 16 bytes as {form}")
    return key
