"""The filters of `hookline jobs`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hookline.cli.exit_codes import WrongUsage
from hookline.cli.formats import printable
from hookline.postgres.views import JobOverview, Views

__all__ = ["JobFilters", "require_status"]


@dataclass(frozen=True, slots=True)
class JobFilters:
    """The filters of one command. A job is listed if every filter that is set holds."""

    status: str | None
    failed: bool
    overdue: bool
    owner_id: UUID | None
    since: datetime | None
    limit: int

    async def find(self, views: Views) -> list[JobOverview]:
        """The jobs, the newest first. Raises DatabaseError."""
        return await views.jobs(
            status=self.status,
            failed=self.failed,
            overdue=self.overdue,
            owner_id=self.owner_id,
            since=self.since,
            limit=self.limit,
        )


async def require_status(views: Views, status: str) -> None:
    """Raise WrongUsage if the database has no such status."""
    known = [one.status for one in await views.statuses()]
    if status not in known:
        raise WrongUsage(
            f"{printable(status)} is not a status. The statuses are {', '.join(known)}."
        )
