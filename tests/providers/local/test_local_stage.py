"""The local parser as a stage: every document ends with its text or with a reason."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest
import structlog
from aiohttp import web
from pydantic import SecretStr

from hookline.postgres.engine import Engine
from hookline.providers.configured_parser import choose_parser
from hookline.providers.local import parser as local_parser
from hookline.providers.local import stage as local_stage_module
from hookline.providers.local.stage import ParseLocally, local_stage, receiver_url
from hookline.receiver.run import Receiver, receiving
from hookline.settings import ConfigurationError, Settings
from hookline.stages import Stage
from hookline.standalone.embedded.address import free_port
from hookline.worker.parsing.configured_stages import parser_stages
from support.pdfs import pdf, sample, text
from support.servers import Server
from support.waiting import until
from support.workplace import Workplace

SECRET = SecretStr("the-secret-of-the-parser")
OTHER = SecretStr("the-secret-of-somebody-else")
KEY = SecretStr("llx-0123456789")
HELLO = text("Hello world", y=700)


@pytest.fixture
def workplace(postgres18: Server, database: str, tmp_path: Path) -> Iterator[Workplace]:
    with closing(Workplace(database, postgres18.login(database, "worker"), tmp_path)) as made:
        made.retry_at_once()
        yield made


@pytest.fixture
async def receiver(workplace: Workplace, postgres18: Server) -> AsyncIterator[Receiver]:
    url = postgres18.login(workplace.database, "ingest")
    async with receiving(settings(workplace, database_url=SecretStr(url), port=0)) as receiver:
        yield receiver


def bare(**values: Any) -> Settings:
    return Settings(**values)


def settings(workplace: Workplace, **changes: Any) -> Settings:
    return workplace.settings(llamaparse_secrets=(SECRET,), parser="local", **changes)


@asynccontextmanager
async def parsing(
    workplace: Workplace, receiver_at: str, *, deadline: float = 60, **changes: Any
) -> AsyncIterator[None]:
    """A worker with the stage. An envelope is sent once."""
    async with aiohttp.ClientSession() as session:
        handler = ParseLocally(session, receiver_at, deadline=deadline, tries=1)
        stage = Stage("uploaded", handler)
        chosen = {"llamaparse_secrets": (SECRET,), **changes}
        async with workplace.working(stage, **chosen):
            yield


def job_of(
    workplace: Workplace, content: bytes, filename: str = "report.pdf", options: str = "{}"
) -> UUID:
    sha256 = hashlib.sha256(content).hexdigest()
    file = workplace.objects / "raw" / sha256
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    job_id: UUID = workplace.one(
        "select job_id from upload_pipeline.create_job(owner_id => %s, filename => %s,"
        " mime => 'application/pdf', bytes_len => %s, file_sha256 => %s, raw_path => %s,"
        " options => %s::jsonb)",
        *(uuid4(), filename, len(content), sha256, f"storage://raw/{sha256}", options),
    )["job_id"]
    workplace.confirm(job_id)
    return job_id


def reason(workplace: Workplace, job_id: UUID) -> str | None:
    error = workplace.job(job_id)["last_error"]
    return None if error is None else str(error["code"])


async def test_the_text_arrives_by_the_signed_route_of_the_receiver(
    workplace: Workplace, receiver: Receiver
) -> None:
    job_id = job_of(workplace, sample())
    async with parsing(workplace, receiver.url):
        await until(lambda: workplace.status(job_id) == "parsed")
    job = workplace.job(job_id)
    content = (workplace.objects / job["parsed_path"].removeprefix("storage://")).read_bytes()
    assert content.startswith(b"# What a webhook has to survive\n")
    assert hashlib.sha256(content).hexdigest() == job["parsed_sha256"]
    assert workplace.codes(job_id) == ["job_created", "upload_confirmed", "parse_completed"]
    assert workplace.query(
        "select source, outcome, times_seen, parse_job_id from upload_pipeline.delivery_log"
    ) == [
        {
            "source": "llamaparse",
            "outcome": "applied",
            "times_seen": 1,
            "parse_job_id": f"local-{job_id}-1",
        }
    ]


@asynccontextmanager
async def answering(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]], path: str = "/{path:.*}"
) -> AsyncIterator[str]:
    """An HTTP server in the place of the receiver. Yields its address."""
    application = web.Application(client_max_size=2**26)
    application.router.add_post(path, answer)
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records the calls by which a worker ends a lease, from here on."""
    calls: list[str] = []
    for name in ("advance_job", "fail_job", "defer_job", "release_lease"):
        original = getattr(Engine, name)

        def recorded(self: Engine, *args: Any, _original: Any = original, **options: Any) -> Any:
            calls.append(_original.__name__)
            return _original(self, *args, **options)

        monkeypatch.setattr(Engine, name, recorded)
    return calls


async def test_a_text_that_the_receiver_took_is_a_hand_over_and_no_lost_lease(
    workplace: Workplace, receiver: Receiver, told: list[str]
) -> None:
    # The answer is late: heartbeats find the lease ended before the handler has the answer.
    async def forward_slowly(request: web.Request) -> web.Response:
        headers = {name: request.headers[name] for name in ("Content-Type", "X-Webhook-Signature")}
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{receiver.url}{request.path}", data=await request.read(), headers=headers
            ) as response,
        ):
            body = await response.read()
        await asyncio.sleep(1)
        return web.Response(status=response.status, body=body)

    job_id = job_of(workplace, sample())
    with structlog.testing.capture_logs() as lines:
        async with answering(forward_slowly) as url, parsing(workplace, url, lease=1):
            await until(lambda: any(line["event"] == "job" for line in lines))
    assert workplace.status(job_id) == "parsed"
    assert [line["result"] for line in lines if line["event"] == "job"] == ["handed_over"]
    assert {line["log_level"] for line in lines} == {"info"}
    assert told == []


async def test_pages_without_text_are_recorded_once_before_the_text_is_stored(
    workplace: Workplace, postgres18: Server
) -> None:
    job_id, port = job_of(workplace, pdf([HELLO, b"", HELLO, b""])), free_port()
    async with parsing(workplace, f"http://127.0.0.1:{port}"):
        # Sending again does not record it again.
        await until(lambda: workplace.codes(job_id).count("stage_deferred") > 1)
        url = SecretStr(postgres18.login(workplace.database, "ingest"))
        async with receiving(settings(workplace, database_url=url, port=port)):
            await until(lambda: workplace.status(job_id) == "parsed")
    codes = [code for code in workplace.codes(job_id) if code != "stage_deferred"]
    assert codes[2:] == ["parse_truncated", "parse_completed"]
    event = workplace.one(
        "select severity, payload from upload_pipeline.events"
        " where job_id = %s and code = 'parse_truncated'",
        job_id,
    )
    assert event["severity"] == "warn"
    assert event["payload"] == {
        "parse_job_id": f"local-{job_id}-1",
        "pages_without_text": [2, 4],
    }


async def test_no_more_children_run_at_once_than_their_memory_budget_allows(
    workplace: Workplace, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = most = 0

    async def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal running, most
        assert options["memory"] == 2**28
        running += 1
        most = max(most, running)
        result = await local_parser.parse_content(*arguments, **options)
        running -= 1
        return result

    monkeypatch.setattr(local_stage_module, "parse_content", counted)
    jobs = [job_of(workplace, pdf([text(f"Document {number}", y=700)])) for number in range(6)]
    chosen = settings(workplace, parser_memory=2**28, parser_memory_budget=2**29 - 1)
    async with local_stage(chosen.model_copy(update={"receiver_url": receiver.url})) as parser:
        [stage] = parser.stages
        assert stage.concurrency == 1
        # As by `hookline work --concurrency uploaded=6`.
        async with workplace.working(replace(stage, concurrency=6), llamaparse_secrets=(SECRET,)):
            await until(lambda: all(workplace.status(job_id) == "parsed" for job_id in jobs))
    assert most == 1


@pytest.mark.parametrize("outcome", ["applied", "duplicate"])
async def test_an_applied_or_duplicate_envelope_is_a_hand_over(
    workplace: Workplace, outcome: str, told: list[str]
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"outcome": outcome})

    job_of(workplace, sample())
    with structlog.testing.capture_logs() as lines:
        async with answering(answer) as url, parsing(workplace, url):
            await until(lambda: any(line["event"] == "job" for line in lines))
    assert [line["result"] for line in lines if line["event"] == "job"] == ["handed_over"]
    assert told == []


@pytest.mark.parametrize("outcome", ["stale", "ignored", "unrecognised", "parked", "kept", None])
async def test_an_envelope_that_was_not_applied_defers_the_job(
    workplace: Workplace, outcome: str | None
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({} if outcome is None else {"outcome": outcome})

    job_id = job_of(workplace, sample())
    async with answering(answer) as url, parsing(workplace, url):
        await until(lambda: workplace.codes(job_id)[-1] == "stage_deferred")
    assert (workplace.status(job_id), reason(workplace, job_id)) == (
        *("uploaded", "content_not_applied"),
    )


async def test_a_document_that_cannot_be_parsed_fails_at_once_with_its_code(
    workplace: Workplace, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = b"".join(text("Much " * 18, y=760 - 9 * line, size=8) for line in range(80))
    many = pdf([b""] * 2001)
    monkeypatch.setattr("hookline.providers.local.stage.MAX_BYTES", len(many))
    expected = {
        job_of(workplace, pdf([HELLO], encrypted=True)): "PDF_IS_PROTECTED",
        job_of(workplace, b"%PDF-1.4\nno more"): "PDF_IS_BROKEN",
        job_of(workplace, sample()[:900]): "PDF_IS_BROKEN",
        job_of(workplace, pdf([b""])): "NO_DATA_FOUND_IN_FILE",
        job_of(workplace, many): "TOO_MANY_PAGES",
        job_of(workplace, b"PK\x03\x04 hello", "a.docx"): "UNSUPPORTED_FILE_TYPE",
        job_of(workplace, pdf([page] * 20)): "DOCUMENT_TOO_LARGE",  # As a webhook.
        job_of(workplace, many + b"\n"): "DOCUMENT_TOO_LARGE",  # As a file.
    }
    async with parsing(workplace, receiver.url, max_body=2**16):
        await until(lambda: all(workplace.job(one)["terminal"] for one in expected))
    assert {one: reason(workplace, one) for one in expected} == expected
    for job_id in expected:
        assert workplace.codes(job_id) == ["job_created", "upload_confirmed", "parse_failed"]
    # No webhook was sent for any of them.
    assert workplace.query("select job_id from upload_pipeline.delivery_log") == []


async def test_options_are_refused_except_those_of_other_parsers(workplace: Workplace) -> None:
    refused = job_of(workplace, sample(), options='{"tier": "agentic"}')
    async with parsing(workplace, "http://127.0.0.1:9"):
        await until(lambda: workplace.status(refused) == "failed_parse")
        assert reason(workplace, refused) == "option_refused"
        taken = job_of(workplace, pdf([HELLO]), options='{"llamacloud": {"tier": "agentic"}}')
        await until(lambda: reason(workplace, taken) == "receiver_away")


async def test_text_and_json_are_stored_and_what_is_not_offered_is_named(
    workplace: Workplace, receiver: Receiver
) -> None:
    wanted = pdf([text("Hello world", y=700), text("Page two", y=700)])
    job_id = job_of(workplace, wanted, options='{"artifacts": ["json", "text", "images"]}')
    async with parsing(workplace, receiver.url):
        await until(lambda: workplace.status(job_id) == "parsed")
    assert workplace.codes(job_id)[2:] == ["artifact_failed", "parse_completed"]
    payload = workplace.one(
        "select payload from upload_pipeline.events where job_id = %s and code = 'artifact_failed'",
        job_id,
    )["payload"]
    assert payload == {
        "parse_job_id": f"local-{job_id}-1",
        "failed": 1,
        "artifacts": [{"kind": "images", "name": "", "code": "not_offered"}],
    }
    found = artifacts_of(workplace, job_id)
    assert found["text"].decode().split("\f") == ["Hello world", "Page two"]
    pages = json.loads(found["json"])["pages"]
    assert [page["items"][0]["text"] for page in pages] == ["Hello world", "Page two"]


async def test_a_receiver_that_is_away_leaves_artifacts_which_the_next_try_keeps(
    workplace: Workplace, receiver: Receiver
) -> None:
    job_id = job_of(workplace, sample(), options='{"artifacts": ["text"]}')
    async with parsing(workplace, "http://127.0.0.1:9"):
        await until(lambda: reason(workplace, job_id) == "receiver_away")
    before = artifacts_of(workplace, job_id)
    workplace.query("update upload_pipeline.upload_jobs set run_after = upload_pipeline.clock()")
    async with parsing(workplace, receiver.url):
        await until(lambda: workplace.status(job_id) == "parsed")
    assert artifacts_of(workplace, job_id) == before
    assert before.keys() == {"text"}
    assert workplace.query("select path from upload_pipeline.deletions") == []


def artifacts_of(workplace: Workplace, job_id: UUID) -> dict[str, bytes]:
    """The stored artifacts by their kinds, after a comparison of the hashes."""
    rows = workplace.query(
        "select kind, path, sha256 from upload_pipeline.artifact_overview where job_id = %s", job_id
    )
    found = {
        row["kind"]: (workplace.objects / row["path"].removeprefix("storage://")).read_bytes()
        for row in rows
    }
    assert [hashlib.sha256(found[row["kind"]]).hexdigest() for row in rows] == [
        row["sha256"] for row in rows
    ]
    return found


async def test_a_hanging_parser_is_a_timeout_and_a_crashed_one_is_tried_again(
    workplace: Workplace, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_parser, "_command", lambda *_: ["sleep", "60"])
    job_id = job_of(workplace, sample())
    async with parsing(workplace, receiver.url, deadline=0.2):
        await until(lambda: workplace.job(job_id)["terminal"])
    assert reason(workplace, job_id) == "TIMEOUT"
    assert workplace.codes(job_id)[2:] == ["parse_failed"]

    monkeypatch.setattr(local_parser, "_command", lambda *_: ["sh", "-c", "kill -KILL $$"])
    job_id = job_of(workplace, pdf([HELLO]))
    async with parsing(workplace, receiver.url):
        await until(lambda: workplace.job(job_id)["terminal"])
    assert reason(workplace, job_id) == "PARSER_CRASHED"
    assert workplace.codes(job_id)[2:] == ["stage_retried", "stage_retried", "parse_failed"]


async def test_an_unreachable_receiver_defers_the_job_and_counts_no_try(
    workplace: Workplace, postgres18: Server
) -> None:
    job_id, port = job_of(workplace, sample()), free_port()
    async with parsing(workplace, f"http://127.0.0.1:{port}"):
        # More often than a job may fail, so none of these counted as a failed try.
        await until(lambda: workplace.codes(job_id).count("stage_deferred") > 3)
        assert (workplace.status(job_id), reason(workplace, job_id)) == (
            *("uploaded", "receiver_away"),
        )
        url = SecretStr(postgres18.login(workplace.database, "ingest"))
        async with receiving(settings(workplace, database_url=url, port=port)):
            await until(lambda: workplace.status(job_id) == "parsed")
    assert workplace.codes(job_id).count("parse_completed") == 1


async def test_a_secret_that_the_receiver_refuses_pauses_the_stage_and_says_why(
    workplace: Workplace, receiver: Receiver
) -> None:
    job_id = job_of(workplace, sample())
    async with parsing(workplace, receiver.url, llamaparse_secrets=(OTHER,)):
        await until(lambda: reason(workplace, job_id) == "receiver_refused_us")
        await until(lambda: workplace.query("select alert from upload_pipeline.alerts") != [])
    [alert] = workplace.query("select alert, subject, detail from upload_pipeline.alerts")
    assert (alert["alert"], alert["subject"]) == ("stage_paused", "uploaded")
    assert "HOOKLINE_LLAMAPARSE_SECRETS" in alert["detail"]
    assert OTHER.get_secret_value() not in alert["detail"]
    assert workplace.codes(job_id)[2:] == ["stage_deferred"]


async def test_each_refusal_of_the_receiver_has_its_outcome(workplace: Workplace) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"detail": "No."}, status=int(request.match_info["code"]))

    async with answering(refuse, "/{code}/webhooks/llamaparse") as url:
        for status, code, last in (
            (409, "webhook_refused", "parse_failed"),
            (413, "DOCUMENT_TOO_LARGE", "parse_failed"),
            (404, "receiver_knows_no_such_job", "stage_deferred"),
            (503, "receiver_unavailable", "stage_deferred"),
        ):
            job_id = job_of(workplace, pdf([text(f"Answer {status}", y=700)]))
            async with parsing(workplace, f"{url}/{status}"):
                await until(lambda: workplace.codes(job_id)[-1] == last)  # noqa: B023
            assert reason(workplace, job_id) == code
            workplace.query("select upload_pipeline.cancel_job(%s)", job_id)


@pytest.mark.parametrize(
    ("given", "installed", "parser", "told"),
    [
        ({"llama_cloud_api_key": KEY}, True, "llamacloud", "LLAMA_CLOUD_API_KEY is set."),
        (
            {"llama_cloud_api_key": KEY, "llamaparse_secrets": (SECRET,), "parser": "local"},
            *(True, "local", "HOOKLINE_PARSER says so."),
        ),
        (
            {"llamaparse_secrets": (SECRET,)},
            *(True, "local", "parses on this machine: LLAMA_CLOUD_API_KEY is not set."),
        ),
        ({"llamaparse_secrets": (SECRET,)}, False, "none", "liteparse is not installed."),
        ({}, True, "none", "HOOKLINE_LLAMAPARSE_SECRETS, to sign with, is not set."),
        ({"llama_cloud_api_key": KEY, "parser": "none"}, True, "none", "HOOKLINE_PARSER says so."),
    ],
)
def test_the_settings_choose_the_parser_and_a_sentence_says_why(
    given: dict[str, Any],
    installed: bool,
    parser: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not installed:
        monkeypatch.setattr(local_parser, "PARSER", "no-such-package")
    choice = choose_parser(bare(**given))
    assert choice.parsers == (parser,)
    assert told in choice.sentence


async def test_a_local_parser_that_cannot_run_stops_the_start_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigurationError, match="HOOKLINE_LLAMAPARSE_SECRETS is not set"):
        async with parser_stages(bare(parser="local")):
            pass
    monkeypatch.setattr(local_parser, "PARSER", "no-such-package")
    with pytest.raises(ConfigurationError, match=r"pip install '\.\[local\]'"):
        async with local_stage(bare(llamaparse_secrets=(SECRET,))):
            pass


def test_the_receiver_is_at_its_listening_address_unless_a_setting_says_otherwise() -> None:
    assert receiver_url(bare(host="0.0.0.0", port=9000)) == "http://127.0.0.1:9000"  # noqa: S104
    assert receiver_url(bare(host="::", port=9000)) == "http://[::1]:9000"
    elsewhere = bare(receiver_url="https://hooks.example.com/base/")
    assert receiver_url(elsewhere) == "https://hooks.example.com/base"
