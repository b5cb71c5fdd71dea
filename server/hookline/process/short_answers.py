"""Short answers of aiohttp: only their beginning is read, whoever sends them."""

from __future__ import annotations

import aiohttp

__all__ = ["read_at_most"]


async def read_at_most(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The first `most` bytes of the body. Raises as reading it does."""
    body = bytearray()
    # read(n) would return what has arrived so far.
    async for piece in response.content.iter_any():
        body += piece
        if len(body) >= most:
            break
    return bytes(body[:most])
