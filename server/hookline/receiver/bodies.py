"""Reading a request's body within limits of size, of memory for all bodies, and of time.

A sender is not proven until its body has arrived. So bodies that still arrive can be cut, slow ones
first, and small bodies have memory of their own.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from aiohttp import HttpVersion11, hdrs, web

from hookline.receiver.problems import TooBusy
from hookline.sources.body import Body

__all__ = ["BodyBudget", "check_expectation"]

# Bodies up to this size share _SMALL_BUDGET, the larger ones what the settings say.
_SMALL = 2**16
_SMALL_BUDGET = 2**23
# The least that a request is charged. It limits how many requests without a body can be open. It is
# not added to a larger body: the largest body must fit into a budget of its own size.
_OVERHEAD = 2**14
# Bytes a second, measured over this many seconds or more. A slower sender is cut when others need
# its memory.
_SLOW = 2**15
_MEASURED_OVER = 1.0


async def check_expectation(request: web.Request) -> None:
    """Refuse an unknown `Expect` with 417. `BodyBudget.read` sends 100 Continue, not before it has
    room: aiohttp's own handler asks for the body before ours can refuse it.
    """
    if request.version == HttpVersion11 and not _expects_continue(request):
        raise web.HTTPExpectationFailed


class _Arrival:
    """A body that arrives, and the memory that it is charged for."""

    def __init__(self, peer: str, now: float) -> None:
        self.peer = peer
        # Of the task that waits for the body.
        self.deadline: asyncio.Timeout | None = None
        self.body = Body()
        self.pool: _Pool | None = None
        self.charged = 0
        self.is_cut = False
        self._rate = math.inf
        self._measured = self._last = now
        self._size = 0

    def add(self, chunk: bytes, now: float) -> None:
        self.body += chunk
        self._last = now
        seconds = now - self._measured
        if seconds >= _MEASURED_OVER:
            self._rate = (len(self.body) - self._size) / seconds
            self._measured, self._size = now, len(self.body)

    def is_slow(self, now: float) -> bool:
        """Whether the sender is silent or slow now. Bytes that came earlier do not count."""
        return now - self._last >= _MEASURED_OVER or self._rate < _SLOW

    def cut(self, now: float) -> None:
        """Free the memory now. The task that reads wakes up later."""
        self.is_cut = True
        self.body.clear()
        # A timeout that is over cannot be changed, and its task wakes up anyway.
        if self.deadline is not None and not self.deadline.expired():
            self.deadline.reschedule(now)


class _Pool:
    """A number of bytes, and the arriving bodies that are charged for some of them."""

    def __init__(self, limit: int) -> None:
        self.free = self.limit = limit
        self.arriving: set[_Arrival] = set()

    def find_one_to_cut(self, newcomer: _Arrival, size: int, now: float) -> _Arrival | None:
        """The body to cut: the largest slow one, else the largest of one peer.

        That is the peer with the largest share, if its share is at least twice what the newcomer's
        peer would have.
        """
        others = self.arriving - {newcomer}
        slow = [one for one in others if one.is_slow(now)]
        if not slow and others:
            shares: Counter[str] = Counter()
            for one in others:
                shares[one.peer] += one.charged
            peer, share = shares.most_common(1)[0]
            if share >= 2 * (shares[newcomer.peer] + size):
                slow = [one for one in others if one.peer == peer]
        return max(slow, key=lambda one: one.charged, default=None)


class BodyBudget:
    """The memory of all bodies: at most `limit` bytes together, and 8 MiB for small ones.

    A request is charged for its Content-Length at once, or else for the bytes that arrived, until
    it is answered.
    """

    def __init__(self, limit: int) -> None:
        self._small = _Pool(_SMALL_BUDGET)
        self._large = _Pool(limit)

    @property
    def in_use(self) -> int:
        return sum(pool.limit - pool.free for pool in (self._small, self._large))

    @asynccontextmanager
    async def read(
        self, request: web.Request, *, limit: int, seconds: float
    ) -> AsyncIterator[Body]:
        """Read the body. It is charged until the block ends, and may be cleared before.

        Raises TooBusy, before the body is read if it says its length; HTTPRequestEntityTooLarge
        over `limit` bytes, HTTPRequestTimeout after `seconds`, HTTPBadRequest if the sender went
        away half-way.
        """
        now = asyncio.get_running_loop().time
        arrival = _Arrival(request.remote or "", now())
        try:
            await self._fill(arrival, request, limit, seconds, now)
            yield arrival.body
        finally:
            self._release(arrival)
            # Not while a view of it is held, in the traceback of an error.
            with suppress(BufferError):
                arrival.body.clear()

    async def _fill(
        self,
        arrival: _Arrival,
        request: web.Request,
        limit: int,
        seconds: float,
        now: Callable[[], float],
    ) -> None:
        announced = request.content_length or 0
        if announced > limit:
            raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=announced)
        try:
            self._charge(arrival, max(announced, _OVERHEAD), now())
            if request.content.is_eof():
                # A small body comes with its head. Nobody waits for it.
                self._add(arrival, request.content.read_nowait(), limit, now())
            else:
                async with asyncio.timeout(seconds) as arrival.deadline:
                    await self._wait_for_body(arrival, request, limit, now)
        except TimeoutError:
            if not arrival.is_cut:
                raise web.HTTPRequestTimeout from None
        except (ConnectionError, web.RequestPayloadError) as error:
            raise web.HTTPBadRequest from error
        if arrival.is_cut:
            raise TooBusy
        if arrival.pool is not None:
            # The body has arrived. From now on it is not cut.
            arrival.pool.arriving.discard(arrival)

    async def _wait_for_body(
        self, arrival: _Arrival, request: web.Request, limit: int, now: Callable[[], float]
    ) -> None:
        if _expects_continue(request):
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            # As aiohttp's own handler does: the answer has not begun.
            request.writer.output_size = 0
        if request.transport is None:
            # aiohttp tells only a request that is being handled; its reader would raise
            # RuntimeError.
            raise ConnectionError
        async for chunk in request.content.iter_any():
            if arrival.is_cut:
                break
            self._add(arrival, chunk, limit, now())

    def _add(self, arrival: _Arrival, chunk: bytes, limit: int, now: float) -> None:
        size = len(arrival.body) + len(chunk)
        if size > limit:
            raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=size)
        self._charge(arrival, size, now)
        arrival.add(chunk, now)

    def _charge(self, arrival: _Arrival, size: int, now: float) -> None:
        if size <= arrival.charged:
            return
        pool = self._small if size <= _SMALL else self._large
        charged_here = arrival.charged if arrival.pool is pool else 0
        while size - charged_here > pool.free:
            other = pool.find_one_to_cut(arrival, size, now)
            if other is None:
                raise TooBusy
            self._release(other)
            other.cut(now)
        self._release(arrival)
        pool.free -= size
        pool.arriving.add(arrival)
        arrival.pool, arrival.charged = pool, size

    def _release(self, arrival: _Arrival) -> None:
        if arrival.pool is not None:
            arrival.pool.free += arrival.charged
            arrival.pool.arriving.discard(arrival)
            arrival.pool, arrival.charged = None, 0


def _expects_continue(request: web.Request) -> bool:
    # HTTP/1.0 has no 100 (Continue): RFC 9110, section 10.1.1.
    expected = request.headers.get(hdrs.EXPECT, "")
    return request.version == HttpVersion11 and expected.lower() == "100-continue"
