"""The application's endpoint of a run: it is ended and started again, and fails now and then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Final

from aiohttp import web

from support.application import Answer, Application, Message, listening
from support.ports import lasting_port

# Of a hundred messages: how many are answered 500, and how many get no answer.
_REFUSED: Final = 8
_UNANSWERED: Final = 4


@dataclass(frozen=True)
class Arrival:
    """A message that came. It is acknowledged if the answer was 2xx."""

    event_id: str
    job_id: str
    version: int
    acknowledged: bool


class Endpoint:
    """What came, in its order, and how many requests were forged."""

    def __init__(self, seed: int) -> None:
        self.arrivals: list[Arrival] = []
        self._rng = Random(f"{seed}/endpoint")
        self._port = lasting_port()
        self._application = Application()
        self._application.answer = self._answer
        self._server = listening(self._application, self._port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/hooks"

    @property
    def forged(self) -> int:
        return len(self._application.forged)

    async def start(self) -> None:
        self._server = listening(self._application, self._port)
        await self._server.__aenter__()

    async def kill(self) -> None:
        """End it; what is under way gets no answer."""
        await self._server.__aexit__(None, None, None)

    def _answer(self, message: Message, request: web.Request) -> Answer:
        lot = self._rng.randrange(100)
        if lot < _UNANSWERED and request.transport is not None:
            request.transport.abort()
        answered = 500 if lot < _UNANSWERED + _REFUSED else 204
        job_id, version = message.step
        self.arrivals.append(Arrival(message.id, job_id, version, answered == 204))
        return answered


@asynccontextmanager
async def endpoint(seed: int) -> AsyncIterator[Endpoint]:
    """An endpoint that listens."""
    made = Endpoint(seed)
    await made.start()
    try:
        yield made
    finally:
        await made.kill()
