"""Connections that reach only public addresses, or only private ones: for URLs of other people.

What is judged is the address that the socket connects to, not an earlier answer of DNS. Connections
go straight there: a proxy would look the name up again.
Sources: the registries of special-purpose addresses (RFC 6890), and the mappings named below.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable
from typing import Any, Final

import aiohttp

__all__ = ["AddressRefused", "any_address", "is_private", "is_public", "open_connector"]

# Azure's address of the host, which answers every virtual machine like 169.254.169.254 does.
_OF_THE_CLOUD: Final = frozenset({ipaddress.IPv4Address("168.63.129.16")})
# What the registries call not globally reachable, and `ipaddress` of older Pythons calls public.
_SPECIAL: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("192.0.0.0/24", "192.88.99.0/24"),
        *("64:ff9b:1::/48", "100:0:0:1::/64", "3fff::/20", "5f00::/16"),
    )
)
# Of 192.0.0.0/24, these two are anycast services of the internet.
_REACHABLE: Final = frozenset(map(ipaddress.IPv4Address, ("192.0.0.9", "192.0.0.10")))
# A translator sends these to the IPv4 address in their last 32 bits (RFC 6052).
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(OSError):
    """A name or a URL leads to an address that the connection may not reach."""


def is_public(address: str) -> bool:
    """Whether an IP address, as a socket writes it, is one of the public internet.

    An IPv6 address that stands for an IPv4 address is judged as that one. Raises ValueError for
    what is no IP address.
    """
    found = _real(ipaddress.ip_address(address))
    return (
        found.is_global
        and not found.is_multicast
        and not found.is_reserved
        and not getattr(found, "is_site_local", False)
        and found not in _OF_THE_CLOUD
        and not _is_special(found)
    )


def is_private(address: str) -> bool:
    """Whether an IP address is of this machine or of a local network. Raises ValueError."""
    found = _real(ipaddress.ip_address(address))
    of_no_network = found.is_unspecified or (found.is_reserved and not found.is_loopback)
    return found.is_private and not of_no_network and not _is_special(found)


def any_address(address: str) -> bool:
    """Every address."""
    return True


def open_connector(
    is_allowed: Callable[[str], bool] = is_public, **options: Any
) -> aiohttp.TCPConnector:
    """The connector of a session whose connections reach only addresses that are allowed.

    For others, a request raises aiohttp.ClientConnectorError, whose `os_error` says so. `options`
    are those of aiohttp.TCPConnector. The session must not read proxies from the environment.
    """

    def open_socket(info: Any) -> socket.socket:
        family, kind, protocol, _, (address, *_) = info
        if not is_allowed(address):
            # Without the address: then aiohappyeyeballs raises this error also for several.
            raise AddressRefused(errno.EACCES, "its address may not be reached")
        return socket.socket(family=family, type=kind, proto=protocol)

    return aiohttp.TCPConnector(socket_factory=open_socket, **options)


def _is_special(address: _Address) -> bool:
    return address not in _REACHABLE and any(address in network for network in _SPECIAL)


def _real(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
