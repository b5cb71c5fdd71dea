"""An imitation of the provider of server/README.md."""

from __future__ import annotations

from typing import Any, ClassVar

from aiohttp import web

from fakes.imitation import KEY, Imitation


class Acme(Imitation):
    """Files, jobs and their markdown. Ids have a slash, so that clients must quote them."""

    name: ClassVar[str] = "acme"
    has_json: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.orders: list[dict[str, Any]] = []
        router = self.application.router
        router.add_post("/files", self._upload)
        router.add_post("/jobs", self._create)
        router.add_get("/jobs/{id}", self._ask)
        router.add_get("/jobs/{id}/markdown", self._fetch)

    async def end(self) -> None:
        for job in self.jobs.values():
            job.update(status="ready", pages=2)

    async def end_badly(self, reason: str) -> str:
        for job in self.jobs.values():
            job.update(status="broken", code="UNREADABLE", reason=reason)
        return "UNREADABLE"

    def is_allowed(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {KEY}"

    async def _upload(self, request: web.Request) -> web.Response:
        self.files.append(await request.read())
        return web.json_response({"id": str(len(self.files))})

    async def _create(self, request: web.Request) -> web.Response:
        order = await request.json()
        fault = self.planned(request, "create")
        if isinstance(fault, web.Response):
            return fault
        self.orders.append(order)
        job: dict[str, Any] = {"id": f"acme/{len(self.jobs)}", "status": "queued", **order}
        self.jobs[str(job["id"])] = job
        await self.created(str(job["id"]))
        return self.answer(request, fault, job)

    async def _ask(self, request: web.Request) -> web.Response:
        fault = self.planned(request, "ask")
        if isinstance(fault, web.Response):
            return fault
        return self.answer(request, fault, self.jobs.get(request.match_info["id"]))

    async def _fetch(self, request: web.Request) -> web.Response:
        fault = self.planned(request, "fetch")
        return fault if isinstance(fault, web.Response) else web.Response(text=self.markdown)
