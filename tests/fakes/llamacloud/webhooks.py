"""The provider's webhooks: composed, signed and sent, with three attempts at most."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import aiohttp

from fakes.llamacloud.documents import Document
from fakes.llamacloud.faults import FaultDraws

ATTEMPTS: Final = 3
USER_AGENT: Final = "llamaindex-webhook-service/1.0"

# The first pause between attempts. The documentation says only "exponential".
_FIRST_PAUSE_SECONDS: Final = 2.0

_FOREIGN_TYPES: Final = ("parse.success", "parse.error", "extract.success", "unmapped_event")


class _Event(NamedTuple):
    type: str
    at: float
    """When it happened, in seconds since 1970. It may be sent later."""


_Channel = tuple[str, str]
"""A parse job and the number of one of its hooks."""

Spawn = Callable[[Coroutine[Any, Any, None]], object]
Pause = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Hook:
    """One entry of `webhook_configurations`."""

    url: str
    events: tuple[str, ...] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    output_format: str = "string"
    secret: str | None = field(default=None, repr=False)

    def wants(self, event_type: str) -> bool:
        return self.events is None or event_type in self.events


@dataclass(frozen=True, slots=True)
class Message:
    """One POST: its headers and body, and the ids that identify it."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    event_id: str
    event_type: str
    parse_job_id: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST that was made. The outcome is the HTTP status, or the name of the error."""

    url: str
    event_id: str
    event_type: str
    parse_job_id: str
    attempt: int
    outcome: int | str


def compose(hook: Hook, event: Mapping[str, Any]) -> Message:
    """The documented notification. Vendor: LlamaCloud docs, "Webhooks"; SDK, WebhookConfiguration.

    Signed if the hook has a secret: HMAC-SHA256 over the body as sent, keyed by the secret's text.
    """
    text = json.dumps(event)
    body = (json.dumps(text) if hook.output_format == "string" else text).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-Webhook-Event-ID": event["event_id"],
        "X-Webhook-Event-Type": event["event_type"],
        **hook.headers,
    }
    if hook.secret is not None:
        headers["LC-Signature"] = f"sha256={sign(hook.secret, body)}"
    return Message(
        hook.url, headers, body, event["event_id"], event["event_type"], event["data"]["id"]
    )


def sign(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def compose_push(url: str, parse_job_id: str, document: Document, *, field_shape: bool) -> Message:
    """The whole result for a v1 `webhook_url`: no signature, no job id, one of two shapes.

    Vendor: LlamaParse v1 docs, "Webhook". Users have reported the other shape.
    """
    pages = list(enumerate((page or "" for page in document.pages), start=1))
    result: dict[str, Any]
    if field_shape:
        result = {
            "status": "OK",
            "result": [
                {"page": n, "md": md, "txt": md, "parsed_content": md, "json": [], "status": "OK"}
                for n, md in pages
            ],
        }
    else:
        result = {
            "txt": document.markdown,
            "md": document.markdown,
            "json": [{"page": n, "text": md, "md": md, "images": []} for n, md in pages],
            "images": [],
        }
    headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
    return Message(url, headers, json.dumps(result).encode(), "", "result_push", parse_job_id)


class Webhooks:
    """Sends the events of the jobs, with the faults that occur.

    The first attempts of a job's events are sent in order. Repetitions may come at any time.
    """

    def __init__(
        self,
        draws: FaultDraws,
        http: aiohttp.ClientSession,
        spawn: Spawn,
        pause: Pause,
        timeout: float,
    ) -> None:
        self.deliveries: list[Delivery] = []
        self._draws = draws
        self._http = http
        self._spawn = spawn
        self._pause = pause
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        # A lock is fair: who asks first sends first.
        self._turns: defaultdict[_Channel, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._held: defaultdict[_Channel, list[_Event]] = defaultdict(list)

    def report(
        self, hooks: Sequence[Hook], parse_job_id: str, event_type: str, *, last: bool
    ) -> None:
        """Report an event of a job to all hooks that want it. Returns before it is sent."""
        event = _Event(event_type, time.time())
        for number, hook in enumerate(hooks):
            self._spawn(self._in_order((parse_job_id, str(number)), hook, event, last))

    def push(self, url: str, parse_job_id: str, document: Document) -> None:
        """Send a whole result. Returns before it is sent."""
        what = (parse_job_id, "result_push")
        field_shape = self._draws.occurs("push_field_shape", *what)
        message = compose_push(url, parse_job_id, document, field_shape=field_shape)
        self._spawn(self._send(lambda _: message, *what))

    async def _in_order(self, channel: _Channel, hook: Hook, event: _Event, last: bool) -> None:
        async with self._turns[channel]:
            held = self._held[channel]
            if hook.wants(event.type):
                # The last event has none to come after.
                if not last and self._draws.occurs("webhook_reordered", *channel, event.type):
                    held.append(event)
                    return
                await self._notify(channel, hook, event)
            elif not last:
                return
            while held:
                await self._notify(channel, hook, held.pop())

    async def _notify(self, channel: _Channel, hook: Hook, event: _Event) -> None:
        what = (*channel, event.type)
        occurs = self._draws.occurs
        if occurs("webhook_foreign", *what):
            await self._attempt(self._foreign(hook, event.at, *what), 1)
        if occurs("webhook_forged", *what):
            await self._attempt(self._forged(hook, event.at, *what), 1)

        data = {"id": channel[0], "job_id": channel[0]}
        if occurs("webhook_only_data_id", *what):
            del data["job_id"]
        name = event.type
        if occurs("webhook_uppercase", *what):
            name = event.type.upper().replace(".", "_")
        if occurs("webhook_format_flipped", *what):
            hook = replace(
                hook, output_format="json" if hook.output_format == "string" else "string"
            )
        await self._send(
            lambda issue: compose(hook, self._body(name, event.at, data, *what, issue)), *what
        )

    async def _send(self, make: Callable[[str], Message], *what: str) -> None:
        if self._draws.occurs("webhook_dropped", *what):
            return
        if self._draws.occurs("webhook_late", *what):
            self._spawn(self._later(make, *what))
        else:
            await self._deliver(make, *what)

    async def _later(self, make: Callable[[str], Message], *what: str) -> None:
        await self._pause(self._draws.faults.late_seconds)
        await self._deliver(make, *what)

    async def _deliver(self, make: Callable[[str], Message], *what: str) -> None:
        message = make("original")

        def again(issue: str) -> Message:
            reissued = self._draws.occurs("webhook_reissued", *what, issue)
            return make(issue) if reissued else message

        if not await self._attempt(message, 1):
            self._spawn(self._retry(again))
        if self._draws.occurs("webhook_duplicated", *what):
            await self._attempt(again("duplicate"), 1)

    async def _retry(self, again: Callable[[str], Message]) -> None:
        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(2, ATTEMPTS + 1):
            await self._pause(pause)
            if await self._attempt(again(f"attempt {attempt}"), attempt):
                return
            pause *= 2

    async def _attempt(self, message: Message, attempt: int) -> bool:
        """One POST. Without a 2xx in time it failed, whatever the reason."""
        outcome: int | str
        try:
            async with self._http.post(
                message.url,
                data=message.body,
                headers=message.headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                outcome = response.status
        except TimeoutError:
            outcome = "timeout"
        except aiohttp.ClientError as error:
            outcome = type(error).__name__
        self.deliveries.append(
            Delivery(
                message.url,
                message.event_id,
                message.event_type,
                message.parse_job_id,
                attempt,
                outcome,
            )
        )
        return isinstance(outcome, int) and 200 <= outcome < 300

    def _body(
        self, event_type: str, at: float, data: Mapping[str, str], *what: str
    ) -> dict[str, Any]:
        return {
            "event_id": self._draws.uuid("event", *what),
            "event_type": event_type,
            "timestamp": at,
            "data": data,
        }

    def _foreign(self, hook: Hook, at: float, *what: str) -> Message:
        event_type = self._draws.rng("foreign", *what).choice(_FOREIGN_TYPES)
        theirs = self._draws.uuid("foreign job", *what)
        data = {"id": theirs, "job_id": theirs}
        return compose(hook, self._body(event_type, at, data, *what, "foreign"))

    def _forged(self, hook: Hook, at: float, *what: str) -> Message:
        data = {"id": what[0], "job_id": what[0]}
        body = self._body("parse.error", at, data, *what, "forged")
        return compose(replace(hook, secret="not the secret"), body)
