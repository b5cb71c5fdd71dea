"""Reconciles with the provider: applies parked deliveries, and settles credits that were billed."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import structlog

from hookline.postgres.engine import Engine
from hookline.postgres.records import OpenReservation
from hookline.providers.client import ParseJob, ProviderClient
from hookline.providers.errors import ProviderError, UnknownParseJob
from hookline.stages import Tools
from hookline.worker.parsing.lookups import UNKNOWN_SINCE, Lookups
from hookline.worker.parsing.reports import report

__all__ = ["Reconciler"]

log = structlog.get_logger("hookline.worker")

_BATCH: Final = 50
# A failed or cancelled job that was not billed within this time will not be billed.
FAILED_BILLED_WITHIN: Final = timedelta(hours=1)
_UNBILLED: Final = frozenset({"failed", "cancelled"})


class Reconciler:
    """Any number may run at once, in any process: claims skip what others have claimed."""

    def __init__(self, client: ProviderClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    async def apply_parked(self, tools: Tools) -> None:
        """Apply parked deliveries whose job is known by now. Raises DatabaseError."""
        while (parse_job_id := await tools.engine.apply_parked()) is not None:
            log.info("parked_applied", parse_job_id=parse_job_id)

    async def settle_credits(self, tools: Tools) -> None:
        """Settle reservations that have been open for long. Raises DatabaseError."""
        while claimed := await tools.engine.claim_reservations(_BATCH, [self._client.name]):
            now = await tools.engine.clock()
            await asyncio.gather(*(self._settle(tools.engine, one, now) for one in claimed))

    async def _settle(self, engine: Engine, open_: OpenReservation, now: datetime) -> None:
        ids = {"job_id": str(open_.job_id), "attempt": open_.attempt}
        try:
            billed = await self._billed(engine, open_, now)
        except ProviderError as error:
            log.warning("billing_unknown", reason=str(error), **ids)
            billed = None
        if billed is None and now - open_.reserved_at > self._client.remembers:
            billed = open_.reserved
        if billed is not None:
            # If a worker has reserved again meanwhile, it may be submitting: that stays open.
            outcome = await engine.settle_credits(
                open_.job_id, open_.attempt, billed, reserved_at=open_.reserved_at
            )
            log.info("credits_settled", credits=float(billed), outcome=outcome, **ids)

    async def _billed(
        self, engine: Engine, open_: OpenReservation, now: datetime
    ) -> Decimal | None:
        """What was billed for the provider jobs of a reservation; None if it is not known yet."""
        total = Decimal(0)
        for parse_job_id in open_.parse_job_ids or await self._record_found(engine, open_, now):
            try:
                billed = _credits(await self._client.ask(parse_job_id), now)
            except UnknownParseJob:
                return None
            if billed is None:
                return None
            total += billed
        return total

    async def _record_found(
        self, engine: Engine, open_: OpenReservation, now: datetime
    ) -> list[str]:
        """Look for a submission whose id was never recorded, and record it. Returns the ids."""
        # Postgres's clock may have been set back since, so nobody knows when this was.
        since = open_.reserved_at if open_.reserved_at <= now else now - UNKNOWN_SINCE
        found = await self._lookups.submissions(open_.job_id, open_.attempt, since)
        for job in found:
            # Also if the attempt is over or the job was erased: the provider is told then.
            receipt = await engine.record_submission(
                open_.job_id, open_.attempt, job.id, provider=self._client.name
            )
            if receipt.job_id is not None:
                await report(engine, self._client, job)
        return [job.id for job in found if job.id not in open_.paid_job_ids]


def _credits(job: ParseJob, now: datetime) -> Decimal | None:
    if job.billed is not None:
        return job.billed
    ended_at = job.updated_at if job.status in _UNBILLED else None
    over = ended_at is not None and now - ended_at > FAILED_BILLED_WITHIN
    return Decimal(0) if over else None
