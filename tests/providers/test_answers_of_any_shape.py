"""Answers whose fields hold anything: each becomes a right record or a ProviderError."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast, get_args

import aiohttp
import httpx
import pytest

from hookline.providers.client import Artifact, ParseJob, ProviderClient, Result, Status
from hookline.providers.docling.client import DoclingClient
from hookline.providers.errors import ProviderError
from hookline.providers.http_calls import HttpCalls
from hookline.providers.llamacloud.client import open_client
from hookline.providers.reducto.client import ReductoClient
from hookline.providers.result_urls import ResultUrls
from hookline.sources.strict_json import is_storable

# Written as 1e999, which is JSON and which Python reads as infinity.
HUGE: Final = "huge"
ODD: Final[list[Any]] = [
    *(None, False, True, -1, 7, 1.5, HUGE, "", "x", "\0\ud800", "2026-02-30T00:00:00Z"),
    *([], [None], ["x"], {}, {"a": {}}),
]

DOCLING_TASK: Final = {
    "task_id": "t",
    "task_status": "success",
    "error_message": None,
    "failure": None,
}
FAILURE: Final = {"category": "policy", "message": "No.", "retryable": False}
DOCLING_FAILED: Final = DOCLING_TASK | {"task_status": "failure", "failure": FAILURE}
DOCLING_RESULT: Final = {
    "document": {"md_content": "# Text", "json_content": {"texts": []}, "text_content": "Text"},
    "status": "partial_success",
    "errors": [{"error_message": "Broken.", "page_no": 3}],
    "confidence": {"mean_score": 0.9, "low_score": 0.5, "mean_grade": "good"},
}
ORDER: Final = json.dumps({"async": {"metadata": {"hookline_job_id": "j", "attempt": "1"}}})
FIGURE: Final = {
    "type": "Figure",
    "confidence": "low",
    "image_url": "https://example.com/1.png",
    "bbox": {"page": 1},
}
REDUCTO_JOB: Final = {
    "status": "Completed",
    "error": {"name": "X", "message": "It broke."},
    "reason": None,
    "created_at": "2026-11-26T12:00:00Z",
    "duration": 0.1,
    "raw_config": ORDER,
    "result": {
        "usage": {"num_pages": 2, "credits": None},
        "result": {
            "type": "full",
            "chunks": [{"content": "# Text", "blocks": [FIGURE]}],
        },
    },
}
REDUCTO_LISTED: Final = {
    "jobs": [
        {
            "job_id": "j",
            "status": "Pending",
            "created_at": "2026-11-26T12:00:00Z",
            "raw_config": ORDER,
        }
    ],
    "next_cursor": None,
}
CLOUD_JOB: Final = {
    "job": {
        "id": "j",
        "status": "COMPLETED",
        "tier": "agentic",
        "error_message": "PDF_IS_BROKEN: no.",
        "created_at": "2026-11-26T12:00:00Z",
        "updated_at": "2026-11-26T12:00:00Z",
        "usage": {"credits": 20},
        "user_metadata": {"hookline_job_id": "j", "attempt": "1", "version": "v"},
    },
    "markdown_full": "# Text",
    "markdown": {
        "pages": [{"page_number": 1, "success": True, "markdown": "# Text"}],
    },
    "metadata": {
        "pages": [{"page_number": 1, "confidence": 0.9}, {"page_number": 2, "confidence": 0.5}],
        "document": {"confidence": 0.7},
    },
}


CLOUD_FILES: Final = {
    "images_content_metadata": {
        "images": [{"filename": "1.png", "category": "layout", "presigned_url": "https://a/b"}]
    },
    "result_content_metadata": {"xlsx": {"exists": True, "presigned_url": "https://a/b"}},
}


class Bodies(HttpCalls):
    """Answers that a test gives by the beginning of their path."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        super().__init__(cast("aiohttp.ClientSession", None), "", headers={})
        self.answers = answers

    async def bytes(self, method: str, path: Any, **request: Any) -> bytes:
        return next(body for start, body in self.answers.items() if path.startswith(start))


def variants(answer: Any) -> Iterator[Any]:
    """The answer, and each answer in which one value is odd or missing."""
    yield answer
    for path in paths(answer):
        for value in ODD:
            changed = copy.deepcopy({"": answer})
            *above, last = ("", *path)
            place: Any = changed
            for key in above:
                place = place[key]
            place[last] = value
            yield changed[""]
        if path and isinstance(path[-1], str):
            changed = copy.deepcopy(answer)
            place = changed
            for key in path[:-1]:
                place = place[key]
            del place[path[-1]]
            yield changed


def paths(value: Any) -> Iterator[tuple[Any, ...]]:
    yield ()
    if isinstance(value, dict):
        pairs = [*value.items()]
    else:
        pairs = [*enumerate(value)] if isinstance(value, list) else []
    for key, inner in pairs:
        for path in paths(inner):
            yield (key, *path)


def written(answer: Any) -> bytes:
    return json.dumps(answer).replace(f'"{HUGE}"', "1e999").encode()


def check_job(job: ParseJob) -> None:
    assert isinstance(job.id, str)
    assert job.id
    assert job.status in get_args(Status)
    assert (type(job.said), type(job.code), type(job.permanent)) == (str, str, bool)
    for text in (job.reason, job.job_id, job.attempt):
        assert text is None or isinstance(text, str)
    for moment in (job.created_at, job.updated_at):
        assert moment is None or (isinstance(moment, datetime) and moment.tzinfo is not None)
    assert job.billed is None or (isinstance(job.billed, Decimal) and job.billed.is_finite())
    assert job.billed is None or job.billed >= 0


def check_result(result: Result) -> None:
    check_job(result.job)
    assert isinstance(result.markdown, str)
    assert result.pages is None or type(result.pages) is int
    assert all(type(page) is int for page in (*result.cut, *result.failed))
    assert result.incomplete is None or isinstance(result.incomplete, str)
    assert is_storable(json.dumps(result.details, allow_nan=False, ensure_ascii=False))
    assert all(isinstance(one, Artifact) for one in result.artifacts)


async def check_calls(client: ProviderClient) -> None:
    """Whatever the answers are, a call returns a right record or raises ProviderError."""
    for call, check in ((client.ask, check_job), (client.fetch, check_result)):
        try:
            found = await cast("Callable[[str], Any]", call)("t")
        except ProviderError:
            continue
        cast("Callable[[Any], None]", check)(found)


@pytest.mark.parametrize(
    ("task", "result"),
    [(DOCLING_TASK, DOCLING_RESULT), (DOCLING_FAILED, {"failure": FAILURE, **DOCLING_RESULT})],
    ids=["done", "failed"],
)
async def test_docling_serve_may_answer_anything(task: Any, result: Any) -> None:
    bodies = Bodies({})
    for answers in (
        *((one, result) for one in variants(task)),
        *((DOCLING_TASK, one) for one in variants(result)),
    ):
        told, held = map(written, answers)
        bodies.answers = {"/v1/status/": told, "/v1/result/": held}
        await check_calls(DoclingClient(bodies))


async def test_reducto_may_answer_anything() -> None:
    bodies = Bodies({})
    client = ReductoClient(
        bodies, cast("ResultUrls", None), credits_a_page=Decimal(1), polled=False
    )
    for one in variants(REDUCTO_JOB):
        bodies.answers = {"/job/": written(one)}
        await check_calls(client)
    for one in variants(REDUCTO_LISTED):
        bodies.answers = {"/jobs": written(one)}
        try:
            jobs = await client.ask_many(["j"] * 4)
        except ProviderError:
            continue
        for job in jobs.values():
            check_job(job)


async def test_llamacloud_may_answer_anything() -> None:
    answer = b""
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, content=answer, headers={"Content-Type": "application/json"})
    )
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport))
        client = await stack.enter_async_context(
            open_client("llx-key", "http://127.0.0.1:9", tier="agentic", webhook=None, http=http)
        )
        for one in variants(CLOUD_JOB):
            answer = written(one)
            await check_calls(client)
        for one in variants(CLOUD_FILES):
            answer = written(one)
            try:
                found = await client.artifacts("j", client.artifact_kinds)
            except ProviderError:
                continue
            assert all(isinstance(one, Artifact) for one in found)
            assert all(isinstance(word, str) for a in found for word in (a.name, a.extension))
