"""The drain: writes what storage refused before, deletes objects of erased documents."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

import structlog

from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError, UnknownJob
from hookline.postgres.notifier import Notifier
from hookline.receiver.metrics import ReceiverMetrics
from hookline.storage.objects import Storage, StorageError

__all__ = ["Drain"]

log = structlog.get_logger("hookline.drain")

_IDLE_SECONDS = 2.0
_DELETIONS = 20


class Drain:
    """Any number may run at once, in any process: claims skip what others hold."""

    def __init__(
        self,
        *,
        engine: Engine,
        storage: Storage,
        metrics: ReceiverMetrics,
        bell: Notifier,
        deadline: float,
    ) -> None:
        self._engine = engine
        self._storage = storage
        self._metrics = metrics
        self._bell = bell
        self._deadline = deadline
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Until `stop`. Postgres away, storage away: waits, and goes on by itself."""
        while not self._stopping.is_set():
            try:
                busy = await self.run_once()
            except DatabaseError as error:
                log.warning("drain_waits", reason=str(error))
                busy = False
            except Exception:
                # The outermost loop: who would start it again?
                log.exception("drain_failed")
                busy = False
            if not busy:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_IDLE_SECONDS):
                        await self._stopping.wait()

    def stop(self) -> None:
        """Let `run` end what it is doing. A cancellation could get lost: asyncio.wait_for, 3.11."""
        self._stopping.set()

    async def run_once(self) -> bool:
        """One content and some deletions; whether there was any. Raises DatabaseError."""
        content = await self._engine.claim_content()
        if content is not None:
            ids = {
                "job_id": str(content.job_id),
                "ordinal": content.ordinal,
                "tries": content.tries,
            }
            if await self._attempt(
                "store", self._storage.write(content.path, content.content), ids
            ):
                try:
                    receipt = await self._engine.finish_content(content.job_id, content.ordinal)
                    log.info("content_stored", outcome=receipt.outcome, **ids)
                    if receipt.outcome == "applied":
                        self._bell.ring(receipt.status)
                except UnknownJob:
                    # Erased meanwhile: the deletion queue has the path.
                    log.info("content_stored", outcome="erased", **ids)

        if self._stopping.is_set():
            return content is not None
        deletions = await self._engine.claim_deletions(_DELETIONS)
        for path, tries in deletions:
            # A storage that hangs takes the deadline for each.
            if self._stopping.is_set():
                break
            ids = {"path": path, "tries": tries}
            if await self._attempt("delete", self._storage.delete(path), ids):
                await self._engine.finish_deletion(path, tries)
        return content is not None or bool(deletions)

    async def _attempt(self, what: str, operation: Awaitable[None], ids: dict[str, Any]) -> bool:
        try:
            async with asyncio.timeout(self._deadline):
                await operation
        except StorageError as error:
            # Tried again all the same, but somebody has to act before it can succeed.
            report = log.error if error.permanent else log.warning
            reason = str(error)
        except TimeoutError:
            report = log.warning
            reason = f"no answer within {self._deadline:g} s"
        else:
            self._metrics.count_drained("stored" if what == "store" else "deleted")
            return True
        self._metrics.count_drained("failed")
        report("storage_failed", what=what, reason=reason, **ids)
        return False
