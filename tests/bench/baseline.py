"""The handler that Hookline replaces: the specification's own design, for comparison.

FastAPI, uvicorn and asyncpg. It checks the signature, stores the text in a file that is on disk,
and sends two statements, each with a commit of its own. It deduplicates nothing and fences nothing.
Runs as a process: `python baseline.py PORT DATABASE_URL DIRECTORY SECRET`. See `SCHEMA` for its
tables.
"""

# mypy: ignore-errors

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

SCHEMA = """
create schema baseline;
create table baseline.upload_jobs (
  job_id uuid primary key, document_id uuid not null, status text not null,
  parse_job_id text unique, parsed_path text, parsed_sha256 text, last_error text,
  updated_at timestamptz not null default now()
);
create table baseline.events (
  event_id uuid primary key, job_id uuid not null references baseline.upload_jobs, document_id uuid,
  type text not null, severity text not null, code text not null, payload jsonb,
  correlation_id text, ts timestamptz not null
);
create index on baseline.events (job_id);
"""

_EVENT = """
insert into baseline.events (
  event_id, job_id, document_id, type, severity, code, payload, correlation_id, ts
) values ($1, $2, $3, $4, 'info', $5, $6, $7, now())
"""
log = logging.getLogger("baseline")


def _write_blob(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    directory = os.open(file.parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def make_app(database: str, directory: Path, secret: bytes):
    import asyncpg
    from fastapi import FastAPI, HTTPException, Request
    from pydantic import BaseModel

    class Artifact(BaseModel):
        type: str
        content: str
        sha256: str
        bytes: int

    class Envelope(BaseModel):
        job_id: UUID
        document_id: UUID
        parse_job_id: str
        status: str
        artifacts: list[Artifact]
        correlation_id: str | None = None

    @asynccontextmanager
    async def lifespan(app):
        async with asyncpg.create_pool(database) as app.state.pool:
            yield

    app = FastAPI(lifespan=lifespan)

    def verify(body: bytes, signature: str | None) -> None:
        right = hmac.new(secret, body, hashlib.sha256).hexdigest()
        if signature is None or not hmac.compare_digest(right, signature.removeprefix("sha256=")):
            raise HTTPException(401)

    # Without annotations as text, FastAPI would look for their names in this module.
    async def parsed(request):
        body = await request.body()
        verify(body, request.headers.get("x-webhook-signature"))
        envelope = Envelope.model_validate_json(body)
        [artifact] = envelope.artifacts
        path = f"storage://parsed/{envelope.document_id}/{envelope.job_id}.md"
        file = directory / path.removeprefix("storage://")
        await asyncio.to_thread(_write_blob, file, artifact.content.encode())
        async with app.state.pool.acquire() as connection:
            await connection.execute(
                "update baseline.upload_jobs set status = 'parsed', parsed_path = $1,"
                " parsed_sha256 = $2, updated_at = now() where job_id = $3",
                path,
                artifact.sha256,
                envelope.job_id,
            )
            await connection.execute(
                _EVENT,
                uuid4(),
                envelope.job_id,
                envelope.document_id,
                "stage_done",
                "parse_completed",
                json.dumps(
                    {
                        "parsed_path": path,
                        "content_sha256": artifact.sha256,
                        "content_length": len(artifact.content),
                        "bytes": artifact.bytes,
                    }
                ),
                envelope.correlation_id,
            )
        log.info("parsed job %s", envelope.job_id)
        return {"success": True, "outcome": "applied", "job_id": str(envelope.job_id)}

    async def event(request):
        body = await request.body()
        verify(body, request.headers.get("lc-signature"))
        said = json.loads(body)
        parse_job_id = said["data"]["job_id"]
        async with app.state.pool.acquire() as connection:
            job = await connection.fetchrow(
                "update baseline.upload_jobs set status = 'parse_ready', updated_at = now()"
                " where parse_job_id = $1 returning job_id, document_id",
                parse_job_id,
            )
            await connection.execute(
                _EVENT,
                uuid4(),
                job["job_id"],
                job["document_id"],
                "stage_done",
                "parse_ready",
                json.dumps({"parse_job_id": parse_job_id}),
                None,
            )
        log.info("parse job %s is ready", parse_job_id)
        return {"success": True, "outcome": "applied", "job_id": str(job["job_id"])}

    for handler, route in ((parsed, "/webhooks/llamaparse"), (event, "/webhooks/llamacloud")):
        handler.__annotations__["request"] = Request
        app.post(route)(handler)
    return app


def main() -> None:
    import uvicorn

    logging.basicConfig(level=logging.INFO)
    port, database, directory, secret = sys.argv[1:]
    app = make_app(database, Path(directory), secret.encode())
    uvicorn.run(app, port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
