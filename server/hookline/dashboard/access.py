"""Who may look and who may act, as the settings say. Closed unless it is opened.

Without a login setting: everybody on this machine may look, and nobody may act.
With HOOKLINE_DASHBOARD_PASSWORD: whoever logs in may look and act, under the name that they type.
With HOOKLINE_DASHBOARD_USER_HEADER: whoever the proxies name in that header may look and act.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from hookline.settings import ConfigurationError, Settings

__all__ = ["BASE_PATH", "Access", "access_of", "clean_name"]

BASE_PATH = "/dashboard"
"""The path of the dashboard, unless HOOKLINE_DASHBOARD_URL has another one."""

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Access:
    """The rules for requests. `base` is the path of the dashboard, without a slash at its end.

    `origin` and `host` are those of HOOKLINE_DASHBOARD_URL, None without it.
    """

    base: str
    origin: str | None
    host: str | None
    admin_host: str
    password: str | None
    user_header: str | None
    proxies: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]

    @property
    def mode(self) -> Literal["open", "password", "header"]:
        """How people prove who they are; `open`: they do not, and may only look."""
        if self.password is not None:
            return "password"
        return "open" if self.user_header is None else "header"

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the dashboard by TLS, which a proxy ends."""
        return self.origin is not None and self.origin.startswith("https:")

    def accepts_host(self, host: str) -> bool:
        """Whether a Host header, without port, is ours.

        A page of another site can give its own name our address (DNS rebinding) and then read what
        a visitor may read. It cannot do so with an IP address or with localhost.
        """
        return host in ("localhost", self.admin_host, self.host) or _is_address(host)

    def accepts_password(self, password: str) -> bool:
        """Whether it is the password. Takes as long for a wrong one."""
        expected = hashlib.sha256((self.password or "").encode()).digest()
        given = hashlib.sha256(password.encode(errors="replace")).digest()
        return hmac.compare_digest(expected, given) and self.password is not None

    def trusts(self, peer: str) -> bool:
        """Whether the user header counts in a request from this address."""
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self.proxies)


def access_of(settings: Settings) -> Access:
    """The rules. Raises ConfigurationError if others than this machine could look without login."""
    given = urlsplit(settings.dashboard_url or "")
    access = Access(
        base=given.path.rstrip("/") or BASE_PATH,
        origin=f"{given.scheme}://{given.netloc}".lower() if given.netloc else None,
        host=given.hostname,
        admin_host=settings.admin_host.lower(),
        password=settings.dashboard_password.get_secret_value()
        if settings.dashboard_password
        else None,
        user_header=settings.dashboard_user_header,
        proxies=settings.dashboard_proxies,
    )
    if access.mode == "open":
        missing = "set HOOKLINE_DASHBOARD_PASSWORD, for example to a-long-random-password"
        if not _is_loopback(settings.admin_host):
            raise ConfigurationError(
                f"HOOKLINE_ADMIN_HOST={settings.admin_host} would show the dashboard to other"
                f" machines without a login: {missing}."
            )
        if settings.dashboard_url is not None and not _is_loopback(given.hostname or ""):
            raise ConfigurationError(
                f"HOOKLINE_DASHBOARD_URL={settings.dashboard_url} would show the dashboard to other"
                f" machines without a login: {missing}."
            )
    return access


def clean_name(text: str) -> str | None:
    """A person's name as it goes into histories, or None if it is no name."""
    name = " ".join(text.split())
    return name if name.isprintable() and 0 < len(name) <= _LONGEST_NAME else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
