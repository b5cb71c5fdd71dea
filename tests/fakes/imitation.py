"""What the imitations of the contract suite share: jobs, planned faults, and a real port."""

from __future__ import annotations

from types import TracebackType
from typing import ClassVar, Self

from aiohttp import web

KEY = "a-key-of-the-provider"


class Imitation:
    """A provider of the contract suite. Operations are create, ask and fetch.

    `fail` plans the next answers of an operation: a response is given instead of doing it; the
    word "after" does it and then closes the connection.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, object]] = {}
        self.files: list[bytes] = []
        self.markdown = "# Text"
        self._faults: dict[str, list[web.Response | str]] = {}
        self.application = web.Application(client_max_size=2**30)
        self._runner = web.AppRunner(self.application)
        self.url = ""

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

    def fail(self, operation: str, *answers: web.Response | str) -> None:
        """Plan the next answers of an operation."""
        self._faults.setdefault(operation, []).extend(answers)

    def end(self) -> None:
        """Let all jobs end well."""
        raise NotImplementedError

    def end_badly(self, reason: str) -> str:
        """Let all jobs fail because of the document itself. Returns the code of that failure."""
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
