"""An imitation of the provider of server/README.md: files, jobs, markdown, and faults by name."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from aiohttp import web

KEY = "acme-key"


class Acme:
    """`faults` maps the next call of an operation (upload, create, ask, fetch) to its answer.

    An answer "after" carries the call out and then closes the connection.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, object]] = {}
        self.files: list[bytes] = []
        self.faults: dict[str, list[web.Response | str]] = {}
        self.markdown = b"# Text"
        application = web.Application()
        application.router.add_post("/files", self._upload)
        application.router.add_post("/jobs", self._create)
        application.router.add_get("/jobs/{id}", self._ask)
        application.router.add_get("/jobs/{id}/markdown", self._fetch)
        self._runner = web.AppRunner(application)
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
        self.faults.setdefault(operation, []).extend(answers)

    def end(self, status: str = "ready", **more: object) -> None:
        """Let all jobs end."""
        for job in self.jobs.values():
            job.update(status=status, **more)

    def _answer(
        self, request: web.Request, operation: str, answer: web.Response
    ) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.Response(status=401)
        if planned := self.faults.get(operation):
            fault = planned.pop(0)
            if not isinstance(fault, str):
                return fault
            assert request.transport is not None
            request.transport.abort()
        return answer

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        self.files.append(await request.read())
        return self._answer(request, "upload", web.json_response({"id": str(len(self.files))}))

    async def _create(self, request: web.Request) -> web.StreamResponse:
        refused = self.faults.get("create", [""])[0:1]
        order = await request.json()
        job: dict[str, object] = {"id": f"acme/{len(self.jobs)}", "status": "queued", **order}
        if not refused or isinstance(refused[0], str):
            self.jobs[str(job["id"])] = job
        return self._answer(request, "create", web.json_response(job))

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        job = self.jobs.get(request.match_info["id"])
        answer = web.Response(status=404) if job is None else web.json_response(job)
        return self._answer(request, "ask", answer)

    async def _fetch(self, request: web.Request) -> web.StreamResponse:
        return self._answer(request, "fetch", web.Response(body=self.markdown))
