"""One run: documents are uploaded while processes are killed, until every document has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from chaos.documents import Document, documents
from chaos.final_state import FinalState, look, still_running
from chaos.promises import broken_promises
from chaos.shortened_times import BILLING, DRAIN, NOTIFICATIONS
from chaos.system import Process, System, system
from hookline.timing import wait_until_set

_KILLS_A_SECOND: Final = 2
_RECEIVER_EVERY: Final = 4.0
_ENDPOINT_EVERY: Final = 3.0
# One worker in eight is terminated, as a deployment does; the others are killed.
_TERMINATE_ONE_IN: Final = 8
# Shares of the documents that have ended: when Postgres is killed, when the kills stop, when the
# faults stop. The last documents are those that need three attempts.
_POSTGRES_AT: Final = 0.35
_STOP_KILLING_AT: Final = 0.8
_FAULTLESS_AT: Final = 0.95
_UPLOADS_A_SECOND: Final = 30
_POLL_EVERY: Final = 0.25
_PROGRESS_EVERY: Final = 2.0
_FINISH_WITHIN: Final = 30.0

FAULTS: Final[dict[str, object]] = {
    "http_429": 0.05,
    "http_5xx": 0.04,
    "hang": 0.02,
    "reset": 0.03,
    "http_5xx_after_create": 0.06,
    "hang_after_create": 0.04,
    "reset_after_create": 0.06,
    "webhook_dropped": 0.12,
    "webhook_duplicated": 0.15,
    "webhook_reordered": 0.1,
    "webhook_late": 0.12,
    "webhook_early": 0.12,
    "webhook_reissued": 0.5,
    "webhook_format_flipped": 0.15,
    "webhook_uppercase": 0.15,
    "webhook_only_data_id": 0.15,
    "webhook_foreign": 0.1,
    "webhook_forged": 0.1,
}


@dataclass(frozen=True)
class Plan:
    """The same plan gives the same documents, faults and kills. Only the times differ."""

    documents: int
    seed: int
    workers: int = 4
    seconds: float = 240.0
    """How long the run may take before it counts as stuck."""


@dataclass
class Outcome:
    """The result of a run."""

    plan: Plan
    seconds: float
    kills: dict[str, int]
    state: FinalState
    broken: Sequence[str]


class _Run:
    """Uploads documents to a system and kills its processes until every document has ended."""

    def __init__(
        self,
        plan: Plan,
        system: System,
        documents: Sequence[Document],
        progress: Callable[[str], None],
    ) -> None:
        self.kills = dict.fromkeys(
            (
                *("workers killed", "workers terminated", "receiver killed", "Postgres killed"),
                "endpoint killed",
            ),
            0,
        )
        self._plan = plan
        self._system = system
        self._documents = documents
        self._progress = progress
        self._ended = 0
        self._steps = 0
        self._stop_killing = asyncio.Event()
        self._finished = asyncio.Event()

    async def run_to_the_end(self) -> bool:
        """Run until every document has ended and all is settled. False means it took too long."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._shorten_times_in_the_database())
            in_time = await self._upload_and_kill()
            self._progress("all have ended")
            # Without faults, late webhooks arrive and the billing is completed.
            await self._system.set_faults({})
            try:
                async with asyncio.timeout(_FINISH_WITHIN):
                    while not await self._is_finished():
                        await asyncio.sleep(_POLL_EVERY)
            except TimeoutError:
                # The promises find what is wrong.
                self._progress("some work does not finish")
            self._finished.set()
        return in_time

    async def _upload_and_kill(self) -> bool:
        async with asyncio.TaskGroup() as group:
            for work in (
                self._upload(),
                self._kill_workers(),
                self._kill_the_receiver(),
                self._kill_postgres(),
                self._kill_the_endpoint(),
            ):
                group.create_task(work)
            try:
                async with asyncio.timeout(self._plan.seconds):
                    await self._all_end()
            except TimeoutError:
                return False
            finally:
                # These tasks end by themselves. A cancelled one could leave a process down.
                self._stop_killing.set()
        return True

    async def _all_end(self) -> None:
        count = len(self._documents)
        shown = time.monotonic()
        faultless = False
        while self._ended < count:
            await asyncio.sleep(_POLL_EVERY)
            rows = await self._system.query(
                "select status, count(*) as jobs from upload_pipeline.upload_jobs group by status"
            )
            jobs = {row["status"]: row["jobs"] for row in rows}
            [row] = await self._system.query(
                "select count(*) as steps from upload_pipeline.events where code <> 'lease_expired'"
            )
            self._steps = row["steps"]
            self._ended = sum(jobs.get(one, 0) for one in ("parsed", "failed_parse"))
            if self._ended >= _STOP_KILLING_AT * count:
                self._stop_killing.set()
            if self._ended >= _FAULTLESS_AT * count and not faultless:
                faultless = True
                await self._system.set_faults({})
            if time.monotonic() - shown > _PROGRESS_EVERY:
                shown = time.monotonic()
                self._progress(", ".join(f"{jobs[status]} {status}" for status in sorted(jobs)))

    async def _is_finished(self) -> bool:
        state = await self._system.provider()
        [row] = await self._system.query(
            "select (select count(*) from upload_pipeline.upload_jobs"
            "         where status not in ('parsed', 'failed_parse') or lease_token is not null)"
            "     + (select count(*) from upload_pipeline.webhook_deliveries as d"
            "          join upload_pipeline.provider_jobs as p using (parse_job_id)"
            "         where d.outcome = 'parked')"
            "     + (select count(*) from upload_pipeline.notifications"
            "         where run_after is not null) as left"
        )
        open_ = await self._system.query(
            "select r.job_id, r.attempt from upload_pipeline.credit_reservations as r"
            " where r.settled_at is null"
        )
        unsettled = {(str(one["job_id"]), one["attempt"]) for one in open_}
        return not state["busy"] and not row["left"] and unsettled <= set(still_running(state))

    async def _upload(self) -> None:
        for document in self._documents:
            await asyncio.sleep(1 / _UPLOADS_A_SECOND)
            file = self._system.objects / document.raw_path.removeprefix("storage://")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(document.content)
            [job] = await self._system.query(
                "select job_id from upload_pipeline.create_job(owner_id => %s, filename => %s,"
                " mime => 'application/pdf', bytes_len => %s, file_sha256 => %s, raw_path => %s)",
                *(document.owner_id, document.name, len(document.content), document.sha256),
                document.raw_path,
                role="operator",
            )
            await self._system.query(
                "select upload_pipeline.confirm_upload(%s, %s, %s)",
                *(job["job_id"], len(document.content), document.sha256),
                role="operator",
            )

    async def _kill_workers(self) -> None:
        rng = Random(f"{self._plan.seed}/workers")
        steps = 0
        async with asyncio.TaskGroup() as group:
            while not await wait_until_set(
                self._stop_killing, rng.uniform(0.5, 1.5) / _KILLS_A_SECOND
            ):
                worker = rng.choice(self._system.workers)
                if not worker.is_running:
                    # Its deployment is under way.
                    continue
                if self._steps == steps:
                    # On a busy machine workers could be killed faster than they do any work.
                    continue
                steps = self._steps
                if rng.randrange(_TERMINATE_ONE_IN):
                    self.kills["workers killed"] += 1
                    await worker.kill()
                    await worker.start()
                else:
                    self.kills["workers terminated"] += 1
                    # A termination takes a while, so it runs beside the kills.
                    group.create_task(_redeploy(worker))

    async def _kill_the_receiver(self) -> None:
        rng = Random(f"{self._plan.seed}/receiver")
        while not await wait_until_set(self._stop_killing, rng.uniform(0.5, 1.5) * _RECEIVER_EVERY):
            self.kills["receiver killed"] += 1
            await self._system.receiver.kill()
            await asyncio.sleep(rng.uniform(0, 0.5))
            await self._system.receiver.start()

    async def _kill_the_endpoint(self) -> None:
        rng = Random(f"{self._plan.seed}/endpoint kills")
        while not await wait_until_set(self._stop_killing, rng.uniform(0.5, 1.5) * _ENDPOINT_EVERY):
            self.kills["endpoint killed"] += 1
            await self._system.endpoint.kill()
            await asyncio.sleep(rng.uniform(0, 0.5))
            await self._system.endpoint.start()

    async def _kill_postgres(self) -> None:
        while self._ended < _POSTGRES_AT * len(self._documents):
            if await wait_until_set(self._stop_killing, _POLL_EVERY):
                return
        self.kills["Postgres killed"] += 1
        await self._system.restart_postgres()

    async def _shorten_times_in_the_database(self) -> None:
        """Shorten the times that are constants in SQL; see `shortened_times`."""
        while not await wait_until_set(self._finished, 0.5):
            for statement in (BILLING, DRAIN, NOTIFICATIONS):
                await self._system.query(statement)


async def _redeploy(worker: Process) -> None:
    await worker.terminate()
    await worker.start()


async def run(plan: Plan, progress: Callable[[str], None] = lambda sentence: None) -> Outcome:
    """Run a plan and check the promises. `progress` gets a sentence now and then."""
    started = time.monotonic()

    def with_seconds(sentence: str) -> None:
        progress(f"{time.monotonic() - started:4.0f} s  {sentence}")

    faults = FAULTS | {"http_402_requests": _quota(plan.documents)}
    given = documents(plan.documents, plan.seed)
    async with system(plan.seed, faults, plan.workers) as running:
        with_seconds("all is up")
        work = _Run(plan, running, given, with_seconds)
        in_time = await work.run_to_the_end()
        await asyncio.gather(*(process.terminate() for process in running.processes))
        with_seconds("all is down")
        state = await look(running, given)
        broken = list(broken_promises(state))
        if not in_time:
            broken.insert(0, f"it did not end within {plan.seconds:g} s")
        return Outcome(plan, time.monotonic() - started, work.kills, state, broken)


def _quota(count: int) -> list[int]:
    """The range of submissions, counted from 0, that are answered 402."""
    return [count // 3, count // 3 + max(5, count // 20)]
