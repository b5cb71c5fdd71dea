"""What the SQL functions return: one typed record for each kind of row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

__all__ = [
    "OUTCOMES",
    "AcceptedDeliveries",
    "ArtifactPlace",
    "ClaimedContent",
    "CreditStatus",
    "Job",
    "JobRequest",
    "Measurement",
    "NewArtifact",
    "Notification",
    "OpenReservation",
    "ProviderRequest",
    "Receipt",
    "Refusals",
    "Reservation",
    "Told",
]

# The values of domain upload_pipeline.outcome.
OUTCOMES = frozenset(
    {"applied", "awaited", "kept", "unrecognised", "duplicate", "stale", "ignored", "parked"}
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Type upload_pipeline.receipt: what a function did, the job as it is now, the event if any."""

    outcome: str
    job_id: UUID | None
    document_id: UUID | None
    status: str | None
    version: int | None
    event_id: UUID | None
    ordinal: int | None
    path: str | None


class JobRequest(TypedDict, total=False):
    """What create_job may be told about a new job, beside its owner and file.

    `options` are for the parser, `metadata` is the application's: JSON objects of at most 16 KB.
    `priority`, 0 to 9, orders the jobs of one owner. No worker claims the job before `not_before`.
    `provider` names a parser; None: the owner's, else the first that the workers have. `group_id`
    is an id of the application that several jobs of one owner share, until close_group.
    """

    correlation_id: str | None
    options: Mapping[str, object]
    metadata: Mapping[str, object]
    priority: int
    not_before: datetime | None
    provider: str | None
    group_id: UUID | None


@dataclass(frozen=True, slots=True)
class Refusals:
    """What count_refusals takes: how many deliveries of a source were refused for one reason."""

    source: str
    reason: str
    count: int
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class AcceptedDeliveries:
    """What count_deliveries takes: how many deliveries of a source had one outcome."""

    source: str
    outcome: str
    count: int


class Measurement(NamedTuple):
    """A row of read_metrics: a metric, its labels, and its value."""

    metric: str
    labels: dict[str, str]
    value: float


class ClaimedContent(NamedTuple):
    """A row of claim_contents. `content` is None if only its writer had the bytes."""

    job_id: UUID
    ordinal: int
    path: str
    content: bytes | None
    content_sha256: str
    tries: int


@dataclass(frozen=True, slots=True)
class NewArtifact:
    """What receive_artifacts takes. `name` tells several of a kind apart, and becomes no path."""

    kind: str
    name: str
    sha256: str
    bytes: int
    extension: str


class ArtifactPlace(NamedTuple):
    """A row that receive_artifacts returns. `stored`: its object is there, with these bytes."""

    kind: str
    name: str
    path: str
    stored: bool


@dataclass(frozen=True, slots=True)
class Notification:
    """A row of claim_notifications: what to tell the application, and the lease for it.

    It is about a step of a job; or about the end of a group: then it has `group_id` and `counts`,
    and nothing of a job.
    """

    event_id: UUID
    lease_token: UUID = field(repr=False)
    tries: int
    job_id: UUID | None
    document_id: UUID | None
    owner_id: UUID
    version: int | None
    status: str | None
    code: str | None
    occurred_at: datetime
    correlation_id: str | None
    metadata: dict[str, object] | None = field(repr=False)
    group_id: UUID | None = None
    counts: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """How the try of a claimed notification ended. `error` is None if the application took it.

    The next try is not before `pause` is over. After a `permanent` failure there is none.
    `endpoint_fails`: it fails for every message, not only for this one.
    """

    event_id: UUID
    lease_token: UUID = field(repr=False)
    error: str | None = None
    pause: timedelta | None = None
    permanent: bool = False
    endpoint_fails: bool = False


class Reservation(NamedTuple):
    """What reserve_credits returns. `duplicate`: an earlier try reserved, at `reserved_at`."""

    outcome: str
    attempt: int
    reserved: Decimal
    reserved_at: datetime


class OpenReservation(NamedTuple):
    """A row of claim_reservations. `paid_job_ids`: an earlier reservation has paid for these."""

    job_id: UUID
    attempt: int
    provider: str
    reserved: Decimal
    reserved_at: datetime
    parse_job_ids: tuple[str, ...]
    paid_job_ids: tuple[str, ...]


class ProviderRequest(NamedTuple):
    """A row of claim_provider_requests. `kind`: cancel or delete."""

    parse_job_id: str
    kind: str
    tries: int


class CreditStatus(NamedTuple):
    """A row of credit_status. `scope`: all owners together, one owner, or each owner."""

    provider: str
    scope: str
    owner_id: UUID | None
    period: str
    credits: Decimal
    used: Decimal
    remaining: Decimal
    starts_at: datetime
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job: a row of claim_jobs and the status that was claimed. Sizes are in bytes."""

    status: str
    job_id: UUID
    document_id: UUID
    owner_id: UUID
    filename: str
    mime: str
    bytes_len: int
    file_sha256: str
    raw_path: str
    version: int
    attempt: int
    max_attempts: int
    correlation_id: str
    provider: str | None
    options: dict[str, Any]
    metadata: dict[str, Any]
    parsed_path: str | None
    parsed_sha256: str | None
    parsed_bytes: int | None
    parse_job_ids: tuple[str, ...]
    lease_token: UUID = field(repr=False)
    leased_until: datetime
