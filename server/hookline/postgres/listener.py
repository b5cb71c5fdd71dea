"""The listener: LISTEN tells this process that a job came to a status.

A notification is a hint: what the listener misses is found by polling. It has a connection of its
own, which must not go through a transaction pooler: the pooler would give it to somebody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg
import structlog

from hookline.postgres.notifier import CHANNEL
from hookline.postgres.session import connection_arguments
from hookline.timing import Backoff

__all__ = ["Listener"]

log = structlog.get_logger("hookline.worker")

# Pauses before a lost connection is made again, in seconds.
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 3.0
# After _ASK_AFTER seconds without a notification the listener asks whether the server is there. It
# waits _ANSWER_TIMEOUT seconds for the answer. Until it finds the server missing, claimers poll
# less often than without a listener.
_ASK_AFTER = 5.0
_ANSWER_TIMEOUT = 5.0


class Listener:
    """Calls `on_notify` with a status, or with None after connecting.

    None means every status: notifications may have been missed before. `on_lost` gets the reason
    why a connection was lost.
    """

    def __init__(
        self,
        conninfo: str,
        on_notify: Callable[[str | None], None],
        on_lost: Callable[[str], None] = lambda reason: log.warning("listen_lost", reason=reason),
    ) -> None:
        self._conninfo = conninfo
        self._on_notify = on_notify
        self._on_lost = on_lost
        self.listening = False

    async def run(self) -> None:
        """Listen until cancelled. A lost connection is made again after a pause."""
        backoff = Backoff(_FIRST_PAUSE)
        while True:
            try:
                await self._listen(backoff)
            except (psycopg.Error, OSError) as error:
                self._on_lost(type(error).__name__)
            finally:
                self.listening = False
            await asyncio.sleep(backoff.next(_LONGEST_PAUSE))

    async def _listen(self, backoff: Backoff) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._conninfo,
            **connection_arguments(self._conninfo, "hookline-listener"),
            autocommit=True,
        )
        try:
            await _ask(connection, f"listen {CHANNEL}")
            self.listening = True
            backoff.reset()
            self._on_notify(None)
            while True:
                async for notification in connection.notifies(timeout=_ASK_AFTER):
                    self._on_notify(notification.payload)
                # Also keeps firewalls and proxies from forgetting a connection that is idle.
                await _ask(connection, "")
        finally:
            await connection.close()


async def _ask(connection: psycopg.AsyncConnection, statement: str) -> None:
    async with asyncio.timeout(_ANSWER_TIMEOUT):
        await connection.execute(statement.encode())
