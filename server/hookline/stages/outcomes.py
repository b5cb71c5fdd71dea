"""What can come of a handler's work: two results to return, three exceptions to raise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["Advance", "Deferred", "Failed", "HandedOver", "Paused"]


@dataclass(frozen=True, slots=True)
class Advance:
    """The step that was done: a code of event_codes, and what its event keeps beside it."""

    code: str
    payload: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The job now belongs to somebody else, and so does the end of its lease.

    Return it when the handler itself has ended the lease, for example by record_submission or
    finish_content, or when another process has, for example the receiver that took the job's
    webhook. The worker then calls no function of the engine for this job. If nobody ends the lease,
    it expires, and the job is claimed again.
    """


class Failed(Exception):
    """The try failed: it is counted, and the job comes again after a pause (fail_job).

    `permanent`: no try can help. `start_over`: another attempt from the start. `text` is kept and
    logged: nothing of the document belongs into it.
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
    """Not now, and nobody failed: no try is counted (defer_job).

    The job comes again at `until`, which has a time zone, else after a pause that doubles.
    """

    def __init__(self, code: str, text: str, until: datetime | None = None) -> None:
        super().__init__(f"{code}: {text}")
        if until is not None and until.tzinfo is None:
            raise ValueError("until has a time zone")
        self.code = code
        self.text = text
        self.until = until


class Paused(Deferred):
    """Deferred, and what stops this job would stop all of its status (pause_stage): nobody claims

    one of them before `until`. `reason` is for whoever looks at the stage; default: `text`.
    """

    def __init__(self, code: str, text: str, until: datetime, reason: str | None = None) -> None:
        super().__init__(code, text, until)
        self.pause_until = until
        self.reason = reason or text
