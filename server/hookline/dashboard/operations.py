"""What people do to jobs: one operation for one or many jobs, with a result for each job.

An operation runs on when its person closes the page. It lives in this process only: if the process
ends, the jobs that were done are done, as their histories say, and the others are unchanged.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal
from uuid import UUID

import structlog

from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError, Unavailable
from hookline.process.tasks import cancel_and_wait

__all__ = ["ACTIONS", "MOST_JOBS", "Action", "Operation", "Operations", "Result"]

log = structlog.get_logger("hookline.dashboard")

Action = Literal["retry", "cancel", "erase"]
ACTIONS: Final[tuple[Action, ...]] = ("retry", "cancel", "erase")

MOST_JOBS: Final = 1000
"""Jobs of one operation."""

# Finished operations whose results can still be seen.
_REMEMBERED = 50

# SQLSTATEs of one job that others hold: lock_not_available, deadlock_detected.
_BUSY = ("55P03", "40P01")
# One call without an answer may be the job's fault: somebody holds it. The next one tells.
_GIVES_UP = 2
# Seconds until a person sees results: most operations have ended by then.
_PATIENCE = 1.0

_OUTCOMES = {
    "applied": "done",
    "kept": "not changed: its result has arrived and waits for the storage",
    "awaited": "not changed: its result is being stored, so look again in a minute",
}


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one job."""

    job_id: UUID
    is_done: bool
    sentence: str


@dataclass(slots=True)
class Operation:
    """An action of a person on jobs. `targets` are jobs, or for `erase` one document.

    `provider` is the parser of a retry; None: the one that was asked for.
    """

    action: Action
    targets: Sequence[UUID]
    person: str
    reason: str
    back: str
    provider: str | None = None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    results: list[Result] = field(default_factory=list)
    stopped: str | None = None
    is_over: bool = False

    @property
    def note(self) -> str:
        """The reason as the history shows it: with the person, since the login is everybody's."""
        return f"{self.person}: {self.reason}" if self.reason else f"{self.person}, dashboard"


class Operations:
    """The operations of this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: OrderedDict[str, Operation] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, operation_id: str) -> Operation | None:
        """An operation that runs, or that ended lately."""
        return self._known.get(operation_id)

    async def start(self, operation: Operation) -> None:
        """Begin it. Returns when it has ended, or goes on after _PATIENCE."""
        self._known[operation.id] = operation
        over = [one.id for one in self._known.values() if one.is_over]
        for old in over[: max(len(self._known) - _REMEMBERED, 0)]:
            del self._known[old]
        task = asyncio.create_task(self._run(operation), name=f"{operation.action} by a person")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait({task}, timeout=_PATIENCE)

    async def stop(self) -> None:
        """End what still runs. The job that it is at is done or unchanged."""
        for task in list(self._tasks):
            await cancel_and_wait(task)

    async def _run(self, operation: Operation) -> None:
        unanswered = 0
        try:
            for target in operation.targets:
                try:
                    sentence, is_done = await self._act(operation, target)
                    unanswered = 0
                except DatabaseError as error:
                    sentence, is_done = f"refused: {error}", False
                    if isinstance(error, Unavailable) and error.sqlstate not in _BUSY:
                        unanswered += 1
                operation.results.append(Result(target, is_done, sentence))
                if unanswered == _GIVES_UP:
                    operation.stopped = "Postgres does not answer"
                    break
        finally:
            operation.is_over = True
            done = sum(one.is_done for one in operation.results)
            log.info(
                "operation_ended",
                action=operation.action,
                person=operation.person,
                targets=len(operation.targets),
                done=done,
                stopped=operation.stopped,
            )

    async def _act(self, operation: Operation, target: UUID) -> tuple[str, bool]:
        if operation.action == "erase":
            jobs, objects = await self._engine.erase_document(target, operation.note)
            # The history goes with the document. operator_actions has the hash of its id.
            log.info("document_erased", document_id=str(target), person=operation.person)
            return f"erased: {jobs} jobs; {objects} objects will be deleted from storage", True
        if operation.action == "retry":
            receipt = await self._engine.retry_job(target, operation.note, operation.provider)
        else:
            receipt = await self._engine.cancel_job(target, operation.note)
        sentence = _OUTCOMES.get(receipt.outcome, receipt.outcome)
        if receipt.outcome == "applied":
            sentence = f"done: it is {receipt.status} now"
        return sentence, receipt.outcome == "applied"
