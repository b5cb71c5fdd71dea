"""Source `docling`: the callbacks of docling-serve, which signs nothing.

It returns a header that we give it with each task: a token that proves one attempt of one job. The
body is not proven: its task counts only for the job that it was submitted for, and a report only
makes a worker ask docling-serve itself.
Vendor: docling-serve docs, "Callbacks"; docling.datamodel.service.callbacks (docling-slim 2.143).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from hookline.postgres.deliveries import Notice
from hookline.sources import job_tokens
from hookline.sources.body import sha256_of
from hookline.sources.refusals import Malformed, NotProven, Reason
from hookline.sources.signatures import NO_SIGNATURE, one_header
from hookline.sources.signed_json import NO_REASON
from hookline.sources.strict_json import as_object, as_text, pointed, read, short_text

__all__ = ["DoclingSource", "authorization_of"]

_BODY_LIMIT: Final = 2**18
_DOMAIN: Final = b"hookline docling token 1\0"
_BEARER: Final = re.compile(r"Bearer ([0-9a-f-]{36})\.([!-~]{1,100})", re.IGNORECASE)
_MALFORMED: Final = Reason(
    "malformed_token", "The header Authorization is not Bearer and a token of a job."
)
_ENDS: Final = {"success": "parse_ready", "failure": "parse_ended"}


def authorization_of(secret: bytes, job_id: UUID, attempt: int) -> str:
    """The header Authorization that proves callbacks about one attempt of a job."""
    return f"Bearer {job_id}.{job_tokens.mint_token(secret, job_id, attempt, domain=_DOMAIN)}"


class DoclingSource:
    """Callbacks of docling-serve, proven by the header Authorization."""

    name: Final = "docling"
    route: Final = "/webhooks/docling"
    body_limit: Final = _BODY_LIMIT

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self.keys = secrets

    def check_path(self, path: Mapping[str, str]) -> None:
        """Accept every path: only the header is a proof."""

    def read(
        self,
        headers: Mapping[str, str],
        body: bytes | bytearray,
        now: float,
        path: Mapping[str, str],
    ) -> Notice:
        """What a callback says about its task. Raises NotProven, Malformed.

        Only the end of the task concerns us. Progress before it is ignored.
        """
        self._verify(headers)
        event = as_object(read(body))
        kind, task_id = short_text(event, "/progress/kind"), short_text(event, "/task_id")
        if kind is None or task_id is None:
            raise Malformed("task_id or progress.kind is not a text of 1 to 200 characters.")
        delivery_id = sha256_of(body)
        if kind != "task_completed":
            return Notice(delivery_id, kind, code=None)
        status = short_text(event, "/progress/task_status") or ""
        code = _ENDS.get(status)
        if code is None:
            raise Malformed("progress.task_status is neither success nor failure.")
        payload: dict[str, Any] = {"parse_job_id": task_id}
        if code == "parse_ended":
            reason = pointed(event, "/progress/failure/message")
            payload["error"] = as_text(reason) or NO_REASON
        # Without the job of the token: a task that nobody has recorded is not linked to that job.
        return Notice(delivery_id, status, code, parse_job_id=task_id, payload=payload)

    def sign(
        self,
        body: bytes,
        secret: bytes,
        *,
        message_id: str,
        now: float,
        job_id: UUID,
        attempt: int,
    ) -> dict[str, str]:
        """The header of a callback about this attempt of this job."""
        return {"Authorization": authorization_of(secret, job_id, attempt)}

    def _verify(self, headers: Mapping[str, str]) -> None:
        given = one_header(headers, "authorization")
        if given is None:
            raise NotProven(NO_SIGNATURE)
        found = _BEARER.fullmatch(given)
        try:
            job_id = UUID(found[1]) if found else None
        except ValueError:
            job_id = None
        if found is None or job_id is None:
            raise NotProven(_MALFORMED)
        job_tokens.verify_token(found[2], job_id, self.keys, domain=_DOMAIN, malformed=_MALFORMED)
