"""Arguments for the functions that the tests call, with the same defaults in every test."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

Row = dict[str, Any]


def sha(data: bytes | str) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def new_job(file: str, owner: int = 1) -> Row:
    """The arguments of create_job."""
    return {
        "owner_id": UUID(int=owner),
        "filename": f"{file}.pdf",
        "mime": "application/pdf",
        **upload(file),
        "raw_path": f"storage://raw/{owner}/{file}.pdf",
    }


def upload(file: str) -> Row:
    """The arguments of confirm_upload, without the job's id."""
    return {"bytes_len": len(file), "file_sha256": sha(file)}


def event_delivery(delivery_id: str, code: str, **arguments: Any) -> Row:
    """The arguments of receive_event."""
    return {
        "source": "llamaparse",
        "delivery_id": delivery_id,
        "body_sha256": sha(delivery_id),
        "event_type": code,
        "code": code,
        **arguments,
    }


def content_delivery(delivery_id: str, job_id: UUID, content: bytes, **arguments: Any) -> Row:
    """The arguments of receive_content."""
    return {
        "source": "llamaparse",
        "delivery_id": delivery_id,
        "body_sha256": sha(delivery_id),
        "event_type": "parsed",
        "job_id": job_id,
        "content": content,
        **arguments,
    }


def awaited_delivery(delivery_id: str, job_id: UUID, content: bytes, **arguments: Any) -> Row:
    """The arguments of receive_content for a caller who stores the content itself."""
    return {
        **content_delivery(delivery_id, job_id, content, **arguments),
        "content": None,
        "content_sha256": sha(content),
        "content_bytes": len(content),
    }


ERROR = Jsonb({"code": "boom", "error": "It broke."})


def claim(status: str = "uploaded", **arguments: Any) -> Row:
    """The arguments of claim_jobs."""
    return {"status": status, "worker": "w", "batch": 10, "lease": "60 s", **arguments}


def under_lease(job_id: UUID, token: UUID, **arguments: Any) -> Row:
    """The arguments of a call that needs a lease."""
    return {"job_id": job_id, "lease_token": token, **arguments}


def cap(most: int | None) -> Row:
    """The arguments of set_credit_cap: a monthly cap for all owners together."""
    return {"owner_id": None, "period": "month", "credits": most}
