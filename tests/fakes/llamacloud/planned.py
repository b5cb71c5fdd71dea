"""LlamaCloud in the contract suite: with answers that a test plans, and webhooks on request."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from types import TracebackType
from typing import Any, ClassVar, Self

from aiohttp import web
from pydantic import SecretStr

from fakes.imitation import Imitation, Webhook
from fakes.llamacloud import wire
from fakes.llamacloud.documents import Document
from fakes.llamacloud.faults import Faults
from fakes.llamacloud.jobs import Pace, ParseJob
from fakes.llamacloud.server import LlamaCloud, reset_connection
from fakes.llamacloud.webhooks import compose
from fakes.llamacloud.wire import Refused


class _Planned(Refused):
    """A planned answer, whatever it is."""

    def __init__(self, answer: web.Response) -> None:
        super().__init__(answer.status, "")
        self._answer = answer

    def response(self) -> web.Response:
        # The API says of what it has none; a bare 404 would be a wrong address.
        if self.status == 404:
            return Refused(404, wire.JOB_NOT_FOUND).response()
        return self._answer


class _PlannedCloud(LlamaCloud):
    def __init__(self) -> None:
        # Its webhooks are sent by the test, which asks for them.
        faults = Faults(webhook_dropped=1)
        super().__init__(seed=7, pace=Pace(speed=1000, list_lag_seconds=0), faults=faults)
        self.plans: defaultdict[str, list[web.Response | str]] = defaultdict(list)
        self.provider: LlamaCloudProvider

    async def _fail_before(self, request: web.Request, operation: str, *what: str) -> None:
        if self.provider.silent:
            await self._hang(request)
        asked = operation == "list" and "job_ids" in request.query
        if operation == "get":
            operation = "fetch" if "markdown" in what else "ask"
        plan = self.plans["ask" if asked else operation]
        if plan and not (operation == "create" and plan[0] == "after"):
            answer = plan.pop(0)
            if isinstance(answer, str):
                reset_connection(request)
            else:
                raise _Planned(answer)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        answer = await super()._get(request)
        if self.provider.compresses:
            answer.enable_compression()
        return answer

    async def _fail_after_create(self, request: web.Request, job: ParseJob) -> None:
        await self.provider.created(job.id)
        if self.plans["create"]:
            self.plans["create"].pop(0)
            reset_connection(request)


class LlamaCloudProvider(Imitation):
    """Its server runs while a worker of it does."""

    name: ClassVar[str] = "llamacloud"
    finds: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.cloud = _PlannedCloud()
        self.url = "http://127.0.0.1:9"

    async def __aenter__(self) -> Self:
        self.cloud.provider = self
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "llama_cloud_api_key": SecretStr(self.cloud.api_key),
            "llama_cloud_base_url": self.cloud.url,
        }

    @property
    def jobs(self) -> dict[str, Any]:
        return self.cloud.jobs.jobs

    @property
    def files(self) -> list[bytes]:
        return [file.data for file in self.cloud.jobs.files.values()]

    def fail(self, operation: str, *answers: web.Response | str) -> None:
        self.cloud.plans[operation].extend(answers)

    async def end(self) -> None:
        # Its second page is empty.
        await self._end(Document((self.markdown, "")))

    async def end_badly(self, reason: str) -> str:
        await self._end(Document((), error=f"PDF_IS_BROKEN: {reason}"))
        return "PDF_IS_BROKEN"

    async def _end(self, document: Document) -> None:
        for job in self.cloud.jobs.jobs.values():
            job.document = document
        self.cloud.jobs.release()
        await self.cloud.settle()

    def webhook(self, parse_job_id: str, *, genuine: bool = True) -> Webhook:
        job = self.cloud.jobs.jobs[parse_job_id]
        [hook] = job.hooks
        event = {
            "event_id": f"event of {parse_job_id}",
            "event_type": "parse.success" if job.status == "COMPLETED" else "parse.error",
            "timestamp": 1753985275.1,
            "data": {"id": parse_job_id, "job_id": parse_job_id},
        }
        message = compose(hook if genuine else replace(hook, secret="no secret of ours"), event)
        return Webhook("/webhooks/llamacloud", dict(message.headers), message.body)
