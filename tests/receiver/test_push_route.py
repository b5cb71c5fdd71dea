"""POST /webhooks/llamaparse/{job_id}/{token}: the path proves the sender; every body is kept."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from hookline.sources.llamaparse_push import mint_token
from support.sender import PUSH_SECRET, Job, Sender, sign
from support.waiting import until

SHAPES = [
    {"txt": "Report", "md": "# Report", "json": [], "images": []},
    {"status": "OK", "result": [{"page": 1, "md": "# Report", "txt": "Report", "json": []}]},
]


@pytest.mark.parametrize("result", SHAPES, ids=["documented", "seen in the field"])
async def test_a_result_push_makes_the_job_parsed(sender: Sender, result: object) -> None:
    job = sender.new_job()
    status, answer = await sender.push(job, result)
    assert (status, answer["outcome"]) == (200, "applied")
    row = sender.job(job)
    assert row["status"] == "parsed"
    assert sender.file_of(row["parsed_path"]).read_bytes() == b"# Report"


async def test_a_push_of_unknown_shape_is_kept_for_an_operator_and_answered_422(
    sender: Sender,
) -> None:
    job = sender.new_job()
    body = b'{"pages": ["new shape"]}'
    status, answer = await sender.push(job, body)

    assert status == 422
    assert "kept" in answer["detail"]
    assert sender.job(job)["status"] == "uploaded"
    kept = sender.one("select upload_pipeline.read_content(%s, 1) as content", job.job_id)
    assert kept["content"] == body

    sender.query("select upload_pipeline.accept_content(%s, 1, %s)", job.job_id, b"# by hand")
    content = sender.one(
        "select path, content from upload_pipeline.contents where path is not null"
    )
    assert content["content"] == b"# by hand"


async def test_an_earlier_attempts_push_is_stale(sender: Sender) -> None:
    job = sender.submitted("p-1")
    sender.query("select upload_pipeline.retry_job(%s)", job.job_id)
    status, answer = await sender.push(job, SHAPES[0], attempt=1)
    assert (status, answer["outcome"]) == (200, "stale")
    assert (await sender.push(job, SHAPES[0], attempt=2))[1]["outcome"] == "applied"


async def test_an_earlier_attempts_push_changes_no_job_that_has_moved_on(sender: Sender) -> None:
    job = sender.submitted("p-1")
    sender.query("select upload_pipeline.retry_job(%s)", job.job_id)
    assert (await sender.push(job, {"md": "# of attempt 2"}, attempt=2))[0] == 200
    before = sender.job(job)
    late = await sender.push(job, {"md": "# of attempt 1"}, attempt=1)
    assert (late[0], late[1]["outcome"]) == (200, "stale")
    assert sender.job(job) == before
    assert sender.file_of(before["parsed_path"]).read_bytes() == b"# of attempt 2"

    # Its attempt has not begun: the token proves the sender, and there is nothing to apply it to.
    early = await sender.push(job, {"md": "# of attempt 3"}, attempt=3)
    assert (early[0], early[1].get("outcome")) == (200, "stale")
    assert sender.job(job) == before


async def test_a_push_about_a_job_that_is_over_changes_nothing(sender: Sender) -> None:
    job = sender.submitted("p-1")
    sender.query("select upload_pipeline.cancel_job(%s)", job.job_id)
    late = await sender.push(job, SHAPES[0])
    assert (late[0], late[1]["outcome"]) == (200, "stale")
    assert sender.job(job)["status"] == "cancelled"

    sender.query("select upload_pipeline.erase_document(%s)", job.document_id)
    assert (await sender.push(job, SHAPES[0]))[0] == 404
    # What the pushes wrote is removed in the background.
    await until(lambda: not [path for path in sender.objects.rglob("*") if path.is_file()])


async def test_a_token_is_good_for_its_own_job_and_attempt_only(sender: Sender) -> None:
    job, other = sender.new_job(), sender.new_job()
    token = mint_token(PUSH_SECRET.encode(), job.job_id, 1)
    mac = token.partition(".")[2]
    for path in (
        f"{other.job_id}/{token}",
        f"{job.job_id}/2.{mac}",
        f"{job.job_id}/1.{mac[:-1]}",
        f"{job.job_id}/01.{mac}",
        f"{job.job_id}/1.",
        f"not-a-uuid/{token}",
        f"{job.job_id}/{sign(b'', PUSH_SECRET)}",
    ):
        assert (await sender.post(f"/webhooks/llamaparse/{path}", b"{}"))[0] == 401, path


async def test_the_token_is_checked_before_the_body_is_read(sender: Sender) -> None:
    host = sender.url.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*host.split(":"))
    writer.write(
        f"POST /webhooks/llamaparse/{uuid4()}/1.{'A' * 43} HTTP/1.1\r\nHost: {host}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n".encode()
    )
    async with asyncio.timeout(5):
        answer = await reader.readline()
    assert b" 401 " in answer, "answered before any byte of the body was sent"
    writer.close()


async def test_an_unknown_job_with_a_good_token_is_404(sender: Sender) -> None:
    assert (await sender.push(Job(uuid4(), uuid4()), SHAPES[0]))[0] == 404
