"""Stage `parse_queued`: asks the provider about a job whose webhook did not come in time."""

from __future__ import annotations

from contextlib import suppress

from hookline.providers.client import ParseJob, ProviderClient
from hookline.providers.errors import ProviderError, Refused
from hookline.stages import Deferred, Failed, HandedOver, Job, Tools
from hookline.worker.parsing.lookups import Lookups
from hookline.worker.parsing.outcomes import is_stuck, outcome_of_error
from hookline.worker.parsing.reports import report

__all__ = ["Ask"]


class Ask:
    """The handler. It reports the provider's answer to the engine as the missing webhook would."""

    def __init__(self, client: ProviderClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    async def __call__(self, job: Job, tools: Tools) -> HandedOver:
        """End the lease by receive_event or fail_job. Raises Failed, Deferred, Paused."""
        try:
            found = await self._lookups.jobs(job.parse_job_ids)
            if not found:
                raise Failed(
                    "parse_job_unknown", "The provider does not know the job.", start_over=True
                )
            parse_job = _most_telling(found)
            if parse_job.status in ("waiting", "running"):
                if not is_stuck(parse_job, await tools.engine.clock()):
                    raise Deferred("parse_running", f"The provider says {parse_job.said}.")
                await self._start_over(job, tools, parse_job)
                return HandedOver()
        except ProviderError as error:
            raise outcome_of_error(error, self._client) from error
        receipt = await report(tools.engine, self._client, parse_job)
        if receipt is None or receipt.outcome != "applied":
            # Usually the job has moved, and the lease has ended. If not, deferring ends it.
            raise Deferred("nothing_new", f"The provider says {parse_job.said}.")
        return HandedOver()

    async def _start_over(self, job: Job, tools: Tools, parse_job: ParseJob) -> None:
        """Start another attempt here, then cancel this one at the provider.

        In this order: the provider reports the cancellation, and that must find the attempt over.
        """
        error = {"code": "parse_stuck", "error": "The job does not end at the provider."}
        await tools.engine.fail_job(job.job_id, job.lease_token, error, start_over=True)
        with suppress(Refused):
            await self._client.cancel(parse_job.id)


def _most_telling(jobs: list[ParseJob]) -> ParseJob:
    """The job that says most, if an attempt has several after a lost answer: best a success."""
    for status in ("done", "running", "waiting"):
        for job in jobs:
            if job.status == status:
                return job
    return jobs[0]
