"""The queries about deliveries: those that came, and those that were refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from hookline.dashboard.reading import Reader
from hookline.postgres.views import Delivery, RefusedDeliveries

__all__ = ["OUTCOMES", "READ_AT_MOST", "DeliveryPage", "DeliveryQueries", "FullDelivery"]

OUTCOMES: Final = {
    "applied": "The job took a step.",
    "duplicate": "It had been applied before.",
    "stale": "It was about an earlier attempt, or the job had moved past it.",
    "ignored": "There was nothing to do.",
    "parked": "Nobody knows its provider job yet: it is applied as soon as somebody does.",
    "awaited": "Its content was being written to storage.",
    "kept": "Its content was kept in Postgres, because storage failed or is slow.",
    "unrecognised": "Its content has an unknown shape: an operator decides.",
}
"""Every outcome of a delivery, and what it means."""

READ_AT_MOST: Final = 2000
"""An outcome has no index, and ids that begin alike may be many: so many deliveries are read."""


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Deliveries, newest first, and after which one the next page begins (None: there is none)."""

    deliveries: Sequence[Delivery]
    next_after: Delivery | None


@dataclass(frozen=True, slots=True)
class FullDelivery(Delivery):
    """One delivery with what it says, without content."""

    body_sha256: str
    payload: dict[str, Any]
    correlation_id: str | None


class DeliveryQueries:
    """What the screen of deliveries asks. Every method may raise DatabaseError."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def sources(self) -> Sequence[str]:
        """The sources of all deliveries, each found by one step in the index."""
        found = await self._reader.value(
            "with recursive found (source) as ("
            " (select source from upload_pipeline.delivery_log order by source limit 1)"
            " union all"
            " select (select d.source from upload_pipeline.delivery_log as d"
            " where d.source > found.source order by d.source limit 1)"
            " from found where found.source is not null)"
            " select coalesce(array_agg(source), '{}') from found where source is not null"
        )
        return found if isinstance(found, list) else []

    async def page(
        self,
        *,
        source: str | None,
        outcome: str | None,
        job_id: UUID | None,
        prefix: str | None,
        after: tuple[datetime, str, str] | None,
        limit: int,
    ) -> DeliveryPage:
        """Deliveries that pass every filter and came before `after`: a time, a source, an id.

        With `prefix`, only the first READ_AT_MOST deliveries whose ids begin so are looked at.
        """
        clauses: list[LiteralString] = ["true"]
        if source is not None:
            clauses.append("source = %(source)s")
        if job_id is not None:
            clauses.append("job_id = %(job_id)s")
        if after is not None:
            # The first condition is implied by the second. An index can use it.
            clauses.append("first_seen <= %(first_seen)s")
            clauses.append(
                "(first_seen, source, delivery_id)"
                " < (%(first_seen)s, %(after_source)s, %(after_id)s)"
            )
        table: LiteralString = "upload_pipeline.delivery_log"
        if prefix is not None:
            table = (
                "(select * from upload_pipeline.delivery_log where delivery_id >= %(prefix)s"
                " and delivery_id < %(prefix)s || chr(1114111)"
                " order by delivery_id limit %(few)s) as few"
            )
        read = limit + 1 if outcome is None else READ_AT_MOST
        query: LiteralString = (
            "select source, delivery_id, outcome, event_type, code, job_id, parse_job_id,"
            " times_seen, first_seen, last_seen from {}"
            " where {} order by first_seen desc, source desc, delivery_id desc limit %(read)s"
        )
        found = await self._reader.select(
            Delivery,
            query.format(table, " and ".join(clauses)),
            prefix=prefix,
            few=READ_AT_MOST,
            source=source,
            job_id=job_id,
            first_seen=after[0] if after else None,
            after_source=after[1] if after else None,
            after_id=after[2] if after else None,
            read=read,
        )
        passed = [one for one in found if outcome in (None, one.outcome)]
        if len(passed) > limit:
            return DeliveryPage(passed[:limit], passed[limit - 1])
        return DeliveryPage(passed, found[-1] if len(found) == read else None)

    async def one(self, source: str, delivery_id: str) -> FullDelivery | None:
        """One delivery, or None if it is not there."""
        found = await self._reader.select(
            FullDelivery,
            "select source, delivery_id, outcome, event_type, code, job_id, parse_job_id,"
            " times_seen, first_seen, last_seen, body_sha256, payload, correlation_id"
            " from upload_pipeline.delivery_log"
            " where source = %(source)s and delivery_id = %(delivery_id)s",
            source=source,
            delivery_id=delivery_id,
        )
        return found[0] if found else None

    async def refused_since(self, moment: datetime) -> Sequence[RefusedDeliveries]:
        """What was refused since then, by source and reason, the most frequent first."""
        return await self._reader.select(
            RefusedDeliveries,
            "select source, reason, sum(count)::bigint as count, max(minute) as latest,"
            " (array_agg(user_agent order by minute desc)"
            " filter (where user_agent is not null))[1] as user_agent,"
            " max(likely_cause) as likely_cause"
            " from upload_pipeline.refusal_log where minute >= %(moment)s"
            " group by source, reason order by count desc, source, reason",
            moment=moment,
        )
