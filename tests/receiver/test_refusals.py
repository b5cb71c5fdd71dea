"""Refused deliveries are counted in Postgres, whatever their number, without body or secret."""

from __future__ import annotations

import json

import psycopg
from aiohttp.test_utils import make_mocked_request

from hookline.postgres.engine import Engine
from hookline.postgres.pool import open_pool
from hookline.receiver.refusals import RefusalCounter
from hookline.sources.routes import LLAMACLOUD, LLAMAPARSE
from support.sender import Start, envelope_of

FUNCTION = "upload_pipeline.count_refusals"
SECRET = "The patient's name is Ada"


async def test_what_was_refused_and_why_is_in_postgres_at_the_end_of_the_receiver(
    start: Start,
) -> None:
    async with start(llamacloud_secrets=()) as sender:
        job = sender.new_job()
        envelope = envelope_of(job, content=SECRET)
        body = json.dumps(envelope).encode()
        answers = [
            *[await sender.send_envelope(envelope, secret=SECRET) for _ in range(3)],
            await sender.post(LLAMAPARSE, body, User_Agent="a\tb" + "x" * 300),
            await sender.post(LLAMAPARSE, body, X_Webhook_Signature=SECRET),
            await sender.post(LLAMACLOUD, b"{}"),
            await sender.post(f"{LLAMAPARSE}/{job.job_id}/1.{'A' * 43}", b"{}"),
            await sender.send_envelope({"job_id": SECRET}),
            await sender.send_envelope({**envelope, "job_id": str(job.document_id)}),
            await sender.post(LLAMAPARSE, body, Content_Encoding="gzip"),
            await sender.send_envelope(envelope),
        ]
        assert [status for status, _ in answers] == [401] * 7 + [400, 404, 415, 200]
        url = sender.database
    # After the receiver's end: it writes the last counts then.
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select source, reason, count, user_agent, likely_cause from"
            " upload_pipeline.refusal_log order by 1, 2"
        ).fetchall()
        accepted = connection.execute(
            "select source, outcome, count from upload_pipeline.delivery_activity"
            " where reason is null"
        ).fetchall()
    assert [row[:3] for row in found] == [
        ("llamacloud", "no_secret", 1),
        ("llamaparse", "malformed", 1),
        ("llamaparse", "malformed_signature", 1),
        ("llamaparse", "no_match", 3),
        ("llamaparse", "no_signature", 1),
        ("llamaparse", "unknown_job", 1),
        ("llamaparse", "unsupported_media_type", 1),
        ("llamaparse_push", "wrong_token", 1),
    ]
    assert all(cause for *_, cause in found)
    assert found[3][3].startswith("Python/")
    assert found[4][3] == "a\ufffdb" + "x" * 197
    assert SECRET not in repr(found)
    assert accepted == [("llamaparse", "applied", 1)]


async def test_counts_wait_while_postgres_does_not_take_them(database: str) -> None:
    async with open_pool(database, size=2, prepare_threshold=None, name="test") as pool:
        counter = RefusalCounter(Engine(pool))
        request = make_mocked_request("POST", "/", headers={"User-Agent": "first"})
        later = make_mocked_request("POST", "/")
        async with pool.connection() as connection:
            await connection.execute(
                "alter table upload_pipeline.refused_deliveries rename to gone"
            )
        counter.count("llamacloud", "no_match", request)
        await counter._write()
        counter.count("llamacloud", "no_match", later)
        await counter._write()
        async with pool.connection() as connection:
            await connection.execute(
                "alter table upload_pipeline.gone rename to refused_deliveries"
            )
            cursor = await connection.execute("select from upload_pipeline.refused_deliveries")
            assert cursor.rowcount == 0
        await counter._write()
        await counter._write()
        async with pool.connection() as connection:
            cursor = await connection.execute(
                "select source, reason, count, user_agent from upload_pipeline.refused_deliveries"
            )
            assert await cursor.fetchall() == [("llamacloud", "no_match", 2, "first")]
