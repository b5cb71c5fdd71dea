"""Requests that are not answered yet, so that a stop can wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from hookline.timing import wait_until_set

__all__ = ["OpenRequests"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class OpenRequests:
    """Counts requests, as a middleware of the application.

    They must end before aiohttp's own shutdown begins. From then on aiohttp drops the bytes that a
    sender still sends, and a handler that reads a body would wait for its end for ever.
    """

    def __init__(self) -> None:
        self._number = 0
        self._all_answered = asyncio.Event()
        self._stopping = False

    @web.middleware
    async def count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The middleware."""
        self._number += 1
        try:
            response = await handler(request)
        finally:
            self._number -= 1
            if not self._number:
                self._all_answered.set()
        if self._stopping:
            response.force_close()
        return response

    async def wait_until_answered(self, seconds: float) -> None:
        """Wait for the open requests, at most so long. Their connections close after the answer."""
        self._stopping = True
        self._all_answered.clear()
        if self._number:
            await wait_until_set(self._all_answered, seconds)
