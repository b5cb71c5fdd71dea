"""Reading a request's body within limits of size, of memory for all bodies, and of time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from hookline.receiver.problems import TooBusy

__all__ = ["BodyBudget"]

# The least that a request is charged. It limits how many requests without a body can be open. It is
# not added to a larger body: the largest body must fit into a budget of its own size.
_OVERHEAD = 2**14


class BodyBudget:
    """Counts the bytes of all bodies in memory: at most `limit` together.

    A request is charged for bytes that arrived, not for its Content-Length: a sender cannot reserve
    memory without sending.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.in_use = 0

    @asynccontextmanager
    async def read(
        self, request: web.Request, *, limit: int, seconds: float
    ) -> AsyncIterator[bytes]:
        """Read the body. It is charged until the block ends.

        Raises TooBusy, HTTPRequestEntityTooLarge over `limit` bytes, HTTPRequestTimeout after
        `seconds`, HTTPBadRequest if the sender went away half-way.
        """
        announced = request.content_length
        if announced is not None and announced > limit:
            raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=announced)
        charged = 0
        try:
            charged += self._charge(_OVERHEAD)
            body = bytearray()
            try:
                async with asyncio.timeout(seconds):
                    async for chunk in request.content.iter_any():
                        size = len(body) + len(chunk)
                        if size > limit:
                            raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=size)
                        charged += self._charge(max(0, size - charged))
                        body += chunk
            except TimeoutError:
                raise web.HTTPRequestTimeout from None
            except (ConnectionError, web.RequestPayloadError) as error:
                raise web.HTTPBadRequest from error
            yield bytes(body)
        finally:
            self.in_use -= charged

    def _charge(self, size: int) -> int:
        if self.in_use + size > self._limit:
            raise TooBusy
        self.in_use += size
        return size
