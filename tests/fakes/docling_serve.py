"""An imitation of docling-serve: the routes and models of its OpenAPI that Hookline uses.

Source: docling.datamodel.service of docling-slim 2.143 (TaskStatusResponse, PublicFailureInfo,
ConvertDocumentResponse, ErrorItem, TaskFailureResult) and its own client.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

from aiohttp import web
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from multidict import MultiDictProxy

from fakes.imitation import KEY, Imitation, Webhook

_SCHEMA = json.loads(Path(__file__).with_name("docling_serve.schema.json").read_text())


def check(model: str, value: object) -> None:
    """Raise ValidationError if the value is not one of docling-serve's own model."""
    schema = {"$defs": _SCHEMA["$defs"], "$ref": f"#/$defs/{model}"}
    Draft202012Validator(schema).validate(value)


def _options_in(form: MultiDictProxy[Any]) -> dict[str, Any]:
    """The options of a form, as docling-serve reads them: lists are repeated fields."""
    options: dict[str, Any] = {}
    known = _SCHEMA["$defs"]["ConvertDocumentsOptions"]["properties"]
    for name in set(form) - {"files", "callbacks"}:
        values = [_value_of(text) for text in form.getall(name)]
        assert name in known, name
        options[name] = values if "array" in json.dumps(known[name]) else values[0]
    return options


def _value_of(text: str) -> object:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdigit() else text


class DoclingServe(Imitation):
    """`result` is merged into every ConvertDocumentResponse. A result is there only once."""

    name: ClassVar[str] = "docling"

    def __init__(self) -> None:
        super().__init__()
        self.result: dict[str, Any] = {}
        self.forms: list[dict[str, str]] = []
        self.options: list[dict[str, Any]] = []
        router = self.application.router
        router.add_post("/v1/convert/file/async", self._create)
        router.add_get("/v1/status/poll/{id}", self._ask)
        router.add_get("/v1/result/{id}", self._fetch)

    async def end(self) -> None:
        for task in self.jobs.values():
            task.update(task_status="success", task_position=None)

    async def end_badly(self, reason: str) -> str:
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

    def webhook(self, parse_job_id: str, *, genuine: bool = True) -> Webhook:
        """A ProgressCallbackRequest, with the headers that came with the task."""
        task = self.jobs[parse_job_id]
        progress = {
            "kind": "task_completed",
            "task_status": task["task_status"],
            "failure": task["failure"],
        }
        spec = json.loads(str(task["callback"]))
        headers = dict(spec["headers"])
        if not genuine:
            headers["Authorization"] = headers["Authorization"][:-43] + "A" * 43
        event = {"task_id": parse_job_id, "progress": progress}
        check("ProgressCallbackRequest", event)
        return Webhook("/webhooks/docling", headers, json.dumps(event).encode())

    def is_allowed(self, request: web.Request) -> bool:
        return request.headers.get("X-Api-Key") == KEY

    async def _create(self, request: web.Request) -> web.Response:
        form = await request.post()
        fault = self.planned(request, "create")
        if isinstance(fault, web.Response):
            return fault
        self.options.append(_options_in(form))
        check("ConvertDocumentsOptions", self.options[-1])
        for callback in form.getall("callbacks", []):
            check("CallbackSpec", json.loads(str(callback)))
        file = form["files"]
        assert isinstance(file, web.FileField)
        self.files.append(file.file.read())
        self.forms.append(
            {"filename": file.filename, "mime": file.content_type}
            | {name: value for name, value in form.items() if isinstance(value, str)}
        )
        task: dict[str, Any] = {
            "task_id": str(uuid4()),
            "task_type": "convert",
            "task_status": "pending",
            "task_position": 1,
            "task_meta": None,
            "error_message": None,
            "failure": None,
        }
        check("TaskStatusResponse", task)
        self.jobs[str(task["task_id"])] = task | {
            "callback": form.get("callbacks"),
            "formats": form.getall("to_formats"),
        }
        await self.created(str(task["task_id"]))
        return self.answer(request, fault, task)

    async def _ask(self, request: web.Request) -> web.Response:
        fault = self.planned(request, "ask")
        if isinstance(fault, web.Response):
            return fault
        task = self.jobs.get(request.match_info["id"])
        if task is not None:
            check("TaskStatusResponse", task)
        return self.answer(request, fault, task)

    async def _fetch(self, request: web.Request) -> web.Response:
        fault = self.planned(request, "fetch")
        if isinstance(fault, web.Response):
            return fault
        task = self.jobs.get(request.match_info["id"])
        if task is None or task["task_status"] != "success" or task.get("fetched"):
            return web.json_response({"detail": "Task result not found."}, status=404)
        task["fetched"] = True
        formats = task["formats"]
        assert isinstance(formats, list)
        document: dict[str, object] = {
            "filename": "report.pdf",
            "md_content": self.markdown,
            "json_content": None,
            "text_content": "Text" if "text" in formats else None,
        }
        found = {
            "document": document,
            "status": "success",
            "errors": [],
            "processing_time": 0.5,
            "timings": {},
            "confidence": None,
        }
        check("ConvertDocumentResponse", found)
        # The schema leaves out the model of a whole document.
        document["json_content"] = {"texts": []} if "json" in formats else None
        return self.answer(request, fault, found | self.result)
