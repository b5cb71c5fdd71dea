"""What a right value of each kind of setting is: one type for each kind.

A wrong value raises ValueError with half a sentence that says what is right and holds no secret.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from hookline.database_url import url_fault

__all__ = [
    "ApiKey",
    "BaseUrl",
    "DashboardUrl",
    "EndpointUrl",
    "HeaderName",
    "Host",
    "HostNames",
    "ModuleNames",
    "Networks",
    "Password",
    "PostgresUrl",
    "PublicUrl",
    "Secrets",
    "ServiceRoleKey",
    "StorageUrl",
    "SupabaseUrl",
    "check_length",
    "clean_text",
    "is_in_a_local_network",
    "split_at_commas",
    "standard_key",
]

_SHORTEST_SECRET = 16
# People type it, and the login answers few wrong ones a minute.
_SHORTEST_PASSWORD = 12
# Bytes. Source: Standard Webhooks, "Signature scheme".
_SHORTEST_KEY, _LONGEST_KEY = 24, 64
# Characters that a file or a shell may leave around a value: line breaks, and a byte order mark.
_AROUND = " \t\r\n\ufeff"


def clean_text(value: str, *, lines: bool) -> str:
    """The value without blanks and line breaks around it. Raises ValueError if it is not text.

    With `lines` it may have line breaks inside.
    """
    if not value.isprintable() and any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("it is not UTF-8")
    value = value.strip(_AROUND)
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        raise ValueError("it has quotes around it, which belong to a shell: remove them")
    if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]" if lines else r"[\x00-\x1f\x7f]", value):
        raise ValueError("it has a control character, such as a line break")
    return value


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
    if not _SHORTEST_KEY <= len(key) <= _LONGEST_KEY:
        raise ValueError(
            f"a Standard Webhooks secret holds {_SHORTEST_KEY} to {_LONGEST_KEY} bytes after"
            f" whsec_, not {len(key)}"
        )
    return key


def check_length(secrets: Iterable[str]) -> None:
    """Raise ValueError for a secret that is too short, or empty."""
    if any(len(secret) < _SHORTEST_SECRET for secret in secrets):
        raise ValueError(
            f"every secret has at least {_SHORTEST_SECRET} characters, with commas between them"
        )


def split_at_commas(value: str) -> tuple[str, ...]:
    """The parts of a list in one variable, without the blanks around them."""
    return tuple(part.strip() for part in value.split(","))


def _split_names(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    names = split_at_commas(value)
    if not all(name and name.isprintable() for name in names):
        raise ValueError("it is modules or .py files, with commas between them")
    return names


def _split_hosts(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    hosts = tuple(part.lower() for part in split_at_commas(value))
    if not all(re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]+", host) for host in hosts):
        raise ValueError("it is host names or IP addresses, without ports, with commas between")
    return hosts


def _check_postgres_url(value: SecretStr) -> SecretStr:
    if fault := url_fault(value.get_secret_value()):
        raise ValueError(fault)
    return value


def _check_host(value: str) -> str:
    # Empty would mean every address. The socket module fails with UnicodeError for the others.
    try:
        encoded = value.encode("idna")
    except UnicodeError:
        encoded = b""
    if not encoded:
        raise ValueError("it is a host name or an IP address")
    return value


def _check_storage_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme == "supabase":
        # Uploads are in bucket `raw`. With parsed content in it, neither could be listed alone.
        if not re.fullmatch(r"supabase://(?!raw$)[A-Za-z0-9][A-Za-z0-9_-]{0,99}", value):
            raise ValueError("it is supabase:// and the name of a bucket other than raw")
        return value
    if parts.scheme != "file" or parts.netloc or not parts.path.startswith("/"):
        raise ValueError("it is file:// and an absolute path, or supabase:// and a bucket's name")
    if "?" in value or "#" in value or "\0" in unquote(parts.path):
        raise ValueError("it has no query, fragment or null byte; %3F is ?, %23 is #")
    return value


def _check_supabase_url(value: str) -> str:
    address = re.fullmatch(r"(https?)://([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?/?", value)
    if address is None:
        raise ValueError("it is https:// and a host, without a path")
    _check_port(urlsplit(value))
    if address[1] == "http" and not _is_near(address[2].strip("[]")):
        raise ValueError(
            "plain http:// would send the key unencrypted: it is accepted only for this machine"
            " and for a host name without a domain (a container's)"
        )
    return value.rstrip("/")


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return "." not in host


def _check_service_role_key(value: SecretStr) -> SecretStr:
    # A header cannot hold anything else, and the HTTP client's error would show the key.
    if not re.fullmatch(r"[A-Za-z0-9._-]{20,}", value.get_secret_value()):
        raise ValueError(
            "it is the secret key, or the service_role key, of the project's API settings"
        )
    return value


def _check_public_url(value: str) -> str:
    parts = urlsplit(value)
    # LlamaParse refuses plain HTTP, IP addresses and private names.
    if parts.scheme != "https" or not re.fullmatch(
        r"([a-z0-9-]+\.)+[a-z][a-z0-9-]*", parts.hostname or ""
    ):
        raise ValueError("it is https:// and a public domain name")
    if parts.query or parts.fragment or parts.username:
        raise ValueError("it has no query, fragment or user")
    _check_port(parts)
    return value.rstrip("/")


def _check_api_key(value: SecretStr) -> SecretStr:
    # It is sent in a header.
    if not re.fullmatch(r"[!-~]+", value.get_secret_value()):
        raise ValueError("it is one word of visible ASCII characters")
    return value


def _check_base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it is https:// and a host")
    if parts.query or parts.fragment or "@" in value:
        raise ValueError("it has no query, fragment or user")
    if " " in value:
        raise ValueError("it has no blank")
    _check_port(parts)
    return value


def _check_endpoint_url(value: SecretStr) -> SecretStr:
    # A secret: many endpoints are proven by a token in their path or query.
    parts = urlsplit(url := value.get_secret_value())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it is https:// and a host")
    if not re.fullmatch(r"[!-~]+", url) or "#" in url or parts.username is not None:
        raise ValueError("it is visible ASCII characters, without a fragment and without a user")
    _check_port(parts)
    return value


def is_in_a_local_network(host: str) -> bool:
    """Whether a host is an address of a local network or of this machine, or a name in one."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host.rstrip(".") or host.rstrip(".").endswith((".local", ".internal"))


def _check_dashboard_url(value: str) -> str:
    parts = urlsplit(_check_base_url(value))
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*/?", parts.path):
        raise ValueError("its path has letters, digits and - . _ ~ between slashes")
    if parts.path.rstrip("/") in ("/metrics", "/readyz"):
        raise ValueError("this path is taken on the admin side")
    return value.rstrip("/")


def _check_password(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < _SHORTEST_PASSWORD:
        raise ValueError(f"it has at least {_SHORTEST_PASSWORD} characters")
    return value


def _check_header_name(value: str) -> str:
    # RFC 9110, section 5.6.2, without what no proxy uses. These say something else already.
    if not re.fullmatch(r"[A-Za-z0-9-]+", value) or value.lower() in ("cookie", "host", "origin"):
        raise ValueError("it is the name of a header that only the proxy sets")
    return value


def _split_networks(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return tuple(ipaddress.ip_network(part) for part in split_at_commas(value))
    except ValueError:
        raise ValueError("it is IP addresses or networks, with commas between them") from None


def _check_port(parts: SplitResult) -> None:
    try:
        right = parts.port != 0
    except ValueError:
        right = False
    if not right:
        raise ValueError("its port is a number from 1 to 65535")


Host = Annotated[str, AfterValidator(_check_host)]
PostgresUrl = Annotated[SecretStr, AfterValidator(_check_postgres_url)]
StorageUrl = Annotated[str, AfterValidator(_check_storage_url)]
SupabaseUrl = Annotated[str, AfterValidator(_check_supabase_url)]
ServiceRoleKey = Annotated[SecretStr, AfterValidator(_check_service_role_key)]
PublicUrl = Annotated[str, AfterValidator(_check_public_url)]
DashboardUrl = Annotated[str, AfterValidator(_check_dashboard_url)]
Password = Annotated[SecretStr, AfterValidator(_check_password)]
HeaderName = Annotated[str, AfterValidator(_check_header_name)]
Networks = Annotated[
    tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...],
    NoDecode,
    BeforeValidator(_split_networks),
]
EndpointUrl = Annotated[SecretStr, AfterValidator(_check_endpoint_url)]
BaseUrl = Annotated[str, AfterValidator(_check_base_url)]
ApiKey = Annotated[SecretStr, AfterValidator(_check_api_key)]
HostNames = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_hosts)]
ModuleNames = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_names)]
# Split by Settings: how long a secret must be depends on the scheme.
Secrets = Annotated[tuple[SecretStr, ...], NoDecode]
