"""The announcer: claims notifications, tells the application, and says how it went.

It has tasks and connections of its own, so that an endpoint that is slow or away delays no job.
While the endpoint fails, one notification at a time finds out whether it works again: so the others
do not use up their tries, and it is not flooded when it comes back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Final

import structlog

from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError, Unavailable
from hookline.postgres.records import Notification, Told
from hookline.process.gathering import Gathering
from hookline.process.tasks import cancel_and_wait
from hookline.settings import Settings
from hookline.timing import Backoff, wait_until_set
from hookline.worker.announcing.endpoint import Endpoint, open_endpoint
from hookline.worker.metrics import WorkerMetrics
from hookline.worker.poll_intervals import (
    POLL_MAX_WITH_LISTEN,
    POLL_MAX_WITHOUT_LISTEN,
    POLL_MIN,
    REFUSED_PAUSE,
)

__all__ = ["NEEDED", "Announcer"]

log = structlog.get_logger("hookline.worker")

NEEDED: Final = ("start_announcing", "claim_notifications", "finish_notifications")
"""The functions that it calls."""

# Requests under way at the same time, and notifications claimed: the next ones wait here already.
AT_ONCE = 16
CLAIMED = 64
# So many refusals without a success between them are no longer about single messages: perhaps the
# application has another secret.
REFUSED_IN_A_ROW = 16
# Seconds between two claims that find little, however many hints arrive.
WAKE_MIN = 0.02
# Pauses while the endpoint fails, in seconds. They stay short while it answers: what it refuses may
# be before what it would take.
PAUSE_MIN = 0.5
PAUSE_MAX = 30.0
PAUSE_MAX_REFUSED = 1.0
# How much longer a lease is than a try, in seconds: for the wait before it and the statement after.
LEASE_MARGIN = 45.0
# What retry_notifications and close_group notify.
_HINT = "notifications"


class Announcer:
    """Tells the application at HOOKLINE_NOTIFY_URL. When `stopped` is done, it ends at once."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        metrics: WorkerMetrics,
        stopped: asyncio.Future[None],
        is_listening: Callable[[], bool],
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._metrics = metrics
        self._stopped = stopped
        self._is_listening = is_listening
        self._lease = settings.notify_timeout + LEASE_MARGIN
        self._finishes: Gathering[Told, str | None] = Gathering(engine.finish_notifications)
        self._statuses: frozenset[str] = frozenset()
        self._under_way: set[asyncio.Task[None]] = set()
        self._requests = asyncio.Semaphore(AT_ONCE)
        self._alone = asyncio.Lock()
        self._woken = asyncio.Event()
        self._place_freed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._failing = Backoff(PAUSE_MIN, factor=2)
        self._fails = False
        self._refused = 0
        self._resume_at = 0.0

    def wake(self, status: str | None) -> None:
        """Claim at once, if the application is told of this status. None: of any."""
        if status is None or status == _HINT or status in self._statuses:
            self._woken.set()

    def stop(self) -> None:
        """Claim no more. `run` returns when the last try has ended."""
        self._stopping.set()
        self._woken.set()
        self._place_freed.set()

    async def run(self) -> None:
        """Announce until `stop`. While Postgres is away, wait and try again.

        Raises ConfigurationError if the certificates of the environment cannot be used.
        """
        async with open_endpoint(self._settings, at_once=AT_ONCE) as endpoint:
            if endpoint is None:
                return
            try:
                if await self._start(endpoint):
                    await self._announce(endpoint)
                while self._under_way and not self._stopped.done():
                    await asyncio.wait(
                        {*self._under_way, self._stopped}, return_when=asyncio.FIRST_COMPLETED
                    )
            finally:
                # Their leases end by themselves, and another worker sends them again.
                for task in tuple(self._under_way):
                    await cancel_and_wait(task)

    async def _start(self, endpoint: Endpoint) -> bool:
        """Switch announcements on. False: `stop` came first."""
        pause = Backoff(POLL_MIN)
        while not self._stopping.is_set():
            try:
                self._statuses = await self._engine.start_announcing()
            except DatabaseError as error:
                log.warning("announcing_waits", reason=str(error))
                await wait_until_set(self._stopping, pause.next(POLL_MAX_WITH_LISTEN))
            else:
                log.info("announcing", endpoint=endpoint.origin, statuses=sorted(self._statuses))
                return True
        return False

    async def _announce(self, endpoint: Endpoint) -> None:
        poll = Backoff(POLL_MIN)
        while not self._stopping.is_set():
            if (pause := self._resume_at - time.monotonic()) > 0:
                await wait_until_set(self._stopping, pause)
                continue
            free = (1 if self._fails else CLAIMED) - len(self._under_way)
            if free <= 0:
                self._place_freed.clear()
                await self._place_freed.wait()
                continue
            # Before the claim: a hint that arrives during it is not overlooked.
            self._woken.clear()
            started = time.monotonic()
            try:
                claimed = await self._engine.claim_notifications(batch=free, lease=self._lease)
            except Unavailable as error:
                log.warning("announcing_waits", reason=str(error))
                await wait_until_set(self._stopping, poll.next(POLL_MAX_WITH_LISTEN))
                continue
            except DatabaseError as error:
                log.error("announcing_refused", reason=str(error))
                await wait_until_set(self._stopping, REFUSED_PAUSE)
                continue
            for notification in claimed:
                task = asyncio.create_task(
                    self._tell(endpoint, notification, started + self._lease),
                    name=f"notification {notification.event_id}",
                )
                self._under_way.add(task)
                task.add_done_callback(self._on_end)
            if claimed:
                poll.reset()
            if len(claimed) < free:
                await wait_until_set(self._stopping, WAKE_MIN)
                longest = POLL_MAX_WITH_LISTEN if self._is_listening() else POLL_MAX_WITHOUT_LISTEN
                await wait_until_set(self._woken, poll.next(longest))

    async def _tell(self, endpoint: Endpoint, notification: Notification, until: float) -> None:
        """Send a notification, whose lease lasts until then by time.monotonic."""
        told = await self._send(endpoint, notification, until)
        if told is None:
            self._metrics.count_notification("lost")
            return
        state = await self._finish(told, until)
        self._metrics.count_notification(state or "lost")
        if state in ("taken", "dead"):
            # The next one of its job may be due now.
            self._woken.set()
        fields: dict[str, object] = {"event_id": str(notification.event_id)}
        if notification.group_id is not None:
            fields |= {"group_id": str(notification.group_id)}
        else:
            fields |= {
                "job_id": str(notification.job_id),
                "status": notification.status,
                "version": notification.version,
                "correlation_id": notification.correlation_id,
            }
        if state == "dead":
            log.error("notification_dead", error=told.error, **fields)
        elif told.error is not None:
            log.warning("notification_failed", error=told.error, **fields)
        elif state == "taken":
            log.debug("notification_taken", **fields)

    async def _send(
        self, endpoint: Endpoint, notification: Notification, until: float
    ) -> Told | None:
        """Send it once, in its turn. None: it was not sent, and is claimed again later."""
        async with self._requests, self._alone if self._fails else nullcontext():
            if (pause := self._resume_at - time.monotonic()) > 0:
                await wait_until_set(self._stopping, pause)
            started = time.monotonic()
            # Its lease could end before the answer. Then another worker would send it and the next
            # one of the job, and ours would come after that.
            too_late = started + self._settings.notify_timeout > until
            if too_late or (self._fails and self._stopping.is_set()):
                return None
            told = await endpoint.tell(notification)
            self._metrics.observe_notification(time.monotonic() - started)
            self._pace(endpoint, told)
        return told

    def _pace(self, endpoint: Endpoint, told: Told) -> None:
        """Slow down while the endpoint fails; the first answer to a message ends that.

        A refusal of one message is such an answer: the messages of others do not wait for it. An
        endpoint that refuses every message fails, too, until it takes one.
        """
        now = time.monotonic()
        if told.error is None:
            self._refused = 0
        elif not told.endpoint_fails:
            self._refused += 1
        if not told.endpoint_fails and self._refused < REFUSED_IN_A_ROW:
            if self._fails:
                log.info("endpoint_works", endpoint=endpoint.origin)
            self._fails = False
            self._resume_at = 0.0
            self._failing.reset()
        # Those that were under way with one that failed count as one failure.
        elif now >= self._resume_at:
            if not self._fails:
                log.warning("endpoint_fails", endpoint=endpoint.origin, error=told.error)
            self._fails = True
            asked = told.pause.total_seconds() if told.pause else 0.0
            longest = PAUSE_MAX if told.endpoint_fails else PAUSE_MAX_REFUSED
            self._resume_at = now + max(self._failing.next(longest), min(asked, PAUSE_MAX))

    async def _finish(self, told: Told, until: float) -> str | None:
        """Say how the try ended, also after a short outage of Postgres: while the lease lasts."""
        pause = Backoff(POLL_MIN)
        while True:
            try:
                return await self._finishes.send(told)
            except DatabaseError as error:
                log.warning(
                    "notification_unfinished", reason=str(error), event_id=str(told.event_id)
                )
                seconds = pause.next(POLL_MAX_WITH_LISTEN)
                if time.monotonic() + seconds > until:
                    return None
                await asyncio.sleep(seconds)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._place_freed.set()
        if not task.cancelled() and (error := task.exception()):
            # A bug of Hookline. The notification is sent again when its lease has expired.
            log.error("announcement_failed", error=type(error).__name__)
