"""Stage `uploaded`: submits the raw file to the provider, once for each attempt.

Parsing costs money, and the provider has no idempotency keys. So each attempt reserves credits
first. A worker that finds an open reservation looks for the job at the provider, and submits again
only if the provider had enough time (the grace) to list the job.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import structlog

from hookline.postgres.errors import BudgetExceeded
from hookline.postgres.records import Reservation
from hookline.providers.client import Document, ParseJob, ProviderClient, Submission
from hookline.providers.errors import ProviderError, Refused, Unanswered, UnknownParseJob
from hookline.providers.job_options import check_job_options
from hookline.stages import Deferred, HandedOver, Job, Paused, Tools
from hookline.timing import now
from hookline.worker.parsing.lookups import UNKNOWN_SINCE, Lookups
from hookline.worker.parsing.outcomes import outcome_of_error
from hookline.worker.parsing.pages import count_pages
from hookline.worker.parsing.polling import Polling
from hookline.worker.parsing.reports import report

__all__ = ["Submit"]

log = structlog.get_logger("hookline.worker")


class Submit:
    """The handler. If the client is polled, `polling` asks about what was submitted."""

    def __init__(
        self,
        client: ProviderClient,
        lookups: Lookups,
        polling: Polling,
        *,
        assumed_pages: int,
        grace: float,
    ) -> None:
        self._client = client
        self._lookups = lookups
        self._polling = polling
        self._assumed_pages = assumed_pages
        self._grace = timedelta(seconds=grace)

    async def __call__(self, job: Job, tools: Tools) -> HandedOver:
        """End the lease by record_submission. Raises Failed, Deferred, Paused."""
        try:
            check_job_options(job.options, self._client.options, self._client.name)
        except Refused as error:
            raise outcome_of_error(error, self._client) from error
        content = await tools.raw(job)
        cost = await self._estimate(job, content)
        reservation = await self._reserve(job, tools, cost)
        if reservation.outcome == "duplicate" and await self._record_earlier(
            job, tools, reservation, cost
        ):
            return HandedOver()

        document = Document(job.filename, job.mime, content)
        try:
            handle = await self._client.prepare(document)
        except ProviderError as error:
            # This starts no parse, so nothing was spent.
            await _settle_unused(job, tools, reservation)
            raise outcome_of_error(error, self._client) from error

        submission = Submission(handle, document, str(job.job_id), str(job.attempt), job.options)
        # Reserving again checks the lease before it costs, and starts the grace anew: an upload
        # or a wait for a rate limit may have taken long.
        try:
            reservation = await self._reserve(job, tools, cost, again=True)
        except Exception:
            await self._discard(submission)
            raise
        await self._record(job, tools, await self._submit(job, tools, submission, reservation))
        return HandedOver()

    async def _submit(
        self, job: Job, tools: Tools, submission: Submission, reservation: Reservation
    ) -> ParseJob:
        try:
            return await self._client.submit(submission)
        except ProviderError as error:
            if isinstance(error, Unanswered) and error.sent:
                # The job may exist. The open reservation tells the next try to look for it.
                raise Deferred("submission_unanswered", str(error), self._grace) from error
            await _settle_unused(job, tools, reservation)
            await self._discard(submission)
            raise outcome_of_error(error, self._client) from error

    async def _discard(self, submission: Submission) -> None:
        """Delete the file that was uploaded for nothing: the next try uploads it again."""
        try:
            await self._client.discard(submission.handle)
        except UnknownParseJob:
            pass
        except ProviderError as error:
            log.warning("file_not_discarded", reason=str(error), job_id=submission.job_id)

    async def _record_earlier(
        self, job: Job, tools: Tools, reservation: Reservation, cost: Decimal
    ) -> bool:
        """Record what an earlier try has submitted. Returns whether there was anything.

        Raises Deferred during the grace, in which the provider may not list the job yet.
        """
        looked_at = await tools.engine.clock()
        # If Postgres's clock is ahead of ours, it may be ahead of the provider's as well.
        since = reservation.reserved_at - max(looked_at - now(), timedelta())
        if reservation.reserved_at > looked_at:
            # Postgres's clock was set back, so nobody knows when this was. The grace starts anew.
            reservation = await self._reserve(job, tools, cost, again=True)
            since = reservation.reserved_at - UNKNOWN_SINCE
        try:
            found = await self._lookups.submissions(job.job_id, job.attempt, since)
        except ProviderError as error:
            raise outcome_of_error(error, self._client) from error
        for parse_job in found:
            log.info("submission_found", job_id=str(job.job_id), parse_job_id=parse_job.id)
            if await self._record(job, tools, parse_job):
                # Its webhook may have come before anybody knew the id.
                await report(tools.engine, self._client, parse_job)
        left = reservation.reserved_at + self._grace - looked_at
        if not found and left > timedelta():
            raise Deferred(
                "submission_unknown",
                "An earlier try may have submitted the job, and it is not listed yet.",
                left,
            )
        return bool(found)

    async def _record(self, job: Job, tools: Tools, parse_job: ParseJob) -> bool:
        """Record a submission. Returns False if the job was erased, which the provider will hear.

        If an operator has cancelled the job, the provider is told so as well.
        """
        receipt = await tools.engine.record_submission(
            job.job_id, job.attempt, parse_job.id, job.correlation_id, self._client.name
        )
        if receipt.job_id is None:
            return False
        if self._client.polled:
            self._polling.add(parse_job.id)
        return True

    async def _estimate(self, job: Job, content: bytes) -> Decimal:
        pages = await asyncio.to_thread(count_pages, content, job.mime)
        return self._client.cost(pages or self._assumed_pages, job.options)

    async def _reserve(
        self, job: Job, tools: Tools, cost: Decimal, *, again: bool = False
    ) -> Reservation:
        try:
            return await tools.engine.reserve_credits(
                job.job_id, job.lease_token, cost, again=again, provider=self._client.name
            )
        except BudgetExceeded as error:
            raise await self._over_budget(job, tools, cost, f"{error}. {error.detail}") from error

    async def _over_budget(self, job: Job, tools: Tools, cost: Decimal, text: str) -> Deferred:
        usual = self._client.cost(self._assumed_pages)
        caps = [
            cap
            for cap in await tools.engine.caps_of(job.owner_id, self._client.name)
            if cap.remaining < cost
        ]
        asked_at = await tools.engine.clock()
        resets = [cap.resets_at - asked_at for cap in caps]
        # If the common cap is too low even for a usual document, every job would stop here.
        spent = [
            pause
            for cap, pause in zip(caps, resets, strict=True)
            if cap.scope == "all" and cap.remaining < usual
        ]
        if spent:
            return Paused("budget_exceeded", text, max(spent), f"The credit cap is reached. {text}")
        return Deferred("budget_exceeded", text, max(resets, default=None))


async def _settle_unused(job: Job, tools: Tools, reservation: Reservation) -> None:
    """Settle the reservation at 0. One that another worker has made since stays open."""
    await tools.engine.settle_credits(
        job.job_id, job.attempt, 0, reserved_at=reservation.reserved_at
    )
