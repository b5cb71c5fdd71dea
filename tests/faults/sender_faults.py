"""Senders that mean harm, beside a sender that has proven itself."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import aiohttp

from faults.lab import Lab, System
from faults.ledger import signed
from faults.postgres_faults import running_postgres

_MIB = 2**20
# The default of HOOKLINE_MAX_BODY.
_MAX_BODY = 32 * _MIB
_HEAD = (
    b"POST /webhooks/llamaparse HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n"
)

Attack = Callable[[tuple[str, int], threading.Event], None]


@asynccontextmanager
async def _attacked(system: System, attack: Attack, senders: int) -> AsyncIterator[None]:
    """Threads that attack while the block runs, so that the ledger's own loop stays free."""
    parts = urlsplit(system.url)
    over = threading.Event()
    attacking = [
        asyncio.create_task(
            asyncio.to_thread(attack, (parts.hostname or "", parts.port or 0), over)
        )
        for _ in range(senders)
    ]
    try:
        yield
    finally:
        over.set()
        await asyncio.gather(*attacking)


async def garbage(lab: Lab) -> None:
    """8 connections that have proven nothing send zero bytes as fast as they are taken."""
    async with running_postgres() as postgres, lab.system(postgres.url) as system:
        before = system.receiver.memory()
        async with _attacked(system, _send_zeros, 8), system.watched_loop(within=1):
            await asyncio.sleep(lab.seconds(12, 2))
        system.end()
        grown = system.receiver.memory("VmHWM") - before
        lab.row.expect(grown < 400, f"memory +{grown} MiB")


def _send_zeros(address: tuple[str, int], over: threading.Event) -> None:
    while not over.is_set():
        with suppress(OSError), socket.create_connection(address, timeout=1) as connection:
            while not over.is_set():
                connection.sendall(bytes(65536))


async def body_budget(lab: Lab) -> None:
    """8 unproven senders upload almost all of a large body and fall silent, again and again."""
    async with running_postgres() as postgres, lab.system(postgres.url) as system:
        before = len(system.ledger.acknowledged)
        async with _attacked(system, _fall_silent, 8):
            await asyncio.sleep(lab.seconds(40, 4))
        system.end()
        silence = system.longest_silence()
        lab.row.expect(len(system.ledger.acknowledged) > before, "proven webhooks got in")
        lab.row.expect(system.ledger.first_tries >= 0.95, _at_first_try(system))
        lab.row.expect(silence < 2, f"waited {silence:.1f} s at most")


def _fall_silent(address: tuple[str, int], over: threading.Event) -> None:
    while not over.is_set():
        with suppress(OSError), socket.create_connection(address, timeout=30) as connection:
            connection.sendall(_HEAD % _MAX_BODY)
            left = _MAX_BODY - 1000
            while left > 0 and not over.is_set():
                left -= connection.send(b"x" * min(65536, left))
            connection.settimeout(0.5)
            while not over.is_set():
                with suppress(TimeoutError):
                    connection.recv(100)
                    break


async def idle_connections(lab: Lab) -> None:
    """More connections than the process has file descriptors are opened, and say nothing."""
    async with running_postgres() as postgres, lab.system(postgres.url) as system:
        system.receiver.limit_descriptors(256)
        async with _attacked(system, _stay_idle, 1):
            await asyncio.sleep(lab.seconds(40, 3))
            silence = system.longest_silence()
        system.end()
        lab.row.expect(silence < 20, f"proven senders waited {silence:.1f} s at most")


def _stay_idle(address: tuple[str, int], over: threading.Event) -> None:
    opened: list[socket.socket] = []
    try:
        while not over.is_set():
            if len(opened) < 400:
                with suppress(OSError):
                    opened.append(socket.create_connection(address, timeout=0.5))
            else:
                time.sleep(0.2)
    finally:
        for connection in opened:
            connection.close()


async def json_bomb(lab: Lab) -> None:
    """A proven sender sends bodies of 32 MiB of nested lists, one after the other."""
    size = _MAX_BODY if not lab.short else 4 * _MIB
    bomb = b"[" + b"[]," * (size // 3 - 2) + b"1]"
    async with running_postgres() as postgres, lab.system(postgres.url) as system:
        before = system.receiver.memory()
        async with aiohttp.ClientSession() as http, system.watched_loop(within=1):
            for _ in range(int(lab.seconds(3, 1))):
                async with http.post(
                    f"{system.url}/webhooks/llamaparse", data=bomb, headers=signed(bomb)
                ) as response:
                    lab.row.expect(response.status in (400, 413), f"answered {response.status}")
        system.end()
        times = (system.receiver.memory("VmHWM") - before) * _MIB / size
        lab.row.expect(times <= 8, f"memory +{times:.0f} times its size")


def _at_first_try(system: System) -> str:
    return f"{system.ledger.first_tries:.0%} at the first try"
