"""The ledger: a sender that repeats each delivery until it is acknowledged, and notes which are.

At the end `compare` asks the database and the storage for every acknowledged delivery.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from uuid import UUID

import aiohttp

SECRET: Final = "ledger-secret-0123456789"

# Seconds between two tries of one delivery: at first, and at most.
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 8.0


@dataclass(frozen=True)
class Delivery:
    """The webhook of one job: its text, or the report that it cannot be parsed."""

    job_id: UUID
    document_id: UUID
    parse_job_id: str
    text: str | None

    @property
    def statuses(self) -> frozenset[str]:
        """The job may have one of these statuses once the delivery is applied."""
        return frozenset({"failed_parse"} if self.text is None else {"parsed", "complete"})

    @property
    def final_status(self) -> str:
        """The last status of the job with a worker."""
        return "failed_parse" if self.text is None else "complete"

    def body(self) -> bytes:
        envelope: dict[str, object] = {
            "job_id": str(self.job_id),
            "document_id": str(self.document_id),
            "parse_job_id": self.parse_job_id,
        }
        if self.text is None:
            envelope |= {"status": "failed", "meta": {"error": "PDF_IS_BROKEN"}}
        else:
            content = self.text.encode()
            envelope |= {
                "status": "parsed",
                "artifacts": [
                    {
                        "type": "markdown",
                        "content": self.text,
                        "sha256": hashlib.sha256(content).hexdigest(),
                        "bytes": len(content),
                    }
                ],
            }
        return json.dumps(envelope).encode()


def signed(body: bytes) -> dict[str, str]:
    """The headers of a body that the receiver can prove."""
    mac = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Webhook-Signature": mac}


class Ledger:
    """Sends `per_second` deliveries; what is not answered 2xx is sent again until it is.

    When all are sent, the first one is repeated, so that there is always a next answer. After
    an answer in `last_answers` this sender does not repeat a delivery either.
    """

    def __init__(
        self,
        url: str,
        deliveries: Sequence[Delivery],
        per_second: float,
        last_answers: Collection[str] = (),
    ) -> None:
        self.deliveries = deliveries
        self.sent: list[Delivery] = []
        self.acknowledged: dict[UUID, int] = {}
        """The job of each acknowledged delivery, and the number of tries that it took."""
        self.answers: Counter[str] = Counter()
        """How often each status code or exception was the answer."""
        self._url = f"{url}/webhooks/llamaparse"
        self._interval = 1 / per_second
        self._last_answers = {"200", *last_answers}
        self._times: list[tuple[float, float]] = []
        """When each acknowledged request was sent, and when it was answered."""
        self._no_more = asyncio.Event()
        self._hurry = 0
        self._running: asyncio.Task[None] | None = None

    @property
    def first_tries(self) -> float:
        """The share of acknowledged deliveries that took one try."""
        return sum(tries == 1 for tries in self.acknowledged.values()) / len(self.acknowledged)

    def start(self) -> None:
        self._running = asyncio.create_task(self._run(), name="ledger")

    def burst(self, count: int) -> None:
        """Send so many of the next deliveries at once."""
        self._hurry = count

    async def reach(self, count: int, seconds: float = 30) -> None:
        """Wait until so many more deliveries are acknowledged. Raises TimeoutError."""
        wanted = len(self._times) + count
        async with asyncio.timeout(seconds):
            while len(self._times) < wanted:
                await asyncio.sleep(0.02)

    async def recovery(
        self, since: float, seconds: float, *, of_later_requests: bool = False
    ) -> float | None:
        """Seconds from `since` (time.monotonic) to the next 2xx, or that of a request sent later.

        Waits for it until `seconds` have passed from `since`; None: there was none.
        """
        while True:
            later = [
                answered
                for sent, answered in self._times
                if (sent if of_later_requests else answered) > since
            ]
            if later:
                return min(later) - since
            if time.monotonic() > since + seconds:
                return None
            await asyncio.sleep(0.02)

    def longest_silence(self, begin: float, end: float) -> float:
        """The longest time between two acknowledgements, in seconds."""
        times = (answered for _, answered in self._times)
        marks = [begin, *(moment for moment in times if begin < moment < end), end]
        return max(after - before for before, after in pairwise(marks))

    async def finish(self, seconds: float) -> None:
        """Send no new delivery. Repeat those not acknowledged yet, at most for this long."""
        self._no_more.set()
        assert self._running is not None
        _, waiting = await asyncio.wait([self._running], timeout=seconds)
        if waiting:
            self._running.cancel()
            await asyncio.wait(waiting)
        elif not self._running.cancelled() and (error := self._running.exception()):
            raise error

    async def _run(self) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=30)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as http,
            asyncio.TaskGroup() as sending,
        ):
            waiting = iter(self.deliveries)
            while not self._no_more.is_set():
                delivery = next(waiting, None)
                if delivery is not None:
                    self.sent.append(delivery)
                    sending.create_task(self._deliver(http, delivery))
                else:
                    sending.create_task(self._send(http, self.sent[0].body()))
                self._hurry -= 1
                if self._hurry <= 0:
                    await asyncio.sleep(self._interval)

    async def _deliver(self, http: aiohttp.ClientSession, delivery: Delivery) -> None:
        body, tries, pause = delivery.body(), 1, _FIRST_PAUSE
        while (answer := await self._send(http, body)) not in self._last_answers:
            tries += 1
            await asyncio.sleep(pause * random.uniform(0.7, 1.3))
            pause = min(2 * pause, _LONGEST_PAUSE)
        if answer == "200":
            self.acknowledged[delivery.job_id] = tries

    async def _send(self, http: aiohttp.ClientSession, body: bytes) -> str:
        """Send once; the status code, or the name of an exception."""
        began = time.monotonic()
        try:
            async with http.post(self._url, data=body, headers=signed(body)) as response:
                await response.read()
                answer = str(response.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            answer = type(error).__name__
        self.answers[answer] += 1
        if answer == "200":
            self._times.append((began, time.monotonic()))
        return answer
