"""What a job wants beside its markdown is stored before the job moves, or named as missing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Sequence
from typing import Any

import pytest

from hookline.postgres.engine import Engine
from hookline.postgres.errors import StaleLease
from hookline.providers.client import Artifact
from hookline.providers.errors import Refused, Unanswered
from hookline.storage.objects import ObjectRefused, StorageError, TypeNotAllowed
from hookline.worker.parsing import artifacts
from support.cloud_worker import CloudWorker


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


@pytest.mark.parametrize("dies_at", ["receive_artifacts", "finish_artifacts"])
async def test_a_worker_that_dies_in_the_middle_leaves_nothing_wrong(
    worker: CloudWorker, album: Album, dies_at: str
) -> None:
    job_id = await worker.ready(options={"artifacts": ["images"]})
    [job] = await worker.engine.claim_jobs("parse_ready", "dying")

    async def die(*arguments: object) -> None:
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
