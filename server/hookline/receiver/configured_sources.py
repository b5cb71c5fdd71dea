"""The sources of this receiver: which route, how large, how proven, how parsed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from hookline.postgres.deliveries import Content, Notice
from hookline.settings import Settings, standard_key
from hookline.sources import llamacloud, llamaparse, llamaparse_push, routes
from hookline.sources.refusals import NotProven
from hookline.sources.signatures import one_header, verify_hex, verify_llamacloud, verify_standard

__all__ = ["Source", "configured_sources"]

_THIN_BODY = 2**18

# What was proven: the signed delivery id, or what the path's token vouches for.
Proof = Any


def _nothing_yet(path: Mapping[str, str]) -> Proof:
    return None


def _as_admitted(headers: Mapping[str, str], body: bytes, now: float, admitted: Proof) -> Proof:
    return admitted


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of sender. `name` is the word of webhook_deliveries.source; body_limit is in bytes.

    `admit` looks at the path, before the body is read; `verify` at headers and body, at a time in
    Unix seconds. Both raise NotProven. `parse` raises Malformed, Unprocessable.
    """

    name: str
    route: str
    body_limit: int
    parse: Callable[[bytes, Proof], Notice | Content]
    admit: Callable[[Mapping[str, str]], Proof] = _nothing_yet
    verify: Callable[[Mapping[str, str], bytes, float, Proof], Proof] = _as_admitted


def configured_sources(settings: Settings) -> tuple[Source, ...]:
    """All sources. One without a secret is there and proves nothing: it answers 401."""
    return (
        _llamaparse(settings),
        _llamacloud(_keys(settings.llamacloud_secrets)),
        _push(_keys(settings.push_secrets), settings.max_body),
    )


def _llamaparse(settings: Settings) -> Source:
    if settings.llamaparse_scheme == "standard":
        decoded = [standard_key(one.get_secret_value()) for one in settings.llamaparse_secrets]

        def verify(headers: Mapping[str, str], body: bytes, now: float, _: Proof) -> Proof:
            return verify_standard(headers, body, decoded, now)
    else:
        keys = _keys(settings.llamaparse_secrets)

        def verify(headers: Mapping[str, str], body: bytes, now: float, _: Proof) -> Proof:
            verify_hex(one_header(headers, "x-webhook-signature"), body, keys)

    return Source(
        name="llamaparse",
        route=routes.LLAMAPARSE,
        body_limit=settings.max_body,
        verify=verify,
        parse=llamaparse.parse,
    )


def _llamacloud(keys: list[bytes]) -> Source:
    def verify(headers: Mapping[str, str], body: bytes, now: float, _: Proof) -> Proof:
        verify_llamacloud(one_header(headers, "lc-signature"), body, keys)

    return Source(
        name="llamacloud",
        route=routes.LLAMACLOUD,
        body_limit=_THIN_BODY,
        verify=verify,
        parse=lambda body, _: llamacloud.parse(body),
    )


def _push(keys: list[bytes], body_limit: int) -> Source:
    def admit(path: Mapping[str, str]) -> tuple[UUID, int]:
        try:
            job_id = UUID(path["job_id"])
        except ValueError:
            raise NotProven("The address of this webhook is not one that was given out.") from None
        return job_id, llamaparse_push.verify_token(path["token"], job_id, keys)

    return Source(
        name="llamaparse_push",
        route=routes.LLAMAPARSE_PUSH,
        body_limit=body_limit,
        admit=admit,
        parse=lambda body, admitted: llamaparse_push.parse(body, *admitted),
    )


def _keys(secrets: tuple[SecretStr, ...]) -> list[bytes]:
    return [secret.get_secret_value().encode() for secret in secrets]
