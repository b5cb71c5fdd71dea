"""What a delivery says: the arguments of receive_event and receive_content."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

__all__ = ["Content", "Notice"]


@dataclass(frozen=True, slots=True)
class Notice:
    """An event without content: the arguments of SQL `receive_event`.

    `code` is a row of the table `event_codes`, or None if the event does not concern us: then it is
    only recorded, as ignored. `attempt` is for senders that prove it together with `job_id`.
    Postgres can store every string in here as text and jsonb.
    """

    delivery_id: str
    event_type: str
    code: str | None
    job_id: UUID | None = None
    document_id: UUID | None = None
    parse_job_id: str | None = None
    payload: dict[str, Any] = field(default_factory=dict)
    correlation_id: str | None = None
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """The text of a document: the arguments of SQL `receive_content`.

    `content_sha256` (lowercase hex) and `content_bytes` are what the sender says; SQL compares them
    with the bytes. `details` is the payload of the event; its `content_length` is in characters.
    `recognised` is False for a proven body of unknown shape: then `content` is the whole body and a
    person decides.
    """

    delivery_id: str
    event_type: str
    job_id: UUID
    content: bytes = field(repr=False)
    document_id: UUID | None = None
    parse_job_id: str | None = None
    attempt: int | None = None
    content_sha256: str | None = None
    content_bytes: int | None = None
    details: dict[str, Any] = field(default_factory=dict)
    correlation_id: str | None = None
    recognised: bool = True
