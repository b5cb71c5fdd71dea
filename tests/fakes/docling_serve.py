"""An imitation of docling-serve: the routes and models of its OpenAPI that Hookline uses.

Source: docling.datamodel.service of docling-slim 2.143 (TaskStatusResponse, PublicFailureInfo,
ConvertDocumentResponse, ErrorItem, TaskFailureResult) and its own client.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import uuid4

from aiohttp import web

from fakes.imitation import KEY, Imitation


class DoclingServe(Imitation):
    """`result` is merged into every ConvertDocumentResponse. A result is there only once."""

    name: ClassVar[str] = "docling"

    def __init__(self) -> None:
        super().__init__()
        self.result: dict[str, Any] = {}
        self.forms: list[dict[str, str]] = []
        router = self.application.router
        router.add_post("/v1/convert/file/async", self._create)
        router.add_get("/v1/status/poll/{id}", self._ask)
        router.add_get("/v1/result/{id}", self._fetch)

    def end(self) -> None:
        for task in self.jobs.values():
            task.update(task_status="success", task_position=None)

    def end_badly(self, reason: str) -> str:
        failure = {
            "category": "backend_failure",
            "message": reason,
            "retryable": False,
            "phase": "execution",
            "details": {},
        }
        for task in self.jobs.values():
            task.update(task_status="failure", error_message=reason, failure=failure)
        return "BACKEND_FAILURE"

    def is_allowed(self, request: web.Request) -> bool:
        return request.headers.get("X-Api-Key") == KEY

    async def _create(self, request: web.Request) -> web.Response:
        form = await request.post()
        fault = self.planned(request, "create")
        if isinstance(fault, web.Response):
            return fault
        file = form["files"]
        assert isinstance(file, web.FileField)
        self.files.append(file.file.read())
        self.forms.append(
            {"filename": file.filename, "mime": file.content_type}
            | {name: value for name, value in form.items() if isinstance(value, str)}
        )
        task: dict[str, object] = {
            "task_id": str(uuid4()),
            "task_type": "convert",
            "task_status": "pending",
            "task_position": 1,
            "task_meta": None,
            "error_message": None,
            "failure": None,
        }
        self.jobs[str(task["task_id"])] = task
        return self.answer(request, fault, task)

    async def _ask(self, request: web.Request) -> web.Response:
        fault = self.planned(request, "ask")
        if isinstance(fault, web.Response):
            return fault
        return self.answer(request, fault, self.jobs.get(request.match_info["id"]))

    async def _fetch(self, request: web.Request) -> web.Response:
        fault = self.planned(request, "fetch")
        if isinstance(fault, web.Response):
            return fault
        task = self.jobs.get(request.match_info["id"])
        if task is None or task["task_status"] != "success" or task.get("fetched"):
            return web.json_response({"detail": "Task result not found."}, status=404)
        task["fetched"] = True
        document = {"filename": "report.pdf", "md_content": self.markdown, "json_content": None}
        found = {
            "document": document,
            "status": "success",
            "errors": [],
            "processing_time": 0.5,
            "timings": {},
            "confidence": None,
        }
        return self.answer(request, fault, found | self.result)
