"""How often a password may be tried: a few times a minute from one address, and overall."""

from __future__ import annotations

import ipaddress
import time
from collections import Counter
from collections.abc import Callable

__all__ = ["WINDOW", "LoginLimit"]

WINDOW = 60.0
"""Seconds for which failed logins count."""

_FOR_AN_ADDRESS = 5
# It also bounds the memory: no more addresses can fail in one window.
_OVERALL = 100
# Somebody has a whole network of IPv6 addresses. Source: RFC 6177.
_IPV6_NETWORK = 64


class LoginLimit:
    """Counts failed logins in windows of WINDOW seconds. `now` is monotonic, in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._window = 0.0
        self._failed: Counter[str] = Counter()

    def allows(self, peer: str) -> bool:
        """Whether a password from this address may be compared now."""
        self._begin_window()
        return self._failed[_network_of(peer)] < _FOR_AN_ADDRESS and self._failed.total() < _OVERALL

    def count_failure(self, peer: str) -> None:
        """Note that a password from this address was wrong."""
        self._begin_window()
        self._failed[_network_of(peer)] += 1

    def _begin_window(self) -> None:
        window = self._now() // WINDOW
        if window != self._window:
            self._window = window
            self._failed.clear()


def _network_of(peer: str) -> str:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False))
    return str(address)
