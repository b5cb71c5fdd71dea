"""What a delivery says, in the words of receive_event and receive_content."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

__all__ = ["Content", "Notice"]


@dataclass(frozen=True, slots=True)
class Notice:
    """An event without content: the arguments of SQL `receive_event`.

    `code` is a word of the database's `event_codes` table, or None where the event is none of our
    business and is only written down as ignored. Every string here is storable as text and jsonb.
    """

    delivery_id: str
    event_type: str
    code: str | None
    job_id: UUID | None = None
    document_id: UUID | None = None
    parse_job_id: str | None = None
    payload: dict[str, Any] = field(default_factory=dict)
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """A document's text, or bytes that only a person can read: the arguments of `receive_content`.

    `content_sha256` (lowercase hex) and `content_bytes` are the sender's claims; SQL compares them
    with the bytes. `details` is the payload of the event: `content_length` is in characters.
    `recognised` is False for a proven body of unknown shape: `content` is then the body as it came.
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
