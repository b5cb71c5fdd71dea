"""An imitation of Reducto: uploads, jobs, results by URL, and the webhooks that Svix sends for it.

Source: SDK reductoai 0.25 (types, helpers.handle_url_response); Reducto docs, "Svix webhooks",
"Credit usage" and "Deleting Jobs & Uploads".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import uuid4

from aiohttp import web

from fakes.imitation import KEY, Imitation, Webhook

KEY_OF_SVIX = b"the key of an endpoint at Svix!!"
SECRET = f"whsec_{base64.b64encode(KEY_OF_SVIX).decode()}"


class Reducto(Imitation):
    """With `by_url` a result is a URL of this server, or the one that `result_url` names."""

    name: ClassVar[str] = "reducto"
    finds: ClassVar[bool] = True
    credits_a_page: ClassVar[int] = 2

    def __init__(self) -> None:
        super().__init__()
        self._uploads: dict[str, bytes] = {}
        self.orders: list[dict[str, Any]] = []
        self.tells_credits = True
        self.by_url = False
        self.result_url: str | None = None
        self.downloads: list[web.Request] = []
        router = self.application.router
        router.add_post("/upload", self._upload)
        router.add_delete("/upload/{id}", self._delete_upload)
        router.add_post("/parse_async", self._create)
        router.add_get("/jobs", self._list)
        router.add_get("/job/{id}", self._get)
        router.add_post("/cancel/{id}", self._cancel)
        router.add_delete("/job/{id}", self._delete)
        router.add_get("/results/{id}", self._download)
        router.add_get("/images/{id}", self._show_image)

    async def end(self) -> None:
        for job in self.jobs.values():
            job["status"] = "Completed"

    async def end_badly(self, reason: str) -> str:
        for job in self.jobs.values():
            job["status"] = "Failed"
            job["error"] = {"code": 422, "name": "DOCUMENT_CORRUPT", "message": reason}
        return "DOCUMENT_CORRUPT"

    def webhook(self, parse_job_id: str, *, genuine: bool = True) -> Webhook:
        job = self.jobs[parse_job_id]
        metadata = job["order"]["async"]["metadata"]
        event = {"status": job["status"], "job_id": parse_job_id, "metadata": metadata}
        body = json.dumps(event).encode()
        message_id, at = f"msg_{uuid4().hex}", str(int(time.time()))
        key = KEY_OF_SVIX if genuine else b"the key of somebody else at Svix"
        mac = hmac.digest(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256)
        headers = {
            "svix-id": message_id,
            "svix-timestamp": at,
            "svix-signature": f"v1,{base64.b64encode(mac).decode()}",
        }
        return Webhook("/webhooks/reducto", headers, body)

    def is_allowed(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {KEY}"

    async def _upload(self, request: web.Request) -> web.Response:
        file = (await request.post())["file"]
        assert isinstance(file, web.FileField)
        file_id = f"reducto://{uuid4()}.pdf"
        self._uploads[file_id] = file.file.read()
        return web.json_response({"file_id": file_id, "presigned_url": None})

    async def _delete_upload(self, request: web.Request) -> web.Response:
        file_id = request.match_info["id"]
        if self._uploads.pop(file_id, None) is None:
            return web.Response(status=404)
        return web.json_response({"file_id": file_id})

    @property
    def files(self) -> list[bytes]:
        return [*self._uploads.values()]

    async def _create(self, request: web.Request) -> web.Response:
        order = await request.json()
        fault = self.planned(request, "create")
        if isinstance(fault, web.Response):
            return fault
        assert order["input"].startswith("reducto://")
        self.orders.append(order)
        job_id = str(uuid4())
        self.jobs[job_id] = {
            "job_id": job_id,
            "status": "Pending",
            "created_at": datetime.now(UTC).isoformat(),
            "order": order,
            "error": None,
        }
        await self.created(job_id)
        return self.answer(request, fault, {"job_id": job_id})

    async def _get(self, request: web.Request) -> web.Response:
        # One route serves both: a job that has ended is answered with its result.
        fault = self.planned(request, "ask")
        job = self.jobs.get(request.match_info["id"])
        if fault is None and job is not None and job["status"] == "Completed":
            fault = self.planned(request, "fetch")
        if isinstance(fault, web.Response):
            return fault
        if job is None:
            error = {"code": 404, "name": "NOT_FOUND", "message": "Job not found."}
            return web.json_response({"error": error}, status=404)
        return self.answer(request, fault, self._described(job))

    def _described(self, job: dict[str, Any]) -> dict[str, Any]:
        """An EnhancedAsyncJobResponse."""
        found = {
            "status": job["status"],
            "error": job["error"],
            "reason": None,
            "progress": None,
            "created_at": job["created_at"],
            "duration": 0.1,
            "num_pages": 2,
            "type": "Parse",
            "raw_config": json.dumps(job["order"]),
            "result": None,
        }
        if job["status"] == "Completed":
            url = self.result_url or f"{self.url}/results/{job['job_id']}?X-Amz-Signature=a%2Fb"
            found["result"] = {
                "response_type": "parse",
                "job_id": job["job_id"],
                "duration": 0.1,
                "usage": {
                    "num_pages": 2,
                    "credits": 2 * self.credits_a_page if self.tells_credits else None,
                },
                "result": {"type": "url", "result_id": job["job_id"], "url": url}
                if self.by_url
                else self._full(job["order"]),
            }
        return found

    def _full(self, order: dict[str, Any]) -> dict[str, Any]:
        box = {"left": 0.1, "top": 0.1, "width": 0.5, "height": 0.1, "page": 1}
        short = self.markdown[:100]
        block = {"type": "Text", "bbox": box, "content": short, "confidence": "low"}
        blocks = [block]
        if "figure" in order["settings"].get("return_images", ()):
            url = f"{self.url}/images/1.png?X-Amz-Signature=a%2Fb"
            figures = [{**block, "type": "Figure"}, {**block, "type": "Figure", "image_url": url}]
            blocks += figures
        chunk = {"content": self.markdown, "embed": short, "blocks": blocks}
        return {"type": "full", "chunks": [chunk]}

    async def _download(self, request: web.Request) -> web.Response:
        self.downloads.append(request)
        faults = self._faults.get("download")
        fault = faults.pop(0) if faults else None
        if isinstance(fault, web.Response):
            return fault
        assert "Authorization" not in request.headers
        return web.json_response(self._full(self.jobs[request.match_info["id"]]["order"]))

    async def _show_image(self, request: web.Request) -> web.Response:
        self.downloads.append(request)
        assert "Authorization" not in request.headers
        return web.Response(body=b"a figure", content_type="image/png")

    async def _list(self, request: web.Request) -> web.Response:
        fault = self.planned(request, "list")
        if isinstance(fault, web.Response):
            return fault
        configs = request.query.get("exclude_configs") != "true"
        jobs = [
            {
                "job_id": job["job_id"],
                "status": job["status"],
                "type": "Parse",
                "created_at": job["created_at"],
                "raw_config": json.dumps(job["order"]) if configs else "",
            }
            for job in reversed(self.jobs.values())
        ]
        start, size = int(request.query.get("cursor", 0)), int(request.query["limit"])
        following = str(start + size) if len(jobs) > start + size else None
        return self.answer(
            request, fault, {"jobs": jobs[start : start + size], "next_cursor": following}
        )

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self.jobs.get(request.match_info["id"])
        if job is not None:
            job["status"] = "Failed"
            job["error"] = {"code": 409, "name": "JOB_CANCELLED", "message": "Cancelled."}
        return web.Response(status=404 if job is None else 200)

    async def _delete(self, request: web.Request) -> web.Response:
        fault = self.planned(request, "delete")
        if isinstance(fault, web.Response):
            return fault
        job = self.jobs.pop(request.match_info["id"], None)
        return web.Response(status=404 if job is None else 202)
