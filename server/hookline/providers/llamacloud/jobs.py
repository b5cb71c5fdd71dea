"""LlamaCloud's jobs, results and callbacks as our own records, read from the SDK's objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol, TypeAlias, cast

__all__ = ["Callback", "ParseJob", "Result", "Status", "read_id", "read_parse_job"]

# Characters. The id of a delivery is made of this id and a prefix, and has 200 at most.
_LONGEST_ID: Final = 180

Status: TypeAlias = Literal["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]


@dataclass(frozen=True, slots=True)
class ParseJob:
    """A job of the provider. `credits` is None until it was billed, and in listings."""

    id: str
    status: Status
    error_message: str | None
    created_at: datetime | None
    updated_at: datetime | None
    credits: float | None
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a job that is COMPLETED. A page that failed is None."""

    job: ParseJob
    markdown: str = field(repr=False)
    pages: Mapping[int, str | None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Callback:
    """The URL to which the provider reports the end of a job, and the secret that it signs with."""

    url: str
    secret: str = field(repr=False)


class _Described(Protocol):
    """What the four classes of a job in the SDK have in common."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def error_message(self) -> str | None: ...
    @property
    def created_at(self) -> datetime | None: ...
    @property
    def updated_at(self) -> datetime | None: ...
    @property
    def user_metadata(self) -> Mapping[str, str] | None: ...
    @property
    def usage(self) -> Any: ...


def read_parse_job(job: _Described) -> ParseJob:
    """The job as our own record. Raises ValueError, AttributeError or TypeError if it is none."""
    return ParseJob(
        id=read_id(job.id),
        status=cast(Status, str(job.status)),
        error_message=job.error_message,
        created_at=_moment(job.created_at),
        updated_at=_moment(job.updated_at),
        credits=None if job.usage is None else job.usage.credits,
        metadata=dict(job.user_metadata or {}),
    )


def _moment(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def read_id(value: object) -> str:
    """An id of a job or a file. Raises ValueError if it is not a text of usable length."""
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_ID:
        raise ValueError("no id")
    return value
