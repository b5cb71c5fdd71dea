"""Find jobs by filters, and read a bounded number of rows whatever the filters are.

Where a filter has an index, the jobs that it finds are searched if they are at most _NARROW. Else
the search goes through the newest jobs, _WINDOW of them for each page, and says how far it went.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from hookline.dashboard.job_filter import AGES, JobFilter
from hookline.dashboard.reading import Reader
from hookline.postgres.views import HAS_METADATA, Status

__all__ = ["FoundJobs", "ListedJob", "find_jobs"]

_NARROW = 10_000
_WINDOW = 1_000


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A row of the list."""

    job_id: UUID
    document_id: UUID
    owner_id: UUID
    filename: str
    status: str
    attempt: int
    last_error: dict[str, Any] | None
    waits_because: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class FoundJobs:
    """The jobs of one page, newest first.

    `next` is the job before which the next page begins, None at the end. `searched` is the number
    of jobs that were looked at, if there are more that were not.
    """

    jobs: Sequence[ListedJob]
    next: UUID | None
    searched: int | None


async def find_jobs(
    reader: Reader, wanted: JobFilter, statuses: Sequence[Status], limit: int
) -> FoundJobs:
    """The next `limit` jobs that pass every filter. Raises DatabaseError."""
    values: dict[str, object] = {
        "status": wanted.status,
        "code": wanted.code,
        "owner": wanted.owner,
        "document": wanted.document,
        "text": _like(wanted.text or ""),
        "provider": wanted.provider,
        "metadata": Jsonb(wanted.wanted_metadata),
        "before": wanted.before,
        "limit": limit + 1,
        "narrow": _NARROW,
        "window": _WINDOW,
    }
    filters = ["true"]
    if wanted.status is not None:
        filters.append("j.status = %(status)s")
    if wanted.code is not None:
        filters.append("j.last_error ->> 'code' = %(code)s and j.failed")
    if wanted.owner is not None:
        filters.append("j.owner_id = %(owner)s")
    if wanted.document is not None:
        filters.append("j.document_id = %(document)s")
    if wanted.provider is not None:
        filters.append("j.provider = %(provider)s")
    if wanted.wanted_metadata:
        filters.append(HAS_METADATA)
    # A job's id is a UUIDv7: its order is that of creation.
    place = ["true"]
    if wanted.before is not None:
        place.append("j.job_id < %(before)s")
    if wanted.age is not None:
        values["oldest"] = _first_id(reader.now - AGES[wanted.age])
        place.append("j.job_id >= %(oldest)s")
    if wanted.id_prefix is not None:
        values["first"], values["last"] = _range_of(wanted.id_prefix)
        place.append("j.job_id between %(first)s and %(last)s")
    elif wanted.text is not None:
        filters.append("j.filename ilike %(text)s")

    if filters == ["true"]:
        values["window"] = limit + 1
    where, placed = " and ".join(filters), " and ".join(place)
    narrow = None
    if (found := _narrow(wanted, statuses)) is not None:
        narrow, counted = found
        few = await reader.value(counted, **values)
        if not isinstance(few, int) or few > _NARROW:
            narrow = None
    if narrow is None:
        narrow = (
            f"select j.job_id from upload_pipeline.job_overview as j where {placed}"  # noqa: S608
            " order by j.job_id desc limit %(window)s"
        )
        jobs = await _select(reader, narrow, where, placed, values)
        last = await reader.value(f"{narrow} offset %(window)s - 1", **values)
        more = jobs[limit - 1].job_id if len(jobs) > limit else last
        return FoundJobs(
            jobs[:limit],
            more if isinstance(more, UUID) else None,
            _WINDOW if len(jobs) <= limit and last is not None else None,
        )
    jobs = await _select(reader, f"{narrow} limit %(narrow)s", where, placed, values)
    return FoundJobs(jobs[:limit], jobs[limit - 1].job_id if len(jobs) > limit else None, None)


async def _select(
    reader: Reader, candidates: str, where: str, placed: str, values: dict[str, object]
) -> Sequence[ListedJob]:
    # Materialized, so that the candidates are read by their own index.
    return await reader.select(
        ListedJob,
        f"with candidate as materialized ({candidates})"  # noqa: S608
        " select j.job_id, j.document_id, j.owner_id, j.filename, j.status, j.attempt,"
        " j.last_error, j.waits_because, j.created_at, j.updated_at"
        " from candidate join upload_pipeline.job_overview as j using (job_id)"
        f" where {where} and {placed} order by j.job_id desc limit %(limit)s",
        **values,
    )


def _narrow(wanted: JobFilter, statuses: Sequence[Status]) -> tuple[str, str] | None:
    """A query for a small set that has an index, and holds every job that is wanted.

    The second query tells its size. Of a status it asks the counters, which count no jobs.
    """
    jobs = "select j.job_id from upload_pipeline.job_overview as j where"
    counters = "select coalesce(sum(c.jobs), 0)::bigint from upload_pipeline.status_counts as c"
    kind = next((one for one in statuses if one.status == wanted.status), None)
    few = None
    if wanted.id_prefix is not None:
        few = f"{jobs} j.job_id between %(first)s and %(last)s"
    elif wanted.document is not None:
        few = f"{jobs} j.document_id = %(document)s"
    elif wanted.owner is not None:
        few = (
            "select unnest(d.job_ids) as job_id from upload_pipeline.document_overview as d"
            " where d.owner_id = %(owner)s"
        )
    elif wanted.code is not None or (kind is not None and kind.failed):
        return f"{jobs} j.failed", f"{counters} where c.failed"
    elif kind is not None and not kind.terminal:
        return (
            f"{jobs} not j.terminal and j.status = %(status)s",
            f"{counters} where c.status = %(status)s",
        )
    if few is None:
        return None
    return few, f"select count(*) from ({few} limit %(narrow)s + 1) as n"  # noqa: S608


def _like(text: str) -> str:
    for special in ("\\", "%", "_"):
        text = text.replace(special, f"\\{special}")
    return f"%{text}%"


def _range_of(prefix: str) -> tuple[UUID, UUID]:
    digits = prefix.replace("-", "")[:32]
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def _first_id(moment: datetime) -> UUID:
    """The smallest UUIDv7 of this moment: RFC 9562, section 5.7."""
    return UUID(int=max(int(moment.timestamp() * 1000), 0) << 80)
