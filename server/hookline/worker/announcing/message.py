"""What the application is sent: a thin, signed message. Specification: Standard Webhooks, 1.0.0."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from typing import Final

from hookline import __version__
from hookline.postgres.records import Notification
from hookline.sources.signatures import sign_standard

__all__ = ["body_of", "headers_of"]

_HEADERS: Final = {
    "Content-Type": "application/json",
    "User-Agent": f"hookline/{__version__}",
}


def body_of(notification: Notification) -> bytes:
    """The JSON body: ids, and the step or the counts of a group. It is the same in every try."""
    data: dict[str, object]
    if notification.group_id is not None:
        data = {
            "group_id": str(notification.group_id),
            "owner_id": str(notification.owner_id),
            **(notification.counts or {}),
        }
    else:
        data = {
            "job_id": str(notification.job_id),
            "document_id": str(notification.document_id),
            "owner_id": str(notification.owner_id),
            "status": notification.status,
            "version": notification.version,
            "code": notification.code,
            "correlation_id": notification.correlation_id,
            "metadata": notification.metadata,
        }
    message = {
        "type": "group.ended" if notification.group_id else f"job.{notification.status}",
        "timestamp": notification.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": data,
    }
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()


def headers_of(
    notification: Notification, body: bytes, keys: Sequence[bytes], now: float
) -> dict[str, str]:
    """The headers of a try at `now`, in Unix seconds. `webhook-id` is the id of the event."""
    signed = sign_standard(body, keys, message_id=str(notification.event_id), now=now)
    return {**_HEADERS, **signed}
