"""What a job wants beside its markdown is stored before the job moves, or named as missing."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import Callable, Collection, Sequence
from typing import Any

import pytest
from aiohttp import web

from fakes.llamacloud import wire
from hookline.postgres.engine import Engine
from hookline.postgres.errors import StaleLease
from hookline.providers import artifacts
from hookline.providers.client import Artifact
from hookline.providers.errors import Refused, Unanswered
from hookline.storage.objects import ObjectRefused, StorageError, TypeNotAllowed
from support.cloud_worker import PDF, CloudWorker, Employ


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "PAUSES", (0.0, 0.0))


class Album:
    """Images of a job. `failing` says how often reading each name fails, and how."""

    def __init__(self, *names: str, content: bytes = b"an image") -> None:
        self.names = names
        self.content = content
        self.failing: dict[str, list[Exception]] = {}
        self.reads: list[str] = []

    async def artifacts(self, _: str, kinds: Collection[str]) -> Sequence[Artifact]:
        assert kinds == ["images"]
        return [Artifact("images", "png", self._reading(name), name) for name in self.names]

    def _reading(self, name: str) -> Any:
        async def read() -> bytes:
            self.reads.append(name)
            if self.failing.get(name):
                raise self.failing[name].pop(0)
            return self.content

        return read


@pytest.fixture
def album(worker: CloudWorker, monkeypatch: pytest.MonkeyPatch) -> Album:
    album = Album("1.png", "2.png")
    monkeypatch.setattr(type(worker.provider), "artifact_kinds", frozenset({"images"}))
    monkeypatch.setattr(worker.provider, "artifacts", album.artifacts)
    return album


def missing(worker: CloudWorker, job_id: Any) -> list[tuple[str, str, str]]:
    told = worker.event(job_id, "artifact_failed")
    return [(one["kind"], one["name"], one["code"]) for one in told["artifacts"]]


async def test_text_and_json_are_stored_with_the_markdown(worker: CloudWorker) -> None:
    job_id = await worker.ready(options={"artifacts": ["json", "text"]})
    await worker.work("parse_ready")
    markdown = await worker.stored(job_id)
    found = await worker.artifacts(job_id)
    assert found.keys() == {"json", "text"}
    assert found["text"].decode() == markdown
    assert [page["page_number"] for page in json.loads(found["json"])["pages"]] == [1, 2]
    assert worker.event(job_id, "parse_completed")["artifacts"] == {"json": 1, "text": 1}
    paths = worker.query("select path from upload_pipeline.stored_objects where stored")
    assert {row["path"] for row in paths} == {
        found.path async for found in worker.storage.list("parsed")
    }


async def test_a_job_that_wants_nothing_more_makes_no_other_request(worker: CloudWorker) -> None:
    await worker.ready()
    before = len(worker.cloud.requests)
    await worker.work("parse_ready")
    assert len(worker.cloud.requests) == before + 1
    assert worker.query("select from upload_pipeline.artifacts") == []


async def test_a_kind_that_the_provider_does_not_offer_is_named(worker: CloudWorker) -> None:
    job_id = await worker.ready(options={"artifacts": "text, tea"})
    await worker.work("parse_ready")
    assert missing(worker, job_id) == [("tea", "", "not_offered")]
    assert (await worker.artifacts(job_id)).keys() == {"text"}


@pytest.mark.parametrize("wrong", [7, ["Two words"], [7], {"json": True}])
async def test_a_wrong_option_fails_the_job_before_it_costs(
    worker: CloudWorker, wrong: object
) -> None:
    job_id = await worker.upload(options={"artifacts": wrong})
    await worker.work("uploaded")
    assert (worker.status(job_id), worker.last_error(job_id)) == ("failed_parse", "option_refused")
    assert worker.query("select from upload_pipeline.credit_reservations") == []


async def test_names_of_the_provider_are_no_paths_and_may_repeat(
    worker: CloudWorker, album: Album
) -> None:
    album.names = ("../../raw/x", "a\0b", "same", "same", "n" * 300)
    job_id = await worker.ready(options={"artifacts": ["images"]})
    await worker.work("parse_ready")
    found = await worker.artifacts(job_id)
    names = ("../../raw/x", "a\N{REPLACEMENT CHARACTER}b", "same", "same (2)", "n" * 200)
    assert found == {f"images/{name}": b"an image" for name in names}


async def test_what_fails_at_first_is_tried_again_and_alone(
    worker: CloudWorker, album: Album
) -> None:
    album.failing["2.png"] = [Unanswered("The provider was not reached.")] * 2
    job_id = await worker.ready(options={"artifacts": ["images"]})
    await worker.work("parse_ready")
    assert album.reads == ["1.png", "2.png", "2.png", "2.png"]
    assert (await worker.artifacts(job_id)).keys() == {"images/1.png", "images/2.png"}
    assert "artifact_failed" not in worker.codes(job_id)


@pytest.mark.parametrize(
    ("error", "code", "reads"),
    [
        (Unanswered("The provider was not reached."), "provider_unanswered", 3),
        (Refused("Too large.", code="result_too_large", permanent=True), "result_too_large", 1),
    ],
)
async def test_a_job_goes_on_without_an_artifact_that_cannot_be_had(
    worker: CloudWorker, album: Album, error: Exception, code: str, reads: int
) -> None:
    album.failing["1.png"] = [error] * 9
    job_id = await worker.ready(options={"artifacts": ["images"]})
    await worker.work("parse_ready")
    assert worker.status(job_id) == "parsed"
    assert missing(worker, job_id) == [("images", "1.png", code)]
    assert worker.codes(job_id)[-2:] == ["artifact_failed", "parse_completed"]
    assert album.reads.count("1.png") == reads
    assert (await worker.artifacts(job_id)).keys() == {"images/2.png"}


async def test_a_listing_that_fails_names_the_kind(
    worker: CloudWorker, monkeypatch: pytest.MonkeyPatch, album: Album
) -> None:
    async def fail(*_: object) -> Sequence[Artifact]:
        raise Unanswered("The provider was not reached.")

    monkeypatch.setattr(worker.provider, "artifacts", fail)
    job_id = await worker.ready(options={"artifacts": ["images"]})
    await worker.work("parse_ready")
    assert worker.status(job_id) == "parsed"
    assert missing(worker, job_id) == [("images", "", "provider_unanswered")]


async def test_count_and_bytes_are_limited(
    worker: CloudWorker, album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "MOST", 3)
    monkeypatch.setattr(artifacts, "MOST_BYTES", 10)
    album.names = tuple("abcde")
    job_id = await worker.ready(options={"artifacts": ["images"]})
    await worker.work("parse_ready")
    assert album.reads == ["a", "b"]
    assert missing(worker, job_id) == [
        ("images", "", "too_many"),
        ("images", "c", "too_many_bytes"),
    ]


async def test_a_host_that_is_too_slow_costs_the_artifacts_and_not_the_markdown(
    worker: CloudWorker, album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = album._reading

    def slow(name: str) -> Any:
        return reading(name) if name == "1.png" else asyncio.Event().wait

    monkeypatch.setattr(artifacts, "MOST_SECONDS", 0.3)
    monkeypatch.setattr(album, "_reading", slow)
    album.names = ("1.png", "2.png", "3.png")
    job_id = await worker.ready(options={"artifacts": ["images"]})
    await worker.work("parse_ready")
    assert worker.status(job_id) == "parsed"
    assert (await worker.artifacts(job_id)).keys() == {"images/1.png"}
    assert missing(worker, job_id) == [
        ("images", "2.png", "too_slow"),
        ("images", "3.png", "too_slow"),
    ]


async def test_an_empty_artifact_is_none(worker: CloudWorker, album: Album) -> None:
    album.content = b""
    job_id = await worker.ready(options={"artifacts": ["images"]})
    await worker.work("parse_ready")
    assert worker.status(job_id) == "parsed"
    assert {code for *_, code in missing(worker, job_id)} == {"empty"}


async def test_a_storage_that_is_away_puts_the_job_off_and_then_nothing_is_missing(
    worker: CloudWorker, album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise StorageError("it is away")

    job_id = await worker.ready(options={"artifacts": ["images"]})
    with monkeypatch.context() as patched:
        patched.setattr(worker.storage, "write", refuse)
        await worker.work("parse_ready")
    assert worker.status(job_id) == "parse_ready"
    assert worker.last_error(job_id) == "storage_unavailable"
    assert await worker.artifacts(job_id) == {}
    worker.later(minutes=1)
    await worker.work("parse_ready")
    assert worker.status(job_id) == "parsed"
    assert len(await worker.artifacts(job_id)) == 2


async def test_content_that_comes_back_waits_until_its_old_object_is_deleted(
    worker: CloudWorker, album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise StorageError("it is away")

    job_id = await worker.ready(options={"artifacts": ["images"]})
    with monkeypatch.context() as patched:
        patched.setattr(worker.storage, "write", refuse)
        for album.content in (b"an image", b"another one"):
            await worker.work("parse_ready")
            worker.later(minutes=10)
    assert len(worker.query("select * from upload_pipeline.claim_deletions()")) == 2
    album.content = b"an image"
    await worker.work("parse_ready")
    assert worker.status(job_id) == "parse_ready"
    assert worker.last_error(job_id) == "deletion_under_way"
    assert worker.codes(job_id)[-1] == "stage_deferred"
    worker.later(minutes=2)
    await worker.work("parse_ready")
    assert set((await worker.artifacts(job_id)).values()) == {b"an image"}
    paths = worker.query("select path from upload_pipeline.deletions")
    assert {row["path"] for row in paths}.isdisjoint(
        row["path"] for row in worker.query("select path from upload_pipeline.artifacts")
    )


@pytest.mark.parametrize(
    "error", [ObjectRefused("it is too large"), TypeNotAllowed("the bucket does not take it")]
)
async def test_an_object_that_the_storage_refuses_is_named(
    worker: CloudWorker, album: Album, monkeypatch: pytest.MonkeyPatch, error: StorageError
) -> None:
    write = worker.storage.write

    async def refuse(path: str, content: bytes) -> None:
        if ".images." in path:
            raise error
        await write(path, content)

    monkeypatch.setattr(worker.storage, "write", refuse)
    job_id = await worker.ready(options={"artifacts": ["images"]})
    await worker.work("parse_ready")
    assert worker.status(job_id) == "parsed"
    assert {code for *_, code in missing(worker, job_id)} == {"storage_refused"}


FILES = {"artifacts": ["images", "screenshots", "xlsx", "pdf"]}
IMAGES = {"images/img_p0_1.png", "images/page_1_chart_1.jpeg"}
SCREENSHOTS = {"screenshots/page_1.jpg", "screenshots/page_2.jpg"}


async def test_images_screenshots_tables_and_a_pdf_are_files_of_their_own(
    worker: CloudWorker,
) -> None:
    job_id = await worker.ready(options=FILES)
    [there] = worker.jobs_there(job_id)
    assert there.options["output_options"] == {
        "images_to_save": ["embedded", "layout", "screenshot"],
        "tables_as_spreadsheet": {"enable": True},
        "save_output_pdf": True,
    }
    await worker.work("parse_ready")
    found = await worker.artifacts(job_id)
    assert found.keys() == {*IMAGES, *SCREENSHOTS, "xlsx", "pdf"}
    assert found["pdf"] == PDF
    assert found["screenshots/page_2.jpg"].startswith(b"page_2.jpg of ")
    assert worker.event(job_id, "parse_completed")["artifacts"] == {
        "images": 2,
        "pdf": 1,
        "screenshots": 2,
        "xlsx": 1,
    }
    paths = worker.query("select kind, path from upload_pipeline.artifact_overview")
    endings = {(row["kind"], row["path"].rpartition(".")[2]) for row in paths}
    assert endings == {
        *(("images", "png"), ("images", "jpg"), ("screenshots", "jpg"), ("xlsx", "xlsx")),
        ("pdf", "pdf"),
    }


async def test_of_the_images_only_the_kind_that_was_asked_for_is_made_and_fetched(
    worker: CloudWorker,
) -> None:
    job_id = await worker.ready(options={"artifacts": ["screenshots"]})
    [there] = worker.jobs_there(job_id)
    assert there.options["output_options"] == {"images_to_save": ["screenshot"]}
    there.options["output_options"] = {"images_to_save": ["screenshot", "layout"]}
    await worker.work("parse_ready")
    assert (await worker.artifacts(job_id)).keys() == SCREENSHOTS
    assert worker.cloud.downloads == ["page_1.jpg", "page_2.jpg"]


async def test_a_document_without_tables_has_no_spreadsheet_and_misses_none(
    worker: CloudWorker,
) -> None:
    job_id = await worker.ready(options={"artifacts": ["xlsx", "text"]})
    [there] = worker.jobs_there(job_id)
    there.options["output_options"] = {}
    await worker.work("parse_ready")
    assert (await worker.artifacts(job_id)).keys() == {"text"}
    assert "artifact_failed" not in worker.codes(job_id)


async def test_a_url_that_has_expired_is_asked_for_again(worker: CloudWorker) -> None:
    worker.cloud.planned_downloads["tables.xlsx"] = [web.Response(status=403) for _ in range(2)]
    job_id = await worker.ready(options={"artifacts": ["xlsx"]})
    await worker.work("parse_ready")
    assert (await worker.artifacts(job_id)).keys() == {"xlsx"}
    assert len(worker.cloud.downloads) == 3


BOMB = gzip.compress(bytes(2**26), 1)


@pytest.mark.parametrize(
    ("answer", "code", "downloads"),
    [
        (lambda: web.Response(body=bytes(2**20 + 1)), "result_too_large", 1),
        (
            lambda: web.Response(body=BOMB, headers={"Content-Encoding": "gzip"}),
            *("result_too_large", 1),
        ),
        (lambda: web.Response(body=b""), "empty", 1),
        (lambda: web.Response(status=404), "result_gone", 3),
        (
            lambda: web.Response(status=302, headers={"Location": "/elsewhere"}),
            *("result_url_refused", 3),
        ),
        (lambda: web.Response(status=503), "provider_unanswered", 3),
    ],
    ids=["too large", "bomb", "empty", "gone", "redirect", "503"],
)
async def test_a_file_that_cannot_be_had_costs_no_other_one(
    worker: CloudWorker,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[], web.Response],
    code: str,
    downloads: int,
) -> None:
    monkeypatch.setattr("hookline.providers.http_calls.LARGEST_RESULT", 2**20)
    worker.cloud.planned_downloads["img_p0_1.png"] = [answer() for _ in range(9)]
    job_id = await worker.ready(options=FILES)
    tracemalloc.start()
    try:
        await worker.work("parse_ready")
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()
    assert worker.status(job_id) == "parsed"
    assert missing(worker, job_id) == [("images", "img_p0_1.png", code)]
    assert (await worker.artifacts(job_id)).keys() == {
        *(IMAGES - {"images/img_p0_1.png"}),
        *(*SCREENSHOTS, "xlsx", "pdf"),
    }
    assert worker.cloud.downloads.count("img_p0_1.png") == downloads


async def test_no_file_is_fetched_from_a_private_address(employ: Employ) -> None:
    async with employ(result_hosts=()) as worker:
        job_id = await worker.ready(options={"artifacts": ["xlsx"]})
        await worker.work("parse_ready")
        assert missing(worker, job_id) == [("xlsx", "", "result_url_refused")]
        assert worker.cloud.downloads == []


async def test_a_text_that_is_too_large_costs_neither_json_nor_markdown(
    worker: CloudWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Long(wire.Refused):
        def response(self) -> web.Response:
            return web.json_response({"text_full": "x" * 64 * 2**20})

    async def answer(request: web.Request, *_: str) -> None:
        if "text_full" in request.query.getall("expand", []):
            raise Long(200, "")

    job_id = await worker.ready(options={"artifacts": ["json", "text"]})
    monkeypatch.setattr(worker.cloud, "_fail_before", answer)
    await worker.work("parse_ready")
    assert missing(worker, job_id) == [("text", "", "result_too_large")]
    assert (await worker.artifacts(job_id)).keys() == {"json"}


async def test_retry_and_erasure_delete_the_files(
    worker: CloudWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise StorageError("it is away")

    job_id = await worker.ready(options=FILES)
    with monkeypatch.context() as patched:
        patched.setattr("hookline.worker.parsing.fetch_stage.take_content", refuse)
        await worker.work("parse_ready")
    assert len(await worker.artifacts(job_id)) == 6
    before = {row["path"] for row in worker.query("select path from upload_pipeline.artifacts")}
    worker.query("select upload_pipeline.retry_job(%s)", job_id)
    assert await worker.artifacts(job_id) == {}
    queued = worker.query("select path from upload_pipeline.deletions")
    assert before <= {row["path"] for row in queued}
    await worker.work("uploaded")
    await worker.cloud.settle()
    await worker.ask()
    await worker.work("parse_ready")
    assert len(await worker.artifacts(job_id)) == 6
    worker.query(
        "select upload_pipeline.erase_document(document_id) from upload_pipeline.documents"
    )
    kept = worker.query("select path from upload_pipeline.stored_objects where stored")
    queued = worker.query("select path from upload_pipeline.deletions")
    assert kept == []
    assert {found.path async for found in worker.storage.list("parsed")} <= {
        row["path"] for row in queued
    }


@pytest.mark.parametrize(
    "dies_at", ["receive_artifacts", "finish_artifacts", "expect_content", "finish_content"]
)
async def test_a_worker_that_dies_in_the_middle_leaves_nothing_wrong(
    worker: CloudWorker, album: Album, dies_at: str
) -> None:
    job_id = await worker.ready(options={"artifacts": ["images"]})
    [job] = await worker.engine.claim_jobs("parse_ready", "dying")

    async def die(*arguments: object) -> None:
        if dies_at != "finish_content":
            await getattr(Engine, dies_at)(engine, *arguments)
        raise asyncio.CancelledError

    engine = Engine(worker.pool)
    setattr(engine, dies_at, die)
    with pytest.raises(asyncio.CancelledError):
        await worker.handle(job, engine)
    worker.query(
        "update upload_pipeline.upload_jobs set leased_until = leased_until - interval '1 hour'"
    )
    await worker.work("parse_ready")
    worker.later(minutes=10)
    await worker.work("parse_ready")
    assert worker.status(job_id) == "parsed"
    assert len(await worker.artifacts(job_id)) == 2
    assert worker.query("select from upload_pipeline.deletions") == []
    known = worker.query("select path from upload_pipeline.stored_objects")
    assert {found.path async for found in worker.storage.list("parsed")} == {
        row["path"] for row in known
    }


async def test_a_worker_of_an_attempt_that_is_over_overwrites_nothing(
    worker: CloudWorker, album: Album
) -> None:
    job_id = await worker.ready(options={"artifacts": ["images"]})
    [late] = await worker.engine.claim_jobs("parse_ready", "late")
    worker.query("select upload_pipeline.retry_job(%s)", job_id)
    await worker.work("uploaded")
    await worker.cloud.settle()
    await worker.ask()
    await worker.work("parse_ready")
    album.content = b"of the attempt before"
    with pytest.raises(StaleLease):
        await worker.handle(late)
    assert set((await worker.artifacts(job_id)).values()) == {b"an image"}
