"""Looks up provider jobs, many in one request: by their ids, or by the attempt they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from hookline.providers.client import ParseJob, ProviderClient
from hookline.providers.errors import UnknownParseJob
from hookline.worker.parsing.batches import Batches

__all__ = ["UNKNOWN_SINCE", "Lookups"]

UNKNOWN_SINCE: Final = timedelta(hours=48)
"""How far to look back for a submission whose time is not known."""

# How many ids go into one URL, and how many questions share one listing.
_IDS: Final = 50
_SUBMISSIONS: Final = 1000
# How far the provider's clock may differ from the database's.
_CLOCK_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Submission:
    job_id: UUID
    attempt: int
    since: datetime


class Lookups:
    """Answers the questions of the same few milliseconds with as few requests as possible."""

    def __init__(self, client: ProviderClient) -> None:
        self._client = client
        self._by_id: Batches[str, ParseJob] = Batches(client.ask_many, size=_IDS)
        self._by_submission: Batches[_Submission, list[ParseJob]] = Batches(
            self._submissions, size=_SUBMISSIONS
        )

    async def job(self, parse_job_id: str) -> ParseJob | None:
        """The provider job, or None if there is none. Raises ProviderError."""
        listed = await self._by_id.ask(parse_job_id)
        if listed is not None:
            return listed
        # A new job is listed late. Only asking for the job itself is certain.
        try:
            return await self._client.ask(parse_job_id)
        except UnknownParseJob:
            return None

    async def jobs(self, parse_job_ids: Sequence[str]) -> list[ParseJob]:
        """The provider jobs with these ids that exist, in this order. Raises ProviderError."""
        found = [await self.job(parse_job_id) for parse_job_id in parse_job_ids]
        return [job for job in found if job is not None]

    async def submissions(self, job_id: UUID, attempt: int, since: datetime) -> list[ParseJob]:
        """The listed provider jobs of an attempt, submitted since then, the oldest first."""
        return await self._by_submission.ask(_Submission(job_id, attempt, since)) or []

    async def _submissions(
        self, asked: Sequence[_Submission]
    ) -> Mapping[_Submission, list[ParseJob]]:
        jobs = await self._client.find(min(one.since for one in asked) - _CLOCK_SKEW)
        owned: dict[tuple[str | None, str | None], list[ParseJob]] = {}
        for job in jobs:
            owned.setdefault((job.job_id, job.attempt), []).append(job)
        return {one: owned.get((str(one.job_id), str(one.attempt)), []) for one in asked}
