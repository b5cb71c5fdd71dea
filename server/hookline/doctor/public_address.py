"""Check with signed probes that webhooks reach our receiver at its public address, unchanged."""

from __future__ import annotations

import hmac
import time
from hashlib import sha256
from typing import Any

from hookline.doctor.check import Check
from hookline.process.http_client import proxied
from hookline.receiver.configured_sources import configured_sources
from hookline.sending.post import Answer, NoAnswer, post
from hookline.sending.webhook import Webhook, make_probe, variable_of
from hookline.settings import ConfigurationError, Settings
from hookline.sources import probe

__all__ = ["check_public_address", "judge_probe", "probe_receiver"]

# Seconds: longer than HOOKLINE_READ_TIMEOUT, so that the receiver answers first.
_TIMEOUT = 30.0
# Bytes that a proxy certainly lets through, and room for the rest of a largest body.
_SMALL = 2**14
# The headers that a proxy may change without harm.
_FREE = frozenset({"content-length", "transfer-encoding", "host", "user-agent"})


async def check_public_address(settings: Settings, url: str | None = None) -> list[Check]:
    """A row for each source that has a secret. `url` is HOOKLINE_PUBLIC_URL unless it is given."""
    base = url or settings.public_url
    if base is None:
        return [
            _fault(
                "HOOKLINE_PUBLIC_URL is not set: set it to where senders reach this receiver, for"
                " example to https://hooks.example.com."
            )
        ]
    try:
        sources = [one.name for one in configured_sources(settings) if one.keys]
        proxied(base)
    except ConfigurationError as error:
        return [_fault(str(error))]
    if not sources:
        return [_fault("No source has a secret to sign a probe with.")]
    checks: list[Check] = []
    largest = (0, "")
    for source in sources:
        try:
            fault, seconds, allowed = await probe_receiver(settings, base, source)
        except NoAnswer as error:
            return [*checks, _fault(str(error))]
        except ConfigurationError as error:
            checks.append(Check("public address", "warning", f"{source}: {error}"))
            continue
        if fault is not None:
            checks.append(_fault(f"{source}: {fault}"))
            continue
        checks.append(
            Check(
                "public address",
                "ok",
                f"{source}: a signed webhook reaches this receiver at {base} unchanged, in"
                f" {seconds * 1000:.0f} ms.",
            )
        )
        largest = max(largest, (allowed, source))
    if largest[0]:
        checks.append(await _check_size(settings, base, *largest))
    return checks


async def probe_receiver(
    settings: Settings, base: str, source: str, *, size: int = _SMALL
) -> tuple[str | None, float, int]:
    """Send one probe: what is wrong (None: nothing), the seconds, and the largest body allowed.

    Raises NoAnswer.
    """
    webhook, key, token = make_probe(settings, source, now=time.time(), size=size)
    answer = await post(base, webhook, within=_TIMEOUT)
    seen = _seen(answer, key, token)
    if seen is None:
        return judge_answer(answer, base, source), answer.seconds, 0
    return judge_probe(webhook, seen), answer.seconds, int(seen["body_limit"])


def judge_probe(webhook: Webhook, seen: dict[str, Any]) -> str | None:
    """Compare what was sent with what the receiver saw. None: the same, and it is accepted."""
    arrived: dict[str, list[str]] = {}
    for name, value in seen["headers"]:
        arrived.setdefault(name, []).append(value)
    if encoding := arrived.get("content-encoding"):
        return (
            f"A proxy compresses or encodes the body (Content-Encoding: {encoding[0]}), and the"
            " receiver answers 415. Let it pass request bodies on as they are."
        )
    for name, value in webhook.headers.items():
        name = name.lower()
        if name in _FREE:
            continue
        values = arrived.get(name, [])
        if name not in seen["names"]:
            renamed = [other for other in seen["names"] if name in other or other in name]
            as_other = f", but {renamed[0]} does" if renamed else ""
            return (
                f"The header {name} does not arrive{as_other}: a proxy removes or renames it. Let"
                " it pass the header on."
            )
        if len(values) > 1:
            return f"The header {name} arrives {len(values)} times: a proxy adds it again."
        # The receiver echoes no header of a sender that is described in a file.
        if values and values[0] != value:
            return f"The header {name} arrives with another value: a proxy changes it."
    if seen["sha256"] != sha256(webhook.body).hexdigest():
        return (
            f"The body arrives changed: {seen['bytes']:,} bytes instead of {len(webhook.body):,}. A"
            " proxy reads it and writes it again, for example as JSON. Let it pass the bytes on:"
            " the signature is of the bytes."
        )
    if seen["refused"] not in (None, "malformed", "unprocessable"):
        return (
            f"It arrives unchanged, and the receiver refuses it: {seen['refused']}. Compare"
            f" {variable_of(webhook.source)} (and HOOKLINE_LLAMAPARSE_SCHEME) here and there."
        )
    return None


def judge_answer(answer: Answer, base: str, source: str) -> str:
    """What an answer means that is not the proven answer of our receiver to a probe."""
    said = f"{base} answers {answer.status}"
    by = f" by {server}" if (server := answer.headers.get("Server")) else ""
    if 300 <= answer.status < 400:
        return (
            f"{said} and redirects to {answer.headers.get('Location', 'nowhere')}, which no sender"
            " follows. Use that address itself, with https:// and without a slash at its end."
        )
    ours = answer.headers.get("Content-Type", "").startswith("application/problem+json")
    detail = str(answer.told().get("detail", "")) if ours else ""
    if answer.status == 401 and ours:
        if "5 minutes" in detail:
            return f"{said}: the clocks of this machine and of the receiver differ by 5 minutes."
        return (
            f"{said}: the receiver there does not know this secret. Compare {variable_of(source)}"
            " here and there; it may also be another installation."
        )
    # Without its query a probe is a webhook. After the proof, the receiver finds no event in it
    # (400), no job of ours (404), or an event that concerns nobody.
    if (ours and (answer.status == 400 or (answer.status == 404 and "unknown job" in detail))) or (
        answer.status == 200 and answer.told().get("outcome") == "ignored"
    ):
        return (
            "A signed webhook arrives and is proven, but a proxy removes the query of its URL, so"
            " that a probe cannot tell more."
        )
    if ours and answer.status in (408, 429, 503):
        return f"{said}: {detail} Try again later."
    match answer.status:
        case 404 | 405:
            return (
                f"{said}{by}: nothing there takes webhooks at this path. Let the proxy pass the"
                " path /webhooks/... and its query on unchanged, with POST."
            )
        case 401 | 403 | 407:
            return (
                f"{said}{by}, before the receiver: a login page, a captcha or a firewall. Exempt"
                " the path /webhooks/."
            )
        case 413:
            return f"{said}{by}: it refuses a body that the receiver would take."
        case 500 | 502 | 503 | 504:
            return (
                f"{said}{by}: the proxy is there, but does not reach the receiver. Does `hookline"
                " serve` run, and does the proxy have its address?"
            )
        case _:
            return (
                f"{said}{by}: something other than a receiver of Hookline answers there, or a proxy"
                " changes its answer."
            )


async def _check_size(settings: Settings, base: str, allowed: int, source: str) -> Check:
    """Send the largest body that the receiver takes, then smaller ones until one arrives."""
    size = allowed
    refusal = ""
    while size > _SMALL:
        try:
            fault, seconds, _ = await probe_receiver(settings, base, source, size=size)
        except NoAnswer as error:
            fault = str(error)
        if fault is None:
            break
        refusal = refusal or fault
        size //= 2
    if not refusal:
        return Check("public address", "ok", f"A body of {_mib(size)} arrives, in {seconds:.1f} s.")
    return Check(
        "public address",
        "warning",
        f"A body of {_mib(allowed)}, which the receiver takes, does not arrive; one of"
        f" {_mib(max(size, _SMALL))} does. {refusal} Raise the limit of the proxy (nginx:"
        " client_max_body_size), or lower HOOKLINE_MAX_BODY.",
    )


def _seen(answer: Answer, key: bytes, token: str) -> dict[str, Any] | None:
    """What the receiver saw, if it proves that it is ours."""
    found = answer.told()
    seen = found.get("seen")
    if answer.status != 200 or not isinstance(seen, dict):
        return None
    proof = str(found.get("proof", "")).encode()
    return seen if hmac.compare_digest(proof, probe.seal(key, token, seen).encode()) else None


def _mib(size: int) -> str:
    return f"{size / 2**20:.3g} MiB"


def _fault(sentence: str) -> Check:
    return Check("public address", "fault", sentence)
