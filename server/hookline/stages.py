"""What a stage is: a coroutine that does the work of one status, and how it says what came of it.

    from hookline import Job, Tools, stage

    @stage("parsed")
    async def index(job: Job, tools: Tools) -> str:
        text = await tools.markdown(job)
        ...
        return "job_completed"

A handler runs on the event loop, under a lease that is prolonged while it runs. What blocks goes to
`asyncio.to_thread`: a loop that stands still prolongs nothing. It may run again for the same job
after a crash, so what it does elsewhere has to bear repetition.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hookline.postgres.engine import Engine
from hookline.postgres.records import Job
from hookline.settings import ConfigurationError, Settings
from hookline.storage.objects import MissingObject, Storage, StorageError

__all__ = [
    "Advance",
    "Deferred",
    "Failed",
    "HandedOver",
    "Handler",
    "Job",
    "Paused",
    "PeriodicTask",
    "Stage",
    "Tools",
    "registered",
    "stage",
]


@dataclass(frozen=True, slots=True)
class Tools:
    """What a handler works with, beside its job."""

    engine: Engine
    storage: Storage
    settings: Settings
    _hand_over: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def expect_hand_over(self) -> None:
        """Say that from now on another process may end the lease because it takes over the job.

        Call it before, for example, sending the job's webhook to the receiver, and return
        HandedOver when it was taken. After this call the worker no longer cancels the handler when
        a heartbeat finds that the lease has ended.
        """
        self._hand_over.set()

    @property
    def hand_over_expected(self) -> bool:
        """Whether the handler has called expect_hand_over."""
        return self._hand_over.is_set()

    async def raw(self, job: Job) -> bytes:
        """The raw file of the job, which is what its sha256 says.

        Raises Failed where it is missing or damaged, Deferred where storage is away: a handler lets
        both pass.
        """
        try:
            content = await self.storage.read(job.raw_path)
        except MissingObject as error:
            raise Failed("raw_file_missing", f"It is not there: {job.raw_path}.") from error
        except StorageError as error:
            raise Deferred("storage_unavailable", f"The storage failed: {error}.") from error
        found = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
        if len(content) != job.bytes_len or found != job.file_sha256:
            raise Failed(
                "raw_file_damaged",
                f"{len(content)} bytes of sha256 {found} are stored; "
                f"{job.bytes_len} of {job.file_sha256} were confirmed.",
                permanent=True,
            )
        return content

    async def markdown(self, job: Job) -> str:
        """The parsed content of the job, which is what its sha256 says.

        Raises Failed where it is missing, damaged or no text, Deferred where storage is away: a
        handler lets both pass.
        """
        if job.parsed_path is None:
            raise Failed("content_missing", f"A job that is {job.status} has no content yet.")
        try:
            content = await self.storage.read(job.parsed_path)
        except MissingObject as error:
            raise Failed(
                "content_missing", f"Its object is not there: {job.parsed_path}."
            ) from error
        except StorageError as error:
            raise Deferred("storage_unavailable", f"The storage failed: {error}.") from error
        if hashlib.sha256(content).hexdigest() != job.parsed_sha256:
            raise Failed("content_damaged", f"It is not what its sha256 says: {job.parsed_path}.")
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            # Not `from error`: that one holds the content.
            position = error.start
        raise Failed("content_not_text", f"Byte {position} is no UTF-8: {job.parsed_path}.")


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


# A str is the code of an Advance without a payload.
Handler = Callable[[Job, Tools], Awaitable[Advance | HandedOver | str]]


@dataclass(frozen=True, slots=True)
class Stage:
    """A handler and the status whose jobs it works on. Times are seconds.

    `lease_seconds` None is HOOKLINE_LEASE; `timeout` None lets the handler run for as long as it
    likes. Made by hand (as the built-in ones are) it is in no registry.
    """

    status: str
    handler: Handler
    concurrency: int = 4
    lease_seconds: float | None = None
    timeout: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.concurrency <= 1000:
            raise self._wrong("concurrency", self.concurrency, "1 to 1000")
        if self.lease_seconds is not None and not 1 <= self.lease_seconds <= 86400:
            raise self._wrong("lease_seconds", self.lease_seconds, "1 to 86400")
        if self.timeout is not None and not self.timeout > 0:
            raise self._wrong("timeout", self.timeout, "more than 0")

    def _wrong(self, option: str, value: float, right: str) -> ConfigurationError:
        return ConfigurationError(
            f"The stage {self.status} has {option} {value:g}: right is {right}."
        )


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """A coroutine and how many seconds lie between two runs, give or take a quarter.

    Every worker runs it, so it has to bear company: claims that skip what others hold.
    """

    name: str
    run: Callable[[Tools], Awaitable[object]]
    every: float


_registry: dict[str, Stage] = {}


def stage(
    status: str,
    *,
    concurrency: int = 4,
    lease_seconds: float | None = None,
    timeout: float | None = None,
) -> Callable[[Handler], Handler]:
    """Register a coroutine as the handler of a status; see Stage for the options.

    Raises ConfigurationError where the status has another handler.
    """

    def register(handler: Handler) -> Handler:
        if other := _registry.get(status):
            raise ConfigurationError(
                f"Two handlers for the status {status}: "
                f"{_name(other.handler)} and {_name(handler)}."
            )
        _registry[status] = Stage(status, handler, concurrency, lease_seconds, timeout)
        return handler

    return register


def registered() -> tuple[Stage, ...]:
    """What `stage` has registered in this process, in the order of registration."""
    return tuple(_registry.values())


def _name(handler: Handler) -> str:
    module = getattr(handler, "__module__", "?")
    return f"{module}.{getattr(handler, '__qualname__', type(handler).__name__)}"
