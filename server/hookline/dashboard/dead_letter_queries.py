"""The queries about dead letters: jobs that failed for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from hookline.dashboard.reading import Reader

__all__ = ["GROUPED", "DeadLetterQueries", "DeadLetters"]

GROUPED: Final = 1000
"""So many dead letters are grouped, the latest ones."""


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Dead letters with one status and error code; the latest of them and its error."""

    status: str
    code: str | None
    jobs: int
    latest: datetime
    job_id: UUID
    filename: str
    error: str | None


class DeadLetterQueries:
    """What the screen of dead letters asks. Every method may raise DatabaseError."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def groups(self) -> Sequence[DeadLetters]:
        """The latest GROUPED dead letters by status and code, the largest group first."""
        return await self._reader.select(
            DeadLetters,
            "select g.status, g.code, count(*) as jobs, max(g.failed_at) as latest,"
            " (array_agg(g.job_id order by g.failed_at desc, g.job_id))[1] as job_id,"
            " (array_agg(g.filename order by g.failed_at desc, g.job_id))[1] as filename,"
            " (array_agg(g.error order by g.failed_at desc, g.job_id))[1] as error"
            " from (select f.status, f.code, f.job_id, f.filename, f.error, f.failed_at"
            " from upload_pipeline.failed_jobs as f order by f.failed_at desc limit %(limit)s) as g"
            " group by g.status, g.code order by jobs desc, g.status, g.code",
            limit=GROUPED,
        )
