"""The queries about caps of credits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from hookline.dashboard.reading import Reader
from hookline.postgres.records import CreditStatus

__all__ = ["CapQueries"]

_COLUMNS: LiteralString = (
    "select provider, scope, owner_id, period, credits, used, remaining, starts_at, resets_at"
    " from upload_pipeline.credit_status"
)


class CapQueries:
    """What the screen of credits asks. Every method may raise DatabaseError."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def common(self) -> Sequence[CreditStatus]:
        """The caps of all owners together, and the amounts that each owner may spend."""
        return await self._reader.select(
            CreditStatus,
            _COLUMNS + " where scope in ('all', 'each') and owner_id is null"
            " order by scope, provider, array_position(array['hour', 'day', 'month'], period)",
        )

    async def of_owners(
        self, *, owner_id: UUID | None, after: UUID | None, limit: int
    ) -> Sequence[CreditStatus]:
        """The caps of owners in the order of their ids: of one, or of those after `after`."""
        clause: LiteralString = " where owner_id is not null"
        if owner_id is not None:
            clause += " and owner_id = %(owner_id)s"
        if after is not None:
            clause += " and owner_id > %(after)s"
        # One query for each scope, because the index begins with it.
        found = [
            cap
            for one in ("each", "owner")
            for cap in await self._reader.select(
                CreditStatus,
                _COLUMNS + clause + " and scope = %(scope)s order by owner_id, period, provider"
                " limit %(limit)s",
                owner_id=owner_id,
                after=after,
                scope=one,
                limit=limit,
            )
        ]
        return sorted(found, key=lambda cap: (str(cap.owner_id), cap.period, cap.provider))[:limit]
