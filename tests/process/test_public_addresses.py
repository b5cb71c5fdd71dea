"""Connections to addresses that a URL of somebody else may not reach are refused."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from hookline.process.public_addresses import (
    AddressRefused,
    any_address,
    is_private,
    is_public,
    open_connector,
)

PUBLIC = [
    "93.184.215.14",
    "8.8.8.8",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
    "192.0.0.9",
    "192.0.0.10",
    "192.88.98.1",
]
PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.0.0.5",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%lo",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a00:5::1",
]
NEITHER = [
    "0.0.0.0",  # noqa: S104 - not bound
    "::",
    "::ffff:0.0.0.0",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "ff02::1",
    "fec0::1",
    "::127.0.0.1",
    "::a9fe:a9fe",
    "192.0.0.8",
    "192.0.0.192",
    "::ffff:192.0.0.192",
    "192.88.99.1",
    "64:ff9b::c000:c0",
    "64:ff9b:1::7f00:1",
    "100:0:0:1::1",
    "3fff::1",
    "5f00::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)
    assert not is_private(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_a_machine_or_a_local_network_is_private(address: str) -> None:
    assert not is_public(address)
    assert is_private(address)


@pytest.mark.parametrize("address", NEITHER)
def test_an_address_with_another_purpose_is_neither(address: str) -> None:
    assert not is_public(address)
    assert not is_private(address)


class Resolver(AbstractResolver):
    """Answers every name with these addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None: ...


async def _hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


async def _get(url: str, is_allowed: Callable[[str], bool], **options: Any) -> str:
    async with (
        aiohttp.ClientSession(connector=open_connector(is_allowed, **options)) as session,
        session.get(url) as response,
    ):
        return await response.text()


@pytest.fixture
async def port(unused_tcp_port: int) -> Any:
    app = web.Application()
    app.router.add_get("/", _hello)
    server = TestServer(app, host="127.0.0.1", port=unused_tcp_port)
    await server.start_server()
    yield unused_tcp_port
    await server.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "[::1]"])
async def test_an_address_in_the_url_is_refused(port: int, host: str) -> None:
    with pytest.raises(aiohttp.ClientConnectorError) as caught:
        await _get(f"http://{host}:{port}/", is_public)
    assert isinstance(caught.value.os_error, AddressRefused)


async def test_an_address_that_dns_answers_is_refused(port: int) -> None:
    with pytest.raises(aiohttp.ClientConnectorError) as caught:
        await _get(f"http://files.example.com:{port}/", is_public, resolver=Resolver("127.0.0.1"))
    assert isinstance(caught.value.os_error, AddressRefused)


async def test_several_private_addresses_are_refused(port: int) -> None:
    resolver = Resolver("::1", "127.0.0.1", "169.254.169.254")
    with pytest.raises(aiohttp.ClientConnectorError, match="may not be reached") as caught:
        await _get(f"http://files.example.com:{port}/", is_public, resolver=resolver)
    assert isinstance(caught.value.os_error, AddressRefused)


@pytest.mark.parametrize("is_allowed", [is_private, any_address])
async def test_an_allowed_address_is_reached(port: int, is_allowed: Callable[[str], bool]) -> None:
    found = await _get(
        f"http://files.example.com:{port}/", is_allowed, resolver=Resolver("127.0.0.1")
    )
    assert found == "hello"
