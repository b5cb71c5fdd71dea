"""What the shell completes: ids, statuses and other words of the database that is configured.

A completion never fails, prints nothing, and gives up after a moment: then it has no words.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from uuid import UUID

from hookline.postgres.connecting import connected
from hookline.postgres.errors import DatabaseError
from hookline.postgres.views import Views
from hookline.settings import ConfigurationError, load

__all__ = [
    "complete_jobs",
    "complete_outcomes",
    "complete_sources",
    "complete_stages",
    "complete_statuses",
]

Words = list[tuple[str, str]]

# Seconds. A person waits for it.
_PATIENCE = 1.5
_SHOWN = 30


def complete_jobs(incomplete: str) -> Words:
    """The newest jobs whose ids begin so, with file and status."""

    async def find(views: Views) -> Words:
        digits = incomplete.lower().replace("-", "")
        if not digits:
            found = await views.jobs(limit=_SHOWN)
        else:
            # Not hex: no id begins so.
            first, last = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
            found = await views.jobs_between(first, last, limit=_SHOWN)
        return [(str(one.job_id), f"{one.status} {one.filename}") for one in found]

    return _ask(find)


def complete_statuses(incomplete: str) -> Words:
    """The statuses that begin so."""

    async def find(views: Views) -> Words:
        return [(one.status, one.description) for one in await views.statuses()]

    return _beginning(incomplete, _ask(find))


def complete_stages(incomplete: str) -> Words:
    """The unfinished statuses that begin so: those whose stage can be paused."""

    async def find(views: Views) -> Words:
        return [(one.status, one.description) for one in await views.statuses() if not one.terminal]

    return _beginning(incomplete, _ask(find))


def complete_sources(incomplete: str) -> Words:
    """The sources that begin so and have sent something."""

    async def find(views: Views) -> Words:
        return [(source, "") for source in await views.sources()]

    return _beginning(incomplete, _ask(find))


def complete_outcomes(incomplete: str) -> Words:
    """The outcomes of a delivery that begin so."""
    from hookline.postgres.records import OUTCOMES

    return _beginning(incomplete, [(one, "") for one in sorted(OUTCOMES)])


def _beginning(incomplete: str, words: Words) -> Words:
    return [(word, said) for word, said in words if word.startswith(incomplete)]


def _ask(find: Callable[[Views], Awaitable[Words]]) -> Words:
    async def ask() -> Words:
        async with asyncio.timeout(_PATIENCE), connected(load()) as pool:
            return await find(Views(pool))

    with contextlib.suppress(ConfigurationError, DatabaseError, TimeoutError, ValueError):
        return asyncio.run(ask())
    return []
