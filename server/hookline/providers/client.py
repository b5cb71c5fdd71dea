"""What a provider is to the worker: a client of a few coroutines, and the records it speaks in.

The worker does the rest for every provider: it reserves credits, looks before it pays twice, asks
past deadlines, polls, stores results and settles bills.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Final, Literal, TypeAlias

from hookline.providers.errors import NotOffered
from hookline.providers.options import NO_OPTIONS, NoOptions, Options

__all__ = [
    "LONGEST_ID",
    "Artifact",
    "Document",
    "ParseJob",
    "ProviderClient",
    "Result",
    "Status",
    "Submission",
    "read_id",
]

LONGEST_ID: Final = 180
"""Characters. The id of a delivery is made of this id and a prefix, and has 200 at most."""

Status: TypeAlias = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Document:
    """The raw file of a job."""

    filename: str
    mime: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Submission:
    """What `submit` sends: the handle that `prepare` returned, for one attempt of one job.

    Give `job_id` and `attempt` to the provider as metadata if it can show them in `find` or in its
    callback: a submission whose answer was lost is found by them. `options` are those of the job,
    which the worker has checked.
    """

    handle: str
    document: Document
    job_id: str
    attempt: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ParseJob:
    """A job at the provider. Times have a time zone; None means not known.

    `said` is the provider's own word for the status. `reason`, `code` and `permanent` are about a
    job that has failed: a sentence, a code of one word, and whether every other attempt would fail
    as well. `billed` is None until the provider says what the job cost. `job_id` and `attempt` are
    those of the Submission, where the provider shows them.
    """

    id: str
    status: Status
    said: str
    reason: str | None = None
    code: str = "parse_failed"
    permanent: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None
    billed: Decimal | None = None
    job_id: str | None = None
    attempt: str | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a job has beside its markdown. `kind` is a word, such as text or json.

    `read` gets the bytes; it may be called again if it raises ProviderError. `name` tells several
    of a kind apart, in the provider's own words. `extension` is that of a file: 1 to 5 lower-case
    letters or digits.
    """

    kind: str
    extension: str
    read: Callable[[], Awaitable[bytes]] = field(repr=False)
    name: str = ""

    @classmethod
    def held(cls, kind: str, extension: str, content: bytes, name: str = "") -> Artifact:
        """An artifact whose bytes came with the answer."""

        async def read() -> bytes:
            return content

        return cls(kind, extension, read, name)


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a job that is done. `pages` is how many there are, None if it is not known.

    `cut` and `failed` are the numbers of pages whose text the provider has cut, or could not read.
    `incomplete` is a reason why the text may lack something. `details` are kept in the event of the
    content, such as the version of the parser. `artifacts` are those that came with the result.
    """

    job: ParseJob
    markdown: str = field(repr=False)
    pages: int | None = None
    cut: Sequence[int] = ()
    failed: Sequence[int] = ()
    incomplete: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    artifacts: Sequence[Artifact] = ()


class ProviderClient(ABC):
    """The calls to one provider. Each is sent once: the worker decides what is tried again.

    All errors are ProviderError or a subclass. A client has deadlines of its own for every call.
    """

    name: ClassVar[str]
    """The provider. Its webhooks have a source of the same name."""

    settings: ClassVar[str]
    """The variables that may be wrong when the provider refuses us, for a sentence to operators."""

    event_types: ClassVar[Mapping[Status, str]]
    """What the provider's webhooks call the end of a job: done, failed and cancelled."""

    options: ClassVar[type[Options]] = NoOptions
    """The options that a job may have."""

    remembers: ClassVar[timedelta] = timedelta(hours=48)
    """How long the provider can be asked about a job. Later, its cost is taken as reserved."""

    artifact_kinds: ClassVar[frozenset[str]] = frozenset()
    """What a job can have beside its markdown."""

    @property
    @abstractmethod
    def polled(self) -> bool:
        """Whether the worker asks about each job every few seconds, as no webhook may come."""

    @abstractmethod
    def cost(self, pages: int, options: Mapping[str, object] = NO_OPTIONS) -> Decimal:
        """What a document of so many pages may cost with these options, in the provider's credits.

        The options were checked.
        """

    async def prepare(self, document: Document) -> str:
        """Do all that is free before `submit`: upload, wait for a rate limit. Returns a handle."""
        return ""

    async def discard(self, handle: str) -> None:
        """Delete what `prepare` stored: no job will use it. It is called once, and may fail."""
        raise NotOffered("The provider has no way to delete a file.")

    @abstractmethod
    async def submit(self, submission: Submission) -> ParseJob:
        """Start to parse. After Unanswered with `sent`, the job may exist and cost credits."""

    @abstractmethod
    async def ask(self, parse_job_id: str) -> ParseJob:
        """The job as it is now. Raises UnknownParseJob."""

    @abstractmethod
    async def fetch(self, parse_job_id: str) -> Result:
        """The result. Raises NotReady, also for a job without a result; UnknownParseJob."""

    async def artifacts(self, parse_job_id: str, kinds: Collection[str]) -> Sequence[Artifact]:
        """The artifacts of these kinds of a job that is done and that `fetch` did not bring.

        A kind of which the job has none is left out. Raises NotReady, UnknownParseJob.
        """
        return ()

    async def ask_many(self, parse_job_ids: Sequence[str]) -> Mapping[str, ParseJob]:
        """Those of the jobs that one request can tell of. The worker asks about the others."""
        return {}

    async def find(self, since: datetime) -> Sequence[ParseJob]:
        """All jobs submitted since then that the provider can list, the oldest first."""
        return ()

    async def cancel(self, parse_job_id: str) -> None:
        """Stop a job. Raises Refused if it has ended or cannot be stopped, UnknownParseJob."""
        raise NotOffered("The provider has no way to cancel a job.")

    async def delete(self, parse_job_id: str) -> None:
        """Delete the job, its file and its result at the provider. Raises UnknownParseJob.

        If it raises Refused, perhaps because the job runs, the worker cancels it and tries again.
        """
        raise NotOffered("The provider has no way to delete a job.")


def read_id(value: object) -> str:
    """An id of a provider. Raises ValueError if it is not a text of usable length."""
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_ID:
        raise ValueError("no id")
    return value
