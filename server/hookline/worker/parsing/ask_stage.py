"""Stage `parse_queued`: asks the provider about a job whose webhook did not come in time."""

from __future__ import annotations

from hookline.providers.client import ParseJob, ProviderClient
from hookline.providers.errors import ProviderError
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
                if not await is_stuck(parse_job, self._client, tools.engine):
                    raise Deferred("parse_running", f"The provider says {parse_job.said}.")
                # fail_job has the provider cancel it.
                raise Failed(
                    "parse_stuck", "The job does not end at the provider.", start_over=True
                )
        except ProviderError as error:
            raise outcome_of_error(error, self._client) from error
        receipt = await report(tools.engine, self._client, parse_job)
        if receipt is None or receipt.outcome != "applied":
            # Usually the job has moved, and the lease has ended. If not, deferring ends it.
            raise Deferred("nothing_new", f"The provider says {parse_job.said}.")
        return HandedOver()


def _most_telling(jobs: list[ParseJob]) -> ParseJob:
    """The job that says most, if an attempt has several after a lost answer: best a success."""
    for status in ("done", "running", "waiting"):
        for job in jobs:
            if job.status == status:
                return job
    return jobs[0]
