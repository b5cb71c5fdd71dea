"""The filters of `hookline jobs`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self
from uuid import UUID

from hookline.cli.exit_codes import WrongUsage
from hookline.cli.formats import printable
from hookline.cli.ids import find_owner
from hookline.postgres.views import JobOverview, Views

__all__ = ["JobFilters", "require_status"]


@dataclass(frozen=True, slots=True)
class JobFilters:
    """The filters of one command. A job is listed if every filter that is set holds.

    `owner` is what a person typed; `checked` finds the `owner_id`.
    """

    status: str | None
    failed: bool
    overdue: bool
    owner: str | None
    since: datetime | None
    limit: int
    metadata: Mapping[str, str]
    owner_id: UUID | None = None

    async def checked(self, views: Views) -> Self:
        """The filters with their owner. Raises WrongUsage, UnknownJob: a value does not exist."""
        if self.status is not None:
            await require_status(views, self.status)
        if self.owner is None:
            return self
        return replace(self, owner_id=await find_owner(views, self.owner))

    async def find(self, views: Views) -> list[JobOverview]:
        """The jobs, the newest first, or the longest overdue. Raises DatabaseError."""
        return await views.jobs(
            status=self.status,
            failed=self.failed,
            overdue=self.overdue,
            owner_id=self.owner_id,
            since=self.since,
            metadata=self.metadata,
            limit=self.limit,
        )


async def require_status(views: Views, status: str) -> None:
    """Raise WrongUsage if the database has no such status."""
    known = [one.status for one in await views.statuses()]
    if status not in known:
        raise WrongUsage(
            f"{printable(status)} is not a status. The statuses are {', '.join(known)}."
        )
