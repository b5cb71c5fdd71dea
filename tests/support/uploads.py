"""Uploads that a test leaves unfinished."""

from __future__ import annotations

import asyncio

from support.sender import Sender

ROUTE = "/webhooks/llamaparse"


async def open_upload(
    sender: Sender, announced: int, sent: bytes, *, headers: str = "", peer: str = "127.0.0.1"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send the headers of a body of `announced` bytes, and its first bytes, from address `peer`."""
    host = sender.url.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*host.split(":"), local_addr=(peer, 0))
    writer.write(
        f"POST {ROUTE} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {announced}\r\n{headers}\r\n".encode()
        + sent
    )
    await writer.drain()
    return reader, writer
