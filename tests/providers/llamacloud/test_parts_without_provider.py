"""The parts that need neither the provider nor Postgres: limiter, batches, pages, failures."""

from __future__ import annotations

import asyncio
import sys
import zlib
from collections.abc import Sequence

import pytest
import structlog

from hookline.providers.client import ParseJob
from hookline.providers.limiter import Limiter
from hookline.providers.llamacloud.jobs import failure_in
from hookline.providers.llamacloud.provider import PROVIDER
from hookline.settings import ConfigurationError, Settings
from hookline.worker.parsing.batches import Batches
from hookline.worker.parsing.configured_stages import parser_stages
from hookline.worker.parsing.outcomes import failure_of
from hookline.worker.parsing.pages import count_pages
from support.servers import ROOT


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


async def test_no_time_window_has_more_calls_than_the_limit() -> None:
    clock = Clock()
    limiter = Limiter(5, 10, clock=clock.now, sleep=clock.sleep)
    starts = []
    for number in range(23):
        clock.time += number % 3
        await limiter.wait_for_turn()
        starts.append(clock.time)
    assert all(later - start >= 10 for start, later in zip(starts, starts[5:], strict=False))
    assert starts[4] < 10


async def test_questions_of_a_moment_share_a_request_and_each_gets_its_answer() -> None:
    put: list[list[int]] = []

    async def square(questions: Sequence[int]) -> dict[int, int]:
        put.append(list(questions))
        return {question: question**2 for question in questions if question != 3}

    batches = Batches(square, size=4)
    answers = await asyncio.gather(*map(batches.ask, [1, 2, 3, 4, 5, 1]))
    assert answers == [1, 4, None, 16, 25, 1]
    assert put == [[1, 2, 3, 4], [5, 1]]
    assert await batches.ask(6) == 36


async def test_a_cancelled_question_harms_no_other_and_a_failure_reaches_all() -> None:
    async def fail(questions: Sequence[int]) -> dict[int, int]:
        raise ZeroDivisionError

    batches = Batches(fail, size=4)
    gone, there = (asyncio.create_task(batches.ask(number)) for number in (1, 2))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(ZeroDivisionError):
        await there
    with pytest.raises(ZeroDivisionError):
        await batches.ask(3)


async def test_a_request_for_many_has_the_log_fields_of_none() -> None:
    fields: list[dict[str, object]] = []

    async def look(questions: Sequence[int]) -> dict[int, int]:
        fields.append(structlog.contextvars.get_contextvars())
        return {}

    batches = Batches(look, size=4)
    with structlog.contextvars.bound_contextvars(job_id="one"):
        await batches.ask(1)
    assert fields == [{}]


COMPRESSED = (
    b"%PDF-1.5\n1 0 obj\n<</Type /ObjStm /N 3 /Length 99>>\nstream\n"
    + zlib.compress(b"<</Type /Page>> <</Type/Page/Parent 1 0 R>> <</Type /Pages /Count 2>>")
    + b"\nendstream\n"
)


@pytest.mark.parametrize(
    ("content", "mime", "pages"),
    [
        ((ROOT / "server/hookline/standalone/sample.pdf").read_bytes(), "application/pdf", 2),
        (COMPRESSED, "application/pdf", 2),
        (b"\xef\xbb\xbf\r\n" + COMPRESSED, "application/pdf", 2),
        (b"%PDF-1.5\n<</Type /ObjStm>> stream\nnot deflated", "application/pdf", None),
        (b"%PDF-1.4 of no known kind", "application/pdf", None),
        (b"\x89PNG", "image/png", 1),
        (b"II*\0", "image/tiff", None),
        (b"text", "text/plain", None),
    ],
)
def test_the_pages_of_a_file_are_counted_if_possible(
    content: bytes, mime: str, pages: int | None
) -> None:
    assert count_pages(content, mime) == pages


def test_a_compressed_bomb_costs_little() -> None:
    bomb = b"<</Type /ObjStm>>\nstream\n" + zlib.compress(bytes(2**26)) + b"\n"
    assert count_pages(b"%PDF-1.5\n" + bomb * 8, "application/pdf") is None


@pytest.mark.parametrize(
    ("message", "code", "permanent"),
    [
        ("PDF_IS_PROTECTED: The PDF is protected.", "PDF_IS_PROTECTED", True),
        ("Failed with PDF_IS_BROKEN", "PDF_IS_BROKEN", True),
        ("TIMEOUT", "TIMEOUT", False),
        ("Something else went wrong.", "parse_failed", False),
        (None, "parse_failed", False),
        ("\0\ud800 TOO_MANY_PAGES " + "x" * 5000, "TOO_MANY_PAGES", True),
    ],
)
def test_a_failure_has_the_code_of_the_provider(
    message: str | None, code: str, permanent: bool
) -> None:
    found, is_permanent = failure_in(message)
    failed = ParseJob("p-1", "failed", "FAILED", message, found, is_permanent)
    failure = failure_of(failed)
    assert failure.permanent is permanent
    assert failure.start_over is not permanent
    assert failure.code == code
    assert 1 <= len(failure.text) <= 1000
    failure.text.encode()
    assert "\0" not in failure.text


def settings(**values: str) -> Settings:
    return Settings.model_validate(values)


async def test_a_missing_key_stops_the_start_with_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match="LLAMA_CLOUD_API_KEY is not set"):
        async with PROVIDER.open(settings()):
            pass


async def test_a_missing_package_stops_the_start_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.startswith("hookline.providers.llamacloud.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "llama_cloud", None)
    with pytest.raises(ConfigurationError, match=r"pip install '\.\[llamacloud\]'"):
        async with PROVIDER.open(settings(llama_cloud_api_key="llx-1")):
            pass


async def test_the_stages_need_only_a_key() -> None:
    async with parser_stages(settings(llama_cloud_api_key="llx-1")) as parser:
        assert [stage.status for stage in parser.stages] == [
            "uploaded",
            "parse_queued",
            "parse_ready",
        ]
