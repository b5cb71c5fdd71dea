"""HTTP clients with the proxies and certificates of the environment, checked when they are opened.

httpx reads these variables itself. It fails with errors that do not name the variable, or only when
the first request is sent.
Sources: https://www.python-httpx.org/environment_variables/ and, for the forms of a proxy's
variable, urllib.request.getproxies.
"""

from __future__ import annotations

import os
import re
import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from hookline.settings import ConfigurationError

if TYPE_CHECKING:
    import httpx

__all__ = ["check_certificates", "check_proxies", "open_http_client", "proxied"]

_PROXY = "http://proxy.example.com:3128"
# The names under which OpenSSL finds certificates in a directory: `openssl rehash` makes them.
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")

_Client = TypeVar("_Client", bound="httpx.AsyncClient")


def open_http_client(kind: type[_Client], *, largest: int = 2**26, **options: object) -> _Client:
    """A client of this class and these options, whose answers have at most `largest` bytes.

    Raises ConfigurationError, with the variable.
    """
    import httpx  # It comes with the packages of the providers and storages that need it.

    from hookline.process.limited_answers import limit_answers

    check_certificates()
    check_proxies()
    try:
        client = kind(**options)  # type: ignore[arg-type]
    except (httpx.InvalidURL, ValueError) as error:
        # The proxies are right, so it is the list of hosts without one.
        raise ConfigurationError(
            f"{_variable('no')} is wrong: {error}. It is host names and IP addresses, with commas"
            " between them; httpx takes no brackets and no /prefix of an IPv6 address. A right"
            " value: localhost,127.0.0.1,::1,.example.com."
        ) from error
    limit_answers(client, largest)
    return client


def check_proxies() -> None:
    """Raise ConfigurationError if a variable names a proxy that httpx cannot use."""
    proxies = getproxies()
    if "*" not in [host.strip() for host in proxies.get("no", "").split(",")]:
        for scheme in ("http", "https", "all"):
            if url := proxies.get(scheme):
                _check_proxy(_variable(scheme), url)


def proxied(url: str) -> bool:
    """aiohttp's `trust_env` for an address: whether it uses the proxies of the environment.

    Those to https:// do. Raises ConfigurationError if the environment names a proxy for it that
    aiohttp cannot use: it reads no ALL_PROXY, and goes past a proxy at https:// (`trust_env` of
    aiohttp.ClientSession).
    """
    if not url.startswith("https:"):
        return False
    host = urlsplit(url).hostname or ""
    proxies = getproxies()
    if not proxy_bypass(host):
        if value := proxies.get("https"):
            if reason := _aiohttp_fault(value):
                raise ConfigurationError(
                    f"{_variable('https')} is wrong for connections to {host}: {reason}. A right"
                    f" value: {_PROXY}. To use no proxy for {host}, add it to NO_PROXY."
                )
        elif proxies.get("all"):
            raise ConfigurationError(
                f"{_variable('all')} is not read for connections to {host}: set HTTPS_PROXY, for"
                f" example to {_PROXY}. To use no proxy for {host}, add it to NO_PROXY."
            )
    return True


def _aiohttp_fault(value: str) -> str | None:
    if not value.lower().startswith("http://"):
        return "it does not begin with http://, and no other kind of proxy can be used there"
    try:
        parts = urlsplit(value)
        if parts.port == 0:
            return "its port is not a number from 1 to 65535"
    except ValueError:
        return "user and password are percent-encoded, port is a number from 1 to 65535"
    if not parts.hostname:
        return "it has no host"
    return None


def check_certificates() -> None:
    """Raise ConfigurationError if SSL_CERT_FILE or SSL_CERT_DIR cannot be used for TLS."""
    if file := os.environ.get("SSL_CERT_FILE"):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
        except ssl.SSLError as error:
            raise _wrong_certificates("FILE", file, "it has no certificates as PEM") from error
        except (OSError, ValueError) as error:
            raise _wrong_certificates(
                "FILE", file, getattr(error, "strerror", None) or str(error)
            ) from error
    # httpx reads only one of the two.
    elif (directories := os.environ.get("SSL_CERT_DIR")) and not any(
        _has_certificates(Path(one)) for one in directories.split(os.pathsep)
    ):
        raise _wrong_certificates(
            "DIR", directories, "no directory there has certificates with hashed names"
        )
    if file := os.environ.get("SSLKEYLOGFILE"):
        try:
            open(file, "ab").close()
        except OSError as error:
            raise ConfigurationError(
                f"SSLKEYLOGFILE={file} cannot be written: {error.strerror}. Remove the variable."
            ) from error


def _has_certificates(directory: Path) -> bool:
    try:
        return any(_HASHED.fullmatch(name) for name in os.listdir(directory))
    except OSError:
        return False


def _wrong_certificates(suffix: str, value: str, reason: str) -> ConfigurationError:
    right = {
        "FILE": "/etc/ssl/certs/ca-certificates.crt",
        "DIR": "/etc/ssl/certs, after `openssl rehash`",
    }[suffix]
    return ConfigurationError(
        f"SSL_CERT_{suffix}={value} is wrong: {reason}. A right value: {right}; without the"
        " variable, the usual certificates are used."
    )


def _check_proxy(variable: str, value: str) -> None:
    """Raise ConfigurationError, without the value: it may hold a password."""
    scheme = value.partition("://")[0].strip(" '\"").lower() if "://" in value else "http"
    if reason := _proxy_fault(value):
        example = "socks5://127.0.0.1:1080" if scheme.startswith("socks") else _PROXY
        raise ConfigurationError(
            f"{variable} is wrong: {reason}. A right value: {example}; without the variable, no"
            " proxy is used."
        )
    if scheme.startswith("socks") and find_spec("socksio") is None:
        raise ConfigurationError(
            f"{variable} names a SOCKS proxy, which needs the package socksio: run"
            f" `pip install socksio`, or set {variable} to an HTTP proxy, for example {_PROXY}."
        )


def _proxy_fault(value: str) -> str | None:
    import httpx

    try:
        url = httpx.Proxy(value if "://" in value else f"http://{value}").url
    except httpx.InvalidURL:
        return "user and password are percent-encoded, port is a number"
    except ValueError:
        return "it does not begin with http://, https:// or socks5://"
    if not url.host:
        return "it has no host"
    if url.port is not None and not 0 < url.port < 65536:
        return "its port is not a number from 1 to 65535"
    return None


def _variable(scheme: str) -> str:
    """The variable that the value of `getproxies` came from: a lower-case name wins."""
    lower = f"{scheme}_proxy"
    if os.environ.get(lower):
        return lower
    return next((name for name in os.environ if name.lower() == lower), lower.upper())
