"""Compare the objects in storage with what the database says is there."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from hookline.postgres.views import KnownObject, Views
from hookline.storage.objects import MissingObject, Storage, StoredObject

__all__ = ["GRACE", "Comparison", "Difference"]

# An object that is younger is not called orphaned: a write may be under way, or a doctor's probe.
GRACE = timedelta(minutes=10)

_BATCH = 1000
_DOWNLOADS = 8


@dataclass(frozen=True, slots=True)
class Difference:
    """An object without a job (orphaned), or a job's object that is missing or has other bytes.

    `unfinished` is a file that an interrupted write has left; `path` tells where it is.
    """

    kind: Literal["unfinished", "orphaned", "missing", "different"]
    path: str
    job_id: UUID | None
    detail: str


class Comparison:
    """One pass over the bucket of parsed content, then one over the database.

    A job's path is in the database before its object is written, and we list an object before we
    look for it in the database. So an object that is written meanwhile is not called orphaned. For
    each object only a hash is kept in memory.
    """

    def __init__(
        self, storage: Storage, views: Views, now: datetime, progress: Callable[[str], None]
    ) -> None:
        self.objects = 0
        self.jobs = 0
        self._storage = storage
        self._views = views
        self._now = now
        self._progress = progress
        self._downloads = asyncio.Semaphore(_DOWNLOADS)
        # Among 10^8 paths two share a hash with a chance of 1 in 1,000. That hides a missing object
        # only if it is one of the two.
        self._there: set[int] = set()

    async def differences(self) -> AsyncGenerator[Difference, None]:
        """Each difference as it is found. Raises StorageError, DatabaseError."""
        for left in await self._storage.unfinished():
            detail = f"{left.size:,} bytes of {left.modified:%Y-%m-%d %H:%M} UTC"
            yield Difference("unfinished", left.path, None, detail)
        async for listed in _batches(self._storage.list("parsed")):
            for difference in await self._compare_listed(listed):
                yield difference
            self.objects += len(listed)
            self._progress(f"Comparing storage: {self.objects:,} objects read")

        path = ""
        while batch := await self._views.stored_after(path, limit=_BATCH):
            for difference in await self._compare_stored(batch):
                yield difference
            self.jobs += len(batch)
            self._progress(f"Comparing storage: {self.jobs:,} objects of jobs looked for")
            path = batch[-1].path

    async def _compare_listed(self, listed: list[StoredObject]) -> list[Difference]:
        known = {row.path: row for row in await self._views.known_objects([o.path for o in listed])}
        orphans = [
            Difference("orphaned", one.path, None, f"{one.size:,} bytes")
            for one in listed
            if one.path not in known and one.modified < self._now - GRACE
        ]
        # An object that is not stored yet will be written, whatever is there now.
        stored = [(one, known[one.path]) for one in listed if one.path in known]
        compared = await asyncio.gather(
            *(self._compare(one, row) for one, row in stored if row.stored and row.job_id)
        )
        return orphans + [difference for difference in compared if difference]

    async def _compare(self, listed: StoredObject, row: KnownObject) -> Difference | None:
        detail = None
        if listed.size != row.bytes:
            detail = f"{listed.size:,} bytes instead of {row.bytes:,}"
        else:
            try:
                async with self._downloads:
                    content = await self._storage.read(row.path)
            except MissingObject:
                # Deleted since it was listed. The second pass finds it if a job still needs it.
                return None
            sha256 = hashlib.sha256(content).hexdigest()
            if sha256 != row.sha256:
                detail = f"SHA-256 {sha256[:12]}… instead of {(row.sha256 or '')[:12]}…"
        self._there.add(hash(row.path))
        return Difference("different", row.path, row.job_id, detail) if detail else None

    async def _compare_stored(self, rows: list[KnownObject]) -> list[Difference]:
        unseen = [row for row in rows if hash(row.path) not in self._there]
        absent = [
            path
            for path in await asyncio.gather(*(self._if_absent(row.path) for row in unseen))
            if path
        ]
        # Read again, because a document may have been erased meanwhile.
        return [
            Difference("missing", row.path, row.job_id, f"{row.bytes or 0:,} bytes")
            for row in (await self._views.known_objects(absent) if absent else [])
            if row.stored and row.job_id
        ]

    async def _if_absent(self, path: str) -> str | None:
        # It may have been written after the bucket was listed.
        try:
            async with self._downloads:
                await self._storage.read(path)
        except MissingObject:
            return path
        return None


async def _batches(objects: AsyncIterator[StoredObject]) -> AsyncIterator[list[StoredObject]]:
    batch: list[StoredObject] = []
    async for one in objects:
        batch.append(one)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
