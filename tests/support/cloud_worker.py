"""A worker's LlamaCloud stages, with a real Postgres, real files and the imitation."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from llama_cloud import DefaultAsyncHttpxClient
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from fakes.llamacloud.jobs import Pace, ParseJob
from fakes.llamacloud.server import LlamaCloud
from hookline.postgres.engine import Engine
from hookline.postgres.pool import open_pool
from hookline.process.gathering import Gathering
from hookline.process.http_client import open_http_client
from hookline.providers.http_calls import LARGEST_RESULT
from hookline.providers.llamacloud.client import LlamaCloudClient, open_client
from hookline.providers.llamacloud.provider import webhook_of
from hookline.providers.parser_stages import ParserStages
from hookline.settings import Settings
from hookline.stages import Job, Stage, Tools
from hookline.storage.files import FileStorage
from hookline.worker.context import WorkerContext
from hookline.worker.execution import Execution
from hookline.worker.metrics import WorkerMetrics
from hookline.worker.parsing.stages import make_parser_stages

FAST = Pace(speed=1000, list_lag_seconds=0)
GRACE = 120.0
TIER = "agentic"
PDF = b"%PDF-1.7\n/Type /Pages /Kids [1 2]\n/Type /Page\n/Type/Page\n"
PAGES = 2
CREDITS = 20
# Without this each client loads all certificate authorities, which takes longer than a test.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class CloudWorker:
    """Works on the jobs of a status when the test says so, and queries the database."""

    def __init__(
        self, cloud: LlamaCloud, pool: AsyncConnectionPool, settings: Settings, database: str
    ) -> None:
        self.cloud = cloud
        self.settings = settings
        self.engine = Engine(pool)
        self.storage = FileStorage(str(settings.storage_url).removeprefix("file://"))
        self.provider: LlamaCloudClient
        self.parsing: ParserStages
        self.tools = Tools(self.engine, self.storage, settings)
        self.owner_id = uuid4()
        self.pool = pool
        self._connection: psycopg.Connection[DictRow] = psycopg.connect(
            database, autocommit=True, row_factory=dict_row
        )
        self._ahead = timedelta()

    def close(self) -> None:
        self._connection.close()

    def now(self) -> datetime:
        """The database's time."""
        return datetime.now(UTC) + self._ahead

    def later(self, **ahead: float) -> None:
        """Move the clock ahead, for the database and the handlers but not for the provider."""
        self._ahead += timedelta(**ahead)
        self.query(
            "create or replace function upload_pipeline.clock() returns timestamptz language sql"
            " volatile as $$ select clock_timestamp()"
            f" + interval '{self._ahead.total_seconds()} seconds' $$"
        )

    def query(self, statement: str, *parameters: object) -> list[DictRow]:
        cursor = self._connection.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []

    async def upload(
        self,
        content: bytes = PDF,
        name: str = "report.pdf",
        options: Mapping[str, object] | None = None,
        provider: str | None = None,
    ) -> UUID:
        """Make a job whose raw file is stored and confirmed."""
        sha256 = hashlib.sha256(content).hexdigest()
        raw_path = f"storage://raw/{uuid4()}"
        [row] = self.query(
            "select job_id from upload_pipeline.create_job(owner_id => %s, filename => %s,"
            " mime => 'application/pdf', bytes_len => %s, file_sha256 => %s, raw_path => %s,"
            " options => %s, provider => %s)",
            *(self.owner_id, name, len(content), sha256, raw_path),
            *(Jsonb(dict(options or {})), provider),
        )
        await self.storage.write(raw_path, content)
        self.query(
            "select upload_pipeline.confirm_upload(%s, %s, %s)",
            *(row["job_id"], len(content), sha256),
        )
        job_id: UUID = row["job_id"]
        return job_id

    async def submitted(
        self,
        content: bytes = PDF,
        name: str = "report.pdf",
        options: Mapping[str, object] | None = None,
    ) -> UUID:
        """Make a job and submit it to the provider."""
        job_id = await self.upload(content, name, options)
        await self.work("uploaded")
        assert self.status(job_id) == "parse_queued"
        return job_id

    async def ready(
        self,
        content: bytes = PDF,
        name: str = "report.pdf",
        options: Mapping[str, object] | None = None,
    ) -> UUID:
        """Make a job that the provider has parsed, and move it to parse_ready."""
        job_id = await self.submitted(content, name, options)
        await self.cloud.settle()
        await self.ask()
        assert self.status(job_id) == "parse_ready"
        return job_id

    async def ask(self) -> None:
        """Ask the provider for all jobs in parse_queued, as if they were overdue."""
        self.query(
            "update upload_pipeline.upload_jobs set deadline_at = upload_pipeline.clock()"
            " where status = 'parse_queued'"
        )
        await self.work("parse_queued")

    async def work(self, status: str, batch: int = 100) -> int:
        """Claim jobs and work on all of them at once; return how many there were."""
        jobs = [
            job
            for stage in self.parsing.stages
            if stage.status == status
            for job in await self.engine.claim_jobs(
                status,
                "test",
                batch=batch,
                provider=stage.provider,
                takes_unnamed=stage.takes_unnamed,
            )
        ]
        await asyncio.gather(*map(self.work_on, jobs))
        return len(jobs)

    async def handle(self, job: Job, engine: Engine | None = None) -> None:
        """Run the handler alone, without telling the engine how it ended."""
        tools = Tools(engine or self.engine, self.storage, self.settings)
        await self._stage(job).handler(job, tools)

    def _stage(self, job: Job) -> Stage:
        [stage] = [
            one
            for one in self.parsing.stages
            if one.status == job.status and one.provider in (None, job.provider)
        ]
        return stage

    async def work_on(self, job: Job) -> None:
        """Make one try, as the worker does."""
        context = WorkerContext(
            self.pool,
            self.storage,
            self.settings,
            WorkerMetrics(),
            Gathering(self.engine.advance_jobs),
            lambda _: None,
            asyncio.get_running_loop().create_future(),
        )
        await Execution(context, self._stage(job), job, 60).run()

    async def do(self, name: str) -> None:
        """Run one of the periodic tasks, now: that of each parser."""
        for task in self.parsing.periodic:
            if task.name == name:
                await task.run(self.tools)

    def cap(self, credits_: int, owner_id: UUID | None = None) -> None:
        """Set the daily credit cap of an owner, or of all owners together."""
        self.query(
            "select upload_pipeline.set_credit_cap(owner_id => %s, period => 'day', credits => %s)",
            *(owner_id, credits_),
        )

    def raw_path(self) -> str:
        """The raw path of the only document."""
        [row] = self.query("select raw_path from upload_pipeline.documents")
        return str(row["raw_path"])

    def job(self, job_id: UUID) -> DictRow:
        [row] = self.query("select * from upload_pipeline.upload_jobs where job_id = %s", job_id)
        return row

    def status(self, job_id: UUID) -> str:
        return str(self.job(job_id)["status"])

    def codes(self, job_id: UUID) -> list[str]:
        """The codes of a job's events after its upload was confirmed."""
        rows = self.query(
            "select code from upload_pipeline.events where job_id = %s order by version", job_id
        )
        return [row["code"] for row in rows][2:]

    def last_error(self, job_id: UUID) -> str:
        return str(self.job(job_id)["last_error"]["code"])

    def event(self, job_id: UUID, code: str) -> dict[str, Any]:
        """The payload of the only event with this code."""
        [row] = self.query(
            "select payload from upload_pipeline.events where job_id = %s and code = %s",
            *(job_id, code),
        )
        payload: dict[str, Any] = row["payload"]
        return payload

    def reservation(self, job_id: UUID) -> DictRow:
        [row] = self.query(
            "select * from upload_pipeline.credit_reservations where job_id = %s"
            " order by attempt desc limit 1",
            job_id,
        )
        return row

    def settled(self, job_id: UUID) -> float | None:
        billed = self.reservation(job_id)["billed"]
        return None if billed is None else float(billed)

    def paused(self, status: str) -> tuple[datetime | None, str | None]:
        [row] = self.query(
            "select paused_until, paused_because from upload_pipeline.statuses where status = %s",
            status,
        )
        return row["paused_until"], row["paused_because"]

    def jobs_there(self, job_id: UUID) -> list[ParseJob]:
        """The provider's jobs for one of our jobs."""
        return self.cloud.jobs.submissions("hookline_job_id").get((str(job_id),), [])

    async def stored(self, job_id: UUID) -> str:
        """The stored markdown of a parsed job, after comparing its hash with the row."""
        job = self.job(job_id)
        assert job["status"] == "parsed"
        content = await self.storage.read(job["parsed_path"])
        assert hashlib.sha256(content).hexdigest() == job["parsed_sha256"]
        return content.decode()

    async def artifacts(self, job_id: UUID) -> dict[str, bytes]:
        """The stored artifacts of a job by kind/name, after comparing hashes with the rows."""
        found: dict[str, bytes] = {}
        for row in self.query(
            "select * from upload_pipeline.artifact_overview where job_id = %s", job_id
        ):
            content = await self.storage.read(row["path"])
            assert (hashlib.sha256(content).hexdigest(), len(content)) == (
                row["sha256"],
                row["bytes"],
            )
            found["/".join(filter(None, (row["kind"], row["name"])))] = content
        return found

    def is_whole(self) -> bool:
        """Whether check_integrity finds nothing."""
        return not self.query("select * from upload_pipeline.check_integrity()")


Employ = Callable[..., AbstractAsyncContextManager[CloudWorker]]


def employing(database: str, login: Callable[[str], str], objects: Path) -> Employ:
    """Returns `employ`: `async with employ(cloud, **settings)` gives a worker for this provider."""

    @asynccontextmanager
    async def employ(
        cloud: LlamaCloud | None = None,
        *,
        answered_within: float = 10,
        key: str = "",
        public_url: str | None = None,
        **changes: Any,
    ) -> AsyncIterator[CloudWorker]:
        settings = Settings(
            **{
                "database_url": login("worker"),
                "storage_url": f"file://{objects}",
                "parse_tier": TIER,
                "submit_grace": GRACE,
                "provider_timeout": answered_within,
                "result_hosts": ("127.0.0.1",),
                **changes,
            }
        ).model_copy(update={"public_url": public_url})  # http:// is refused elsewhere
        async with AsyncExitStack() as stack:
            cloud = await stack.enter_async_context(cloud or LlamaCloud(seed=7, pace=FAST))
            pool = open_pool(login("worker"), size=8, prepare_threshold=5, name="test")
            await stack.enter_async_context(pool)
            worker = CloudWorker(cloud, pool, settings, database)
            stack.callback(worker.close)
            provider = await stack.enter_async_context(
                open_client(
                    key or cloud.api_key,
                    cloud.url,
                    tier=settings.parse_tier,
                    version=settings.parse_version,
                    webhook=webhook_of(settings),
                    result_hosts=settings.result_hosts,
                    answered_within=answered_within,
                    http=open_http_client(
                        DefaultAsyncHttpxClient,
                        largest=LARGEST_RESULT,
                        verify=_NO_TLS,
                        follow_redirects=False,
                    ),
                )
            )
            worker.provider = provider
            worker.parsing = make_parser_stages(
                provider, settings, lambda: worker.now().timestamp()
            )
            yield worker

    return employ
