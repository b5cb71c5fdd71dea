"""One run: documents go in, everything is killed again and again, and all of it has to end well."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from chaos.documents import Document, documents
from chaos.hurry import BILLING, DRAIN
from chaos.promises import broken_promises
from chaos.system import Process, System, system
from chaos.world import World, look, still_running
from hookline.timing import wait_until_set

_KILLS_A_SECOND: Final = 2
_RECEIVER_EVERY: Final = 4.0
# One end of a worker in so many is a deployment's.
_TERMINATED: Final = 8
# Of the documents, that have ended: when Postgres is killed, when no more is killed, when no more
# fails. The last ones are those that need three attempts.
_POSTGRES_AT: Final = 0.35
_CALM_AT: Final = 0.8
_FAULTLESS_AT: Final = 0.95
_UPLOADS_A_SECOND: Final = 30
_LOOK_EVERY: Final = 0.25
_TELL_EVERY: Final = 2.0
_QUIET_WITHIN: Final = 30.0

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
    """What a run is made of. The same plan is the same documents, faults and kills, not times."""

    documents: int
    seed: int
    workers: int = 4
    seconds: float = 120.0
    """How long it may take before it counts as stuck."""


@dataclass
class Outcome:
    """How a run went."""

    plan: Plan
    seconds: float
    kills: dict[str, int]
    world: World
    broken: Sequence[str]


class _Storm:
    """What is done to a system, until it has done its work all the same."""

    def __init__(
        self,
        plan: Plan,
        system: System,
        documents: Sequence[Document],
        tell: Callable[[str], None],
    ) -> None:
        self.kills = dict.fromkeys(
            ("workers killed", "workers terminated", "receiver killed", "Postgres killed"), 0
        )
        self._plan = plan
        self._system = system
        self._documents = documents
        self._tell = tell
        self._ended = 0
        self._calm = asyncio.Event()
        self._quiet = asyncio.Event()

    async def pass_over(self) -> bool:
        """Until every document has ended and all is paid for; False if that takes too long."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._let_time_pass())
            in_time = await self._rage()
            self._tell("all have ended")
            # What is under way arrives, billing is done.
            await self._system.set_faults({})
            try:
                async with asyncio.timeout(_QUIET_WITHIN):
                    while not await self._is_quiet():
                        await asyncio.sleep(_LOOK_EVERY)
            except TimeoutError:
                # What is not as it should be is found, and told, by the promises.
                self._tell("it does not become quiet")
            self._quiet.set()
        return in_time

    async def _rage(self) -> bool:
        async with asyncio.TaskGroup() as group:
            for work in (
                self._upload(),
                self._kill_workers(),
                self._kill_the_receiver(),
                self._kill_postgres(),
            ):
                group.create_task(work)
            try:
                async with asyncio.timeout(self._plan.seconds):
                    await self._all_end()
            except TimeoutError:
                return False
            finally:
                # They end by themselves: in the middle of a start something would stay down.
                self._calm.set()
        return True

    async def _all_end(self) -> None:
        count = len(self._documents)
        told = time.monotonic()
        faultless = False
        while self._ended < count:
            await asyncio.sleep(_LOOK_EVERY)
            rows = await self._system.query(
                "select status, count(*) as jobs from upload_pipeline.upload_jobs group by status"
            )
            jobs = {row["status"]: row["jobs"] for row in rows}
            self._ended = sum(jobs.get(one, 0) for one in ("parsed", "failed_parse"))
            if self._ended >= _CALM_AT * count:
                self._calm.set()
            if self._ended >= _FAULTLESS_AT * count and not faultless:
                faultless = True
                await self._system.set_faults({})
            if time.monotonic() - told > _TELL_EVERY:
                told = time.monotonic()
                self._tell(", ".join(f"{jobs[status]} {status}" for status in sorted(jobs)))

    async def _is_quiet(self) -> bool:
        state = await self._system.provider()
        [row] = await self._system.query(
            "select (select count(*) from upload_pipeline.upload_jobs"
            "         where status not in ('parsed', 'failed_parse') or lease_token is not null)"
            "     + (select count(*) from upload_pipeline.webhook_deliveries as d"
            "          join upload_pipeline.provider_jobs as p using (parse_job_id)"
            "         where d.outcome = 'parked') as left"
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
        async with asyncio.TaskGroup() as group:
            while not await wait_until_set(self._calm, rng.uniform(0.5, 1.5) / _KILLS_A_SECOND):
                worker = rng.choice(self._system.workers)
                if not worker.is_running:
                    # It is being redeployed.
                    continue
                if rng.randrange(_TERMINATED):
                    self.kills["workers killed"] += 1
                    await worker.kill()
                    await worker.start()
                else:
                    self.kills["workers terminated"] += 1
                    # It takes its time.
                    group.create_task(_redeploy(worker))

    async def _kill_the_receiver(self) -> None:
        rng = Random(f"{self._plan.seed}/receiver")
        while not await wait_until_set(self._calm, rng.uniform(0.5, 1.5) * _RECEIVER_EVERY):
            self.kills["receiver killed"] += 1
            await self._system.receiver.kill()
            await asyncio.sleep(rng.uniform(0, 0.5))
            await self._system.receiver.start()

    async def _kill_postgres(self) -> None:
        while self._ended < _POSTGRES_AT * len(self._documents):
            if await wait_until_set(self._calm, _LOOK_EVERY):
                return
        self.kills["Postgres killed"] += 1
        await self._system.restart_postgres()

    async def _let_time_pass(self) -> None:
        """Where it is SQL's: see `hurry`."""
        while not await wait_until_set(self._quiet, 0.5):
            for statement in (BILLING, DRAIN):
                await self._system.query(statement)


async def _redeploy(worker: Process) -> None:
    await worker.terminate()
    await worker.start()


async def run(plan: Plan, tell: Callable[[str], None] = lambda sentence: None) -> Outcome:
    """Run it and judge it. What it tells is how far it is."""
    started = time.monotonic()

    def tell_when(sentence: str) -> None:
        tell(f"{time.monotonic() - started:4.0f} s  {sentence}")

    faults = FAULTS | {"http_402_requests": _quota(plan.documents)}
    given = documents(plan.documents, plan.seed)
    async with system(plan.seed, faults, plan.workers) as running:
        tell_when("all is up")
        storm = _Storm(plan, running, given, tell_when)
        in_time = await storm.pass_over()
        await asyncio.gather(*(process.terminate() for process in running.processes))
        tell_when("all is down")
        world = await look(running, given)
        broken = list(broken_promises(world))
        if not in_time:
            broken.insert(0, f"it did not end within {plan.seconds:g} s")
        return Outcome(plan, time.monotonic() - started, storm.kills, world, broken)


def _quota(count: int) -> list[int]:
    """The orders, counted, that meet a spent quota."""
    return [count // 3, count // 3 + max(5, count // 20)]
