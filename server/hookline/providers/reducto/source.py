"""Source `reducto`: the webhooks that Svix sends for Reducto. A result can then be fetched.

Vendor: Reducto docs, "Svix webhooks"; Svix docs, "Verifying webhooks manually".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from hookline.postgres.deliveries import Notice
from hookline.sources.refusals import Malformed
from hookline.sources.signatures import sign_standard, verify_standard
from hookline.sources.signed_json import NO_REASON
from hookline.sources.strict_json import as_object, attempt_at, read, short_text

__all__ = ["ReductoSource"]

_BODY_LIMIT: Final = 2**18
_CODES: Final = {"Completed": "parse_ready", "Failed": "parse_ended"}
_SVIX: Final = "svix"


class ReductoSource:
    """Events of Reducto, proven by the headers svix-id, svix-timestamp and svix-signature."""

    name: Final = "reducto"
    route: Final = "/webhooks/reducto"
    body_limit: Final = _BODY_LIMIT

    def __init__(self, keys: Sequence[bytes]) -> None:
        self.keys = keys

    def check_path(self, path: Mapping[str, str]) -> None:
        """Accept every path: only the body is proven."""

    def read(
        self,
        headers: Mapping[str, str],
        body: bytes | bytearray,
        now: float,
        path: Mapping[str, str],
    ) -> Notice:
        """What a proven event says. Raises NotProven, then Malformed.

        An account's events all come here. Those without our metadata are of other applications.
        """
        delivery_id = verify_standard(headers, body, self.keys, now, prefix=_SVIX)
        event = as_object(read(body))
        status = short_text(event, "/status")
        parse_job_id = short_text(event, "/job_id")
        if status is None or parse_job_id is None:
            raise Malformed("status or job_id is not a text of 1 to 200 characters.")
        code = _CODES.get(status)
        ours = short_text(event, "/metadata/hookline_job_id")
        if code is None or ours is None:
            return Notice(delivery_id, status, code=None)
        payload: dict[str, str] = {"parse_job_id": parse_job_id}
        if code == "parse_ended":
            # The event does not say why. A worker asks Reducto.
            payload["error"] = NO_REASON
        try:
            job_id = UUID(ours)
        except ValueError:
            raise Malformed("metadata.hookline_job_id is not the id of a job.") from None
        return Notice(
            delivery_id,
            status,
            code,
            job_id=job_id,
            parse_job_id=parse_job_id,
            payload=payload,
            attempt=attempt_at(event, "/metadata/attempt"),
        )

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
        """The headers that prove an event which is sent at `now`, in Unix seconds."""
        return sign_standard(body, [secret], message_id=message_id, now=now, prefix=_SVIX)
