"""The envelope with a parser's result, and the signature that the receiver checks."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from hookline.providers.local.parser import Parsed
from hookline.settings import Settings
from hookline.sources.llamaparse import Scheme, local_parse_job_id, sign

__all__ = ["EnvelopeJob", "SignedEnvelope", "envelope_of", "parse_job_id_of", "webhook_of"]


@dataclass(frozen=True, slots=True)
class SignedEnvelope:
    """An envelope, and what signs it. `id` stays the same however often the envelope is sent."""

    body: bytes = field(repr=False)
    id: str
    scheme: Scheme
    secret: str = field(repr=False)

    def headers(self, now: float) -> dict[str, str]:
        """The HTTP headers for sending it at `now`, in Unix seconds."""
        signed = sign(self.body, self.secret, self.scheme, message_id=self.id, now=now)
        return {"Content-Type": "application/json", "User-Agent": "hookline-local/1", **signed}


class EnvelopeJob(Protocol):
    """What an envelope says of its job."""

    @property
    def job_id(self) -> UUID: ...
    @property
    def document_id(self) -> UUID: ...
    @property
    def attempt(self) -> int: ...
    @property
    def correlation_id(self) -> str: ...


def webhook_of(settings: Settings, job: EnvelopeJob, result: Parsed) -> SignedEnvelope:
    """The signed envelope with the text of an attempt. The same text gives the same envelope.

    It is signed with the first secret, which is the newest. Raises ConfigurationError if no secret
    is set.
    """
    secret = settings.require_llamaparse_secret()
    body = envelope_of(
        result,
        job_id=job.job_id,
        document_id=job.document_id,
        parse_job_id=parse_job_id_of(job),
        correlation_id=job.correlation_id,
    )
    message_id = f"msg_{hashlib.sha256(body).hexdigest()}"
    return SignedEnvelope(body, message_id, settings.llamaparse_scheme, secret)


def parse_job_id_of(job: EnvelopeJob) -> str:
    """The id that the local parser gives to its work on an attempt."""
    return local_parse_job_id(job.job_id, job.attempt)


def envelope_of(
    result: Parsed,
    *,
    job_id: UUID,
    document_id: UUID,
    parse_job_id: str,
    correlation_id: str | None = None,
) -> bytes:
    """The body of POST /webhooks/llamaparse. Specification: `sources/envelope.schema.json`."""
    content = result.markdown.encode()
    markdown = {
        "type": "markdown",
        "content": result.markdown,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    envelope: dict[str, Any] = {
        "job_id": str(job_id),
        "document_id": str(document_id),
        "parse_job_id": parse_job_id,
        "status": "parsed",
        "artifacts": [markdown],
        "meta": {"parser_name": result.parser_name, "parser_version": result.parser_version},
    }
    if correlation_id is not None:
        envelope["correlation_id"] = correlation_id
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
