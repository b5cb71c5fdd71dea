"""What each answer of the provider means, and that every call is made once."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from llama_cloud import DefaultAsyncHttpxClient

from hookline.providers.callback import Callback
from hookline.providers.client import Document, Submission
from hookline.providers.errors import (
    Misconfigured,
    NotReady,
    ProviderError,
    QuotaSpent,
    RateLimited,
    Refused,
    Unanswered,
    UnknownParseJob,
)
from hookline.providers.llamacloud.client import LlamaCloudClient, open_client
from support.cloud_worker import PDF, CloudWorker

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

DOCUMENT = Document("a.pdf", "application/pdf", PDF)


class Scripted:
    """A server that gives the same answer to every request, and counts the requests."""

    def __init__(self, answer: web.Response) -> None:
        self.answer = answer
        self.requests = 0

    async def take(self, request: web.Request) -> web.Response:
        await request.read()
        self.requests += 1
        return web.Response(
            status=self.answer.status, body=self.answer.body, headers=self.answer.headers
        )


@asynccontextmanager
async def answering(answer: web.Response) -> AsyncIterator[tuple[Scripted, LlamaCloudClient]]:
    server = Scripted(answer)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with open_without_tls(url) as provider:
            yield server, provider
    finally:
        await runner.cleanup()


def open_without_tls(url: str, **options: Any) -> AbstractAsyncContextManager[LlamaCloudClient]:
    http = DefaultAsyncHttpxClient(verify=NO_TLS)
    return open_client("llx-key", url, http=http, **{"tier": "agentic", "webhook": None, **options})


async def ask_for(provider: LlamaCloudClient) -> None:
    await provider.submit(Submission("file-1", DOCUMENT, "job-1", "1"))


@pytest.mark.parametrize(
    ("status", "detail", "meaning"),
    [
        (400, "Markdown is not available for the tier 'fast'.", Refused),
        (401, "Invalid API key", Misconfigured),
        (402, "You have used all the credits of your plan.", QuotaSpent),
        (403, "Forbidden", Misconfigured),
        (404, "Result not found. Check job status to see if it has completed.", NotReady),
        (404, "Parse job not found", UnknownParseJob),
        (404, "File not found", Refused),
        (404, "Not Found", Misconfigured),
        (409, None, Refused),
        (413, None, Refused),
        (422, [{"loc": ["body", "tier"], "msg": "Input should be ..."}], Refused),
        (429, "Rate limit exceeded", RateLimited),
        (500, "Internal server error", Unanswered),
        (503, None, Unanswered),
    ],
)
async def test_each_http_status_has_one_meaning_and_is_requested_once(
    status: int, detail: Any, meaning: type[ProviderError]
) -> None:
    async with answering(web.json_response({"detail": detail}, status=status)) as (
        server,
        provider,
    ):
        with pytest.raises(ProviderError) as raised:
            await ask_for(provider)
        assert type(raised.value) is meaning
        assert str(status) in str(raised.value)
        assert server.requests == 1


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=502, text="<html>502</html>", content_type="text/html"),
        web.Response(status=200, text="<html>a proxy</html>", content_type="text/html"),
        web.Response(status=200, text="{", content_type="application/json"),
        web.json_response({}),
        web.json_response({"id": None, "status": "PENDING", "project_id": "p"}),
        web.json_response({"id": "x" * 300, "status": "PENDING", "project_id": "p"}),
        web.json_response([]),
    ],
    ids=["502", "html", "half", "empty", "no id", "long id", "list"],
)
async def test_after_an_unusable_answer_the_request_may_have_been_carried_out(
    answer: web.Response,
) -> None:
    async with answering(answer) as (_, provider):
        with pytest.raises(Unanswered) as raised:
            await ask_for(provider)
        assert raised.value.sent


async def test_a_request_without_a_connection_was_not_sent(unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    async with open_without_tls(url) as provider:
        with pytest.raises(Unanswered) as raised:
            await ask_for(provider)
        assert not raised.value.sent


async def test_a_callback_is_requested_with_its_events_its_secret_and_as_json(
    worker: CloudWorker,
) -> None:
    hook = Callback("http://127.0.0.1:9/webhooks/llamacloud", "secret")
    async with open_client(
        worker.cloud.api_key,
        worker.cloud.url,
        tier="agentic",
        webhook=hook,
        http=DefaultAsyncHttpxClient(verify=NO_TLS),
    ) as provider:
        assert not provider.polled
        file_id = await provider.prepare(DOCUMENT)
        job = await provider.submit(Submission(file_id, DOCUMENT, "job-1", "2"))
    assert (job.job_id, job.attempt) == ("job-1", "2")
    [there] = worker.cloud.jobs.jobs[job.id].hooks
    assert (there.url, there.secret, there.output_format) == (hook.url, hook.secret, "json")
    assert not there.wants("parse.running")
    assert all(
        there.wants(f"parse.{end}") for end in ("success", "partial_success", "error", "cancelled")
    )
    assert "secret" not in repr(hook)


async def test_all_pages_of_a_listing_are_read(worker: CloudWorker) -> None:
    since = worker.now()
    file = worker.cloud.jobs.upload("a", b"a", "parse", None)
    there = [worker.cloud.jobs.create(file, "agentic").id for _ in range(230)]
    found = await worker.provider.find(since)
    assert [job.id for job in found] == there
    assert len(worker.cloud.requests) == 3
    assert set(await worker.provider.ask_many(there[:3])) == set(there[:3])


async def test_a_call_that_hangs_ends_at_its_deadline(worker: CloudWorker) -> None:
    async def never(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", never)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with open_without_tls(url, answered_within=0.1) as provider:
        with pytest.raises(Unanswered, match=r"within 0.1 s|not reached") as raised:
            await ask_for(provider)
        assert raised.value.sent
    await runner.cleanup()
