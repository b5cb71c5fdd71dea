"""A test webhook of each source, signed with a secret of the settings or with another one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from hookline.receiver.configured_sources import configured_sources
from hookline.settings import ConfigurationError, Settings
from hookline.sources import llamacloud, llamaparse, llamaparse_push, probe, routes
from hookline.sources.descriptions import secrets_variable
from hookline.sources.protocol import SigningSource, Source
from hookline.version import __version__

__all__ = [
    "EVENTS",
    "Webhook",
    "body_about",
    "make_probe",
    "sign_webhook",
    "variable_of",
]

_VARIABLES = {
    "llamaparse": "HOOKLINE_LLAMAPARSE_SECRETS",
    "llamacloud": "HOOKLINE_LLAMACLOUD_SECRETS",
    "llamaparse_push": "HOOKLINE_PUSH_SECRETS",
}

EVENTS = {
    "llamaparse": ("parsed", "failed", "processing"),
    "llamacloud": (
        "parse.success",
        "parse.partial_success",
        "parse.running",
        "parse.pending",
        "parse.error",
        "parse.cancelled",
    ),
    "llamaparse_push": (llamaparse_push.EVENT_TYPE,),
}
"""Each source, and what its webhooks can say. The first one is the usual one."""

_ERROR = "This failure was sent by hookline send."


@dataclass(frozen=True, slots=True)
class Webhook:
    """One request. `path` begins with a slash; that of a push is a secret."""

    source: str
    path: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def variable_of(source: str) -> str:
    """The variable that has the secrets of a source."""
    return _VARIABLES.get(source) or secrets_variable(source)


def body_about(
    source: str, event: str, *, job_id: UUID, document_id: UUID, parse_job_id: str, text: str
) -> bytes:
    """The body of a webhook of EVENTS. `text` is the markdown of a result."""
    if source == "llamacloud":
        return _json(
            {
                "event_id": str(uuid4()),
                "event_type": event,
                "data": {"id": parse_job_id, "job_id": parse_job_id},
            }
        )
    if source == "llamaparse_push":
        return _json({"md": text, "txt": text, "json": [], "images": []})
    content = text.encode()
    artifact = {
        "type": "markdown",
        "content": text,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    meta: dict[str, str] = {"parser_name": "hookline-send", "parser_version": __version__}
    return _json(
        {
            "job_id": str(job_id),
            "document_id": str(document_id),
            "parse_job_id": parse_job_id,
            "status": event,
            "artifacts": [artifact] if event == "parsed" else [],
            "meta": meta | ({"error": _ERROR} if event == "failed" else {}),
        }
    )


def sign_webhook(
    settings: Settings,
    source: str,
    body: bytes,
    *,
    now: float,
    job_id: UUID,
    attempt: int = 1,
    secret: str | None = None,
    message_id: str | None = None,
) -> Webhook:
    """Sign a body as its source does at `now`, in Unix seconds.

    `secret` is the first one of the settings unless it is given; sources that are not in EVENTS
    take none. Of the job and its attempt only a token tells: in the path of a push, or in a header.
    Raises ConfigurationError if there is no secret or the source cannot sign, ValueError if a given
    secret does not fit.
    """
    headers = {"Content-Type": "application/json", "User-Agent": f"hookline-send/{__version__}"}
    message_id = message_id or f"msg_{uuid4().hex}"
    if source not in EVENTS:
        other = _source(settings, source)
        if not isinstance(other, SigningSource):
            raise ConfigurationError(f"Webhooks of {source} cannot be made: its source only reads.")
        if not other.keys:
            raise _no_secret(source)
        signed = other.sign(
            body, other.keys[0], message_id=message_id, now=now, job_id=job_id, attempt=attempt
        )
        return Webhook(source, other.route, {**headers, **signed}, body)
    secret = _first_secret(settings, source) if secret is None else secret
    if source == "llamaparse_push":
        token = llamaparse_push.mint_token(secret.encode(), job_id, attempt)
        return Webhook(source, routes.push_path(job_id, token), headers, body)
    if source == "llamacloud":
        return Webhook(
            source,
            routes.LLAMACLOUD,
            headers | llamacloud.sign(body, secret.encode()),
            body,
        )
    signed = llamaparse.sign(
        body,
        secret,
        settings.llamaparse_scheme,
        message_id=message_id,
        now=now,
    )
    return Webhook(source, routes.LLAMAPARSE, headers | signed, body)


def make_probe(
    settings: Settings, source: str, *, now: float, size: int = 0
) -> tuple[Webhook, bytes, str]:
    """A probe of at least `size` bytes, the key that proves it, and its token.

    Raises ConfigurationError if the source has no secret.
    """
    job_id = uuid4()
    body = _probe_body(source, job_id, size)
    webhook = sign_webhook(settings, source, body, now=now, job_id=job_id)
    key = _source(settings, source).keys[0]
    token = probe.make_token(key, source, uuid4().hex, now)
    path = f"{webhook.path}?{urlencode({probe.PARAMETER: token})}"
    return Webhook(source, path, webhook.headers, body), key, token


def _probe_body(source: str, job_id: UUID, size: int) -> bytes:
    """JSON that is not the same bytes once somebody has read it and written it again."""
    known: dict[str, Any]
    end = '"}'
    if source == "llamacloud":
        known = {"event_type": "hookline.probe", "event_id": str(uuid4())}
    elif source in EVENTS:
        known = {
            "job_id": str(job_id),
            "document_id": str(uuid4()),
            "parse_job_id": "hookline-probe",
            "status": "processing",
        }
    else:
        # A proxy may remove the query that makes it a probe. Then it is no event, whatever fields
        # the source reads.
        known = {"hookline_probe": {"is": True}}
        end = '"}}'
    start = json.dumps(known).rstrip("}")
    marks = f'{start} ,  "number":1.0,"text" :"\\u00fc ü \\/ <&>","padding":"'.encode()
    return marks + b"." * (size - len(marks) - len(end)) + end.encode()


def _source(settings: Settings, name: str) -> Source:
    return next(one for one in configured_sources(settings) if one.name == name)


def _first_secret(settings: Settings, source: str) -> str:
    secrets = {
        "llamaparse": settings.llamaparse_secrets,
        "llamacloud": settings.llamacloud_secrets,
        "llamaparse_push": settings.push_secrets,
    }[source]
    if not secrets:
        raise _no_secret(source)
    return secrets[0].get_secret_value()


def _no_secret(source: str) -> ConfigurationError:
    return ConfigurationError(
        f"{variable_of(source)} is not set: set it to what `hookline serve` has, for example to"
        " a-long-random-secret."
    )


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
