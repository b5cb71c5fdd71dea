"""A client whose calls all end: the package of a provider may forget a deadline, or lose one."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from hookline.providers.client import (
    Artifact,
    Document,
    ParseJob,
    ProviderClient,
    Result,
    Submission,
)
from hookline.providers.errors import Unanswered
from hookline.providers.options import NO_OPTIONS

__all__ = ["LimitedClient"]

_Answer = TypeVar("_Answer")


class LimitedClient(ProviderClient):
    """Does what `client` does. A call that takes more than `seconds` raises Unanswered.

    It is cancelled then, and abandoned if it does not end.
    """

    def __init__(self, client: ProviderClient, seconds: float) -> None:
        self._client = client
        self._seconds = seconds
        for of_the_class in (
            *("name", "settings", "event_types", "options", "remembers", "artifact_kinds"),
        ):
            setattr(self, of_the_class, getattr(client, of_the_class))

    @property
    def polled(self) -> bool:
        return self._client.polled

    def cost(self, pages: int, options: Mapping[str, object] = NO_OPTIONS) -> Decimal:
        return self._client.cost(pages, options)

    async def prepare(self, document: Document) -> str:
        return await self._within(self._client.prepare(document))

    async def discard(self, handle: str) -> None:
        await self._within(self._client.discard(handle))

    async def submit(self, submission: Submission) -> ParseJob:
        return await self._within(self._client.submit(submission))

    async def ask(self, parse_job_id: str) -> ParseJob:
        return await self._within(self._client.ask(parse_job_id))

    async def fetch(self, parse_job_id: str) -> Result:
        return await self._within(self._client.fetch(parse_job_id))

    async def artifacts(self, parse_job_id: str, kinds: Collection[str]) -> Sequence[Artifact]:
        return await self._within(self._client.artifacts(parse_job_id, kinds))

    async def ask_many(self, parse_job_ids: Sequence[str]) -> Mapping[str, ParseJob]:
        return await self._within(self._client.ask_many(parse_job_ids))

    async def find(self, since: datetime) -> Sequence[ParseJob]:
        return await self._within(self._client.find(since))

    async def cancel(self, parse_job_id: str) -> None:
        await self._within(self._client.cancel(parse_job_id))

    async def delete(self, parse_job_id: str) -> None:
        await self._within(self._client.delete(parse_job_id))

    async def _within(self, call: Coroutine[Any, Any, _Answer]) -> _Answer:
        task = asyncio.create_task(call, name=f"call to {self.name}")
        try:
            await asyncio.wait({task}, timeout=self._seconds)
            if not task.done():
                raise Unanswered(f"The call did not end within {self._seconds:g} s.")
            if task.cancelled():
                raise Unanswered("The call cancelled itself.")
            return task.result()
        finally:
            if not task.done():
                # asyncio would log an exception that nobody looks at. It may quote a document.
                task.add_done_callback(_ignore_exception)
                task.cancel()


def _ignore_exception(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
