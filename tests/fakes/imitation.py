"""What the imitations of the contract suite share: jobs, planned faults, and a real port."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Self

from aiohttp import web

KEY = "a-key-of-the-provider"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One request to the receiver, as the provider sends it."""

    path: str
    headers: dict[str, str] = field(repr=False)
    body: bytes


async def _nothing(parse_job_id: str) -> None:
    """What happens between the creation of a job and its answer."""


class Imitation:
    """A provider of the contract suite. Operations are create, ask and fetch.

    `fail` plans the next answers of an operation: a response is given instead of doing it; the
    word "after" does it and then closes the connection.
    """

    name: ClassVar[str]
    finds: ClassVar[bool] = False
    """Whether the client finds a submission whose answer was lost."""
    has_json: ClassVar[bool] = True
    """Whether a job can have the artifact json."""

    def __init__(self) -> None:
        self._jobs: dict[str, dict[str, Any]] = {}
        self._files: list[bytes] = []
        self.markdown = "# Text"
        self.created: Callable[[str], Awaitable[None]] = _nothing
        """Called with each new job before its creation is answered."""
        self._faults: dict[str, list[web.Response | str]] = {}
        self.silent = False
        self.compresses = False
        self.application = web.Application(client_max_size=2**30, middlewares=[self._answer])
        self._runner = web.AppRunner(
            self.application, handler_cancellation=True, shutdown_timeout=0
        )
        self.url = ""

    @property
    def jobs(self) -> dict[str, Any]:
        """All jobs that were created, by the provider's ids."""
        return self._jobs

    @property
    def files(self) -> list[bytes]:
        """All files that were uploaded."""
        return self._files

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of a client that the fixture of workers does not give."""
        return {}

    @web.middleware
    async def _answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        while self.silent:
            await asyncio.sleep(60)
        answer = await handler(request)
        if self.compresses:
            answer.enable_compression()
        return answer

    def fail(self, operation: str, *answers: web.Response | str) -> None:
        """Plan the next answers of an operation."""
        self._faults.setdefault(operation, []).extend(answers)

    async def end(self) -> None:
        """Let all jobs end well."""
        raise NotImplementedError

    async def end_badly(self, reason: str) -> str:
        """Let all jobs fail because of the document itself. Returns the code of that failure."""
        raise NotImplementedError

    def webhook(self, parse_job_id: str, *, genuine: bool = True) -> Webhook:
        """The webhook about the end of a job. If it is not genuine, its sender has no secret."""
        raise NotImplementedError

    def is_allowed(self, request: web.Request) -> bool:
        """Whether the request has the key."""
        raise NotImplementedError

    def planned(self, request: web.Request, operation: str) -> web.Response | str | None:
        """The planned fault of this request, or the answer to a wrong key."""
        if not self.is_allowed(request):
            return web.Response(status=401)
        faults = self._faults.get(operation)
        return faults.pop(0) if faults else None

    def answer(self, request: web.Request, fault: str | None, found: object) -> web.Response:
        """The answer with this JSON; None is 404. The connection closes first if so planned."""
        if fault is not None:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=404) if found is None else web.json_response(found)


def name_of(kind: type[Imitation]) -> str:
    """The id of a test's parameter."""
    return kind.name
