"""How a handler ends: it returns a code, Advance or HandedOver, or it raises one of three errors.

returns a code, Advance   the step is done, and the job moves where the code leads
returns HandedOver        somebody else has the job now; the worker does nothing more
raises Failed             one failed try; after the last try the job is a dead letter
raises Deferred           the job comes again later; no try is counted
raises Paused             as Deferred, and no job of the status is claimed until then
raises anything else      as Failed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hookline.timing import now

__all__ = ["Advance", "Deferred", "Failed", "HandedOver", "Paused"]


@dataclass(frozen=True, slots=True)
class Advance:
    """The step is done. `code` is one of event_codes; the event of the step keeps `payload`."""

    code: str
    payload: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Somebody else has the job now, and ends its lease.

    Return it when the handler itself has ended the lease, for example by record_submission or
    finish_content. Return it as well when another process has, for example the receiver that took
    the job's webhook. The worker then calls no function of the engine for this job. If nobody ends
    the lease, it expires, and the job is claimed again.
    """


class Failed(Exception):
    """The try has failed. It is counted, and the job comes again after a pause (fail_job).

    With `permanent` the job fails at once, since no other try can help. With `start_over` the job
    goes back to its first status, for another attempt at the provider. `text` is stored and logged,
    so it must not quote the document.
    """

    def __init__(
        self, code: str, text: str, permanent: bool = False, start_over: bool = False
    ) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.permanent = permanent
        self.start_over = start_over


class Deferred(Exception):
    """The work cannot be done now, and nobody is at fault. No try is counted (defer_job).

    `until` is a pause, or a time by the clock of this machine, which must have a time zone. Without
    it, the job comes again after a pause that doubles each time. Only `pause` is sent to Postgres,
    which counts it by its own clock. So it does no harm if the clock of this machine is wrong.
    """

    def __init__(self, code: str, text: str, until: datetime | timedelta | None = None) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.pause = None if until is None else _pause_of(until)


class Paused(Deferred):
    """The job is deferred, and its whole stage is paused until `until` (pause_stage).

    Raise it when every other job of the status would meet the same obstacle. `reason` is shown to
    operators beside the stage; without it they see `text`. In the stage of a parser, only the jobs
    of its provider are paused.
    """

    provider: str | None = None

    def __init__(
        self, code: str, text: str, until: datetime | timedelta, reason: str | None = None
    ) -> None:
        super().__init__(code, text, until)
        self.pause: timedelta = _pause_of(until)
        self.reason = reason or text


def _pause_of(until: datetime | timedelta) -> timedelta:
    if isinstance(until, datetime):
        if until.tzinfo is None:
            raise ValueError("until needs a time zone")
        until -= now()
    return max(until, timedelta())
