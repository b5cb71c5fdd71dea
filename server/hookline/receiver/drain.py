"""The drain: stores content that storage refused before, and deletes objects of erased documents.

It also removes what interrupted writes have left in storage, at the start and once a minute.

Any number of drains may run at once, in any process: a claim skips what another drain has claimed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import structlog

from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError, UnknownJob
from hookline.postgres.notifier import Notifier
from hookline.postgres.records import ClaimedContent
from hookline.receiver.metrics import ReceiverMetrics
from hookline.storage.content import hash_of
from hookline.storage.objects import (
    MissingObject,
    ObjectRefused,
    Storage,
    StorageError,
    StorageMisconfigured,
)
from hookline.timing import wait_until_set

__all__ = ["Drain"]

log = structlog.get_logger("hookline.drain")

# The poll interval while there is nothing to do, in seconds.
_POLL_INTERVAL = 2.0
# Deletions of one claim.
_DELETIONS = 20
# A claim lasts for a minute (claim_deletions). After that a new document may have the path, so a
# deletion has to be over by then. The rest of the minute is for a request that is carried out late.
_DELETE_WITHIN = 45.0
# Seconds between two sweeps.
_SWEEP_INTERVAL = 60.0


class Drain:
    """The drain of one process. `deadline` is for one call of the storage, in seconds."""

    def __init__(
        self,
        *,
        engine: Engine,
        storage: Storage,
        metrics: ReceiverMetrics,
        notifier: Notifier,
        deadline: float,
    ) -> None:
        self._engine = engine
        self._storage = storage
        self._metrics = metrics
        self._notifier = notifier
        self._deadline = deadline
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop` is called. While Postgres or the storage is away, try again later."""
        clock = asyncio.get_running_loop().time
        next_sweep = clock()
        while not self._stopping.is_set():
            try:
                if clock() >= next_sweep:
                    next_sweep = clock() + _SWEEP_INTERVAL
                    await self.sweep()
                found_work = await self.run_once()
            except DatabaseError as error:
                log.warning("drain_waits", reason=str(error))
                found_work = False
            except Exception:
                # The outermost loop: nothing would start the drain again.
                log.exception("drain_failed")
                found_work = False
            if not found_work:
                await wait_until_set(self._stopping, _POLL_INTERVAL)

    def stop(self) -> None:
        """Let `run` finish the object that it works on, then return.

        Not a cancellation: a task can lose one (asyncio.wait_for of Python 3.11).
        """
        self._stopping.set()

    async def run_once(self) -> bool:
        """Do one content and some deletions; whether there was any. Raises DatabaseError."""
        content = await self._engine.claim_content()
        if content is not None:
            await self._finish_content(content)
        if self._stopping.is_set():
            return content is not None
        loop = asyncio.get_running_loop()
        latest = loop.time() + _DELETE_WITHIN - self._deadline
        deletions = await self._engine.claim_deletions(_DELETIONS)
        if deletions and not await self.sweep():
            return True
        for path, tries in deletions:
            # A storage that hangs takes the whole deadline for each deletion.
            if self._stopping.is_set() or loop.time() > latest:
                break
            ids = {"path": path, "tries": tries}
            if await self._try("delete", self._storage.delete(path), ids):
                await self._engine.finish_deletion(path, tries)
        return content is not None or bool(deletions)

    async def _finish_content(self, content: ClaimedContent) -> None:
        ids = {"job_id": str(content.job_id), "ordinal": content.ordinal, "tries": content.tries}
        data = content.content
        if data is None:
            data = await self._find(content, ids)
        # An object that was found is written once more: it may not be durable yet.
        if data is None or not await self._try(
            "store", self._storage.write(content.path, data), ids
        ):
            return
        try:
            receipt = await self._engine.finish_content(content.job_id, content.ordinal)
        except UnknownJob:
            # The document was erased meanwhile; the queue of deletions has the path.
            log.info("content_stored", outcome="erased", **ids)
            return
        log.info("content_stored", outcome=receipt.outcome, **ids)
        if receipt.outcome == "applied":
            self._notifier.notify(receipt.status)

    async def _find(self, content: ClaimedContent, ids: dict[str, Any]) -> bytes | None:
        """The object of awaited content, whose writer has ended; None if it is not there."""
        try:
            async with asyncio.timeout(self._deadline):
                found = await self._storage.read(content.path)
                if await hash_of(found) == content.content_sha256:
                    return found
        except MissingObject:
            pass
        except (StorageError, TimeoutError) as error:
            self._report_failure("find", error, ids)
            return None
        await self._engine.abandon_content(content.job_id, content.ordinal)
        log.warning("content_lost", **ids)
        return None

    async def sweep(self) -> bool:
        """Remove the temporary files of writers that ended or hang. Returns whether that worked.

        A file may hold the text of an erased document, so it is removed before the object. A writer
        that hangs until after the deletion can then no longer write the object.
        """
        try:
            async with asyncio.timeout(self._deadline):
                removed = await self._storage.sweep()
        except (StorageError, TimeoutError) as error:
            self._report_failure("sweep", error, {})
            return False
        if removed:
            log.warning("unfinished_writes_removed", files=removed)
        return True

    async def _try(self, what: str, operation: Awaitable[None], ids: dict[str, Any]) -> bool:
        """Whether the storage did it within the deadline. A failure is counted and logged."""
        try:
            async with asyncio.timeout(self._deadline):
                await operation
        except (StorageError, TimeoutError) as error:
            self._report_failure(what, error, ids)
            return False
        self._metrics.count_drained("stored" if what == "store" else "deleted")
        return True

    def _report_failure(
        self, what: str, error: StorageError | TimeoutError, ids: dict[str, Any]
    ) -> None:
        self._metrics.count_drained("failed")
        # Tried again in any case. Some errors need a person before a try can succeed.
        needs_person = isinstance(error, ObjectRefused | StorageMisconfigured)
        report = log.error if needs_person else log.warning
        reason = str(error) or f"no answer within {self._deadline:g} s"
        report("storage_failed", what=what, reason=reason, **ids)
