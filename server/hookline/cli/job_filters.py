"""The filters of `hookline jobs`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hookline.cli.exit_codes import WrongUsage
from hookline.cli.formats import printable
from hookline.postgres.views import JobOverview, Views

__all__ = ["Wanted", "require_status"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters, all of which hold."""

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
    """Raise WrongUsage for one that the machine does not have."""
    known = [one.status for one in await views.statuses()]
    if status not in known:
        raise WrongUsage(f"{printable(status)} is not a status: there are {', '.join(known)}.")
