"""The sender in a test: real deliveries over HTTP, and queries in the database."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import psycopg
from psycopg.rows import DictRow, dict_row

from hookline.sources.llamaparse_push import mint_token

ENVELOPE_SECRET = "envelope-secret-0123456789"
CLOUD_SECRET = "cloud-secret-0123456789"
PUSH_SECRET = "push-secret-0123456789"

Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Job:
    job_id: UUID
    document_id: UUID


class Sender:
    """Sends deliveries as a provider does, and queries the database as a superuser."""

    def __init__(
        self, url: str, admin_url: str, http: aiohttp.ClientSession, database: str, objects: Path
    ) -> None:
        self.url = url
        self.admin_url = admin_url
        self.http = http
        self.database = database
        self.objects = objects
        self._connection: psycopg.Connection[DictRow] | None = None

    def query(self, statement: str, *parameters: object) -> list[DictRow]:
        if self._connection is None:
            self._connection = psycopg.connect(self.database, autocommit=True, row_factory=dict_row)
        cursor = self._connection.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """Close the connection. Works after Postgres has ended; the next query connects again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def one(self, statement: str, *parameters: object) -> DictRow:
        (row,) = self.query(statement, *parameters)
        return row

    def new_job(self) -> Job:
        row = self.one(
            "select job_id, document_id from upload_pipeline.create_job(owner_id => %s,"
            " file_sha256 => %s, filename => 'report.pdf', mime => 'application/pdf',"
            " bytes_len => 9, raw_path => 'storage://raw/report.pdf', correlation_id => 'corr-1')",
            uuid4(),
            "a" * 64,
        )
        return Job(row["job_id"], row["document_id"])

    def submitted(self, parse_job_id: str, attempt: int = 1) -> Job:
        job = self.new_job()
        self.query(
            "select upload_pipeline.record_submission(%s, %s, %s)",
            job.job_id,
            attempt,
            parse_job_id,
        )
        return job

    def job(self, job: Job) -> DictRow:
        return self.one("select * from upload_pipeline.upload_jobs where job_id = %s", job.job_id)

    def events(self, job: Job) -> list[DictRow]:
        return self.query(
            "select * from upload_pipeline.events where job_id = %s order by version", job.job_id
        )

    def deliveries(self) -> list[DictRow]:
        return self.query("select * from upload_pipeline.webhook_deliveries order by first_seen")

    def file_of(self, path: str) -> Path:
        return self.objects / path.removeprefix("storage://")

    async def post(self, route: str, body: bytes, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.post(
            self.url + route, data=body, headers={"Content-Type": "application/json", **named}
        ) as response:
            return response.status, await response.json(content_type=None)

    async def send_envelope(self, envelope: object, *, secret: str = ENVELOPE_SECRET) -> Answer:
        body = envelope if isinstance(envelope, bytes) else json.dumps(envelope).encode()
        return await self.post("/webhooks/llamaparse", body, X_Webhook_Signature=sign(body, secret))

    async def send_event(self, event: object, *, secret: str = CLOUD_SECRET) -> Answer:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        return await self.post(
            "/webhooks/llamacloud", body, LC_Signature=f"sha256={sign(body, secret)}"
        )

    async def push(self, job: Job, result: object, *, attempt: int = 1) -> Answer:
        body = result if isinstance(result, bytes) else json.dumps(result).encode()
        token = mint_token(PUSH_SECRET.encode(), job.job_id, attempt)
        return await self.post(f"/webhooks/llamaparse/{job.job_id}/{token}", body)


def sign(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def envelope_of(
    job: Job, status: str = "parsed", content: str = "# Report\n", **changes: Any
) -> Any:
    data = content.encode("utf-8", "surrogatepass")
    return {
        "job_id": str(job.job_id),
        "document_id": str(job.document_id),
        "parse_job_id": f"parse-{job.job_id}",
        "status": status,
        "artifacts": [
            {
                "type": "markdown",
                "content": content,
                "sha256": hashlib.sha256(data).hexdigest(),
                "bytes": len(data),
            }
        ]
        if status == "parsed"
        else [],
        "meta": {"parser_name": "llamaparse", "parser_version": "1.2"},
        **changes,
    }


def event_of(parse_job_id: str, event_type: str = "parse.success", event_id: str = "") -> Any:
    return {
        "event_id": event_id or str(uuid4()),
        "event_type": event_type,
        "timestamp": 1753985275.1154444,
        "data": {"id": parse_job_id, "job_id": parse_job_id},
    }


# Later than the 30 seconds that the drain leaves to the receiver.
LATER = timedelta(minutes=1)


def set_clock(sender: Sender, ahead: timedelta) -> None:
    sender.query(
        "create or replace function upload_pipeline.clock() returns timestamptz language sql"
        f" volatile as $$ select clock_timestamp() + interval '{ahead.total_seconds()} seconds' $$"
    )


Start = Callable[..., AbstractAsyncContextManager[Sender]]
