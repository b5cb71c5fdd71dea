"""Sends what the provider is to cancel or delete: the queue provider_requests."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from hookline.postgres.engine import Engine
from hookline.postgres.records import ProviderRequest
from hookline.providers.client import ProviderClient
from hookline.providers.errors import (
    NotOffered,
    ProviderError,
    Refused,
    UnknownParseJob,
    code_of_error,
)
from hookline.stages import Tools

__all__ = ["ProviderRequests"]

log = structlog.get_logger("hookline.worker")

_BATCH: Final = 20
# Conflict, locked, too early: the job is still being stopped or deleted. They pass.
_PASSING: Final = frozenset({409, 423, 425})
# So many tries show that they do not.
_REFUSED_FOR_GOOD: Final = 5
# Seconds for one request. After five minutes another worker may send it (claim_provider_requests).
SENT_WITHIN: Final = 240.0


class ProviderRequests:
    """Any number may run at once, in any process: a claim skips what others have claimed."""

    def __init__(self, client: ProviderClient) -> None:
        self._client = client

    async def run_once(self, tools: Tools) -> None:
        """Send all requests that are due, some at once. Raises DatabaseError."""
        name = self._client.name
        while claimed := await tools.engine.claim_provider_requests(name, _BATCH):
            await asyncio.gather(*(self._send(tools.engine, one) for one in claimed))

    async def _send(self, engine: Engine, request: ProviderRequest) -> None:
        ids = {"parse_job_id": request.parse_job_id, "kind": request.kind, "tries": request.tries}
        permanent = False
        try:
            async with asyncio.timeout(SENT_WITHIN):
                result = await self._result(request)
        except (ProviderError, TimeoutError) as error:
            code = code_of_error(error)
            permanent = isinstance(error, Refused) and (
                error.status not in _PASSING or request.tries >= _REFUSED_FOR_GOOD
            )
            report = log.error if permanent else log.warning
            report("provider_request_failed", code=code, reason=str(error), **ids)
            await engine.fail_provider_request(
                self._client.name, request, code, permanent=permanent
            )
            return
        log.info("provider_request_done", result=result, **ids)
        await engine.finish_provider_request(self._client.name, request, result)

    async def _result(self, request: ProviderRequest) -> str:
        """Carry it out. Returns how it is done; raises ProviderError if it is not."""
        try:
            if request.kind == "delete":
                await self._delete(request.parse_job_id)
            else:
                await self._client.cancel(request.parse_job_id)
        except NotOffered:
            return "not_offered"
        except UnknownParseJob:
            return "unknown"
        except Refused:
            if request.kind == "delete":
                raise
            return "ended"
        return "done"

    async def _delete(self, parse_job_id: str) -> None:
        try:
            await self._client.delete(parse_job_id)
        except Refused:
            # It may still run.
            with suppress(Refused, UnknownParseJob):
                await self._client.cancel(parse_job_id)
            await self._client.delete(parse_job_id)
