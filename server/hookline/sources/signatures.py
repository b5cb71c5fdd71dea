"""The three signature schemes, as pure functions: does the sender know one of our secrets?

Each function that verifies returns if so, and raises only `NotProven` if not, whatever the headers
hold. Every secret is compared, in constant time, so that the time taken shows neither a secret nor
its place in the list. Without a secret, or with an empty one in the list, nothing is proven:
everybody knows the empty key.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hookline.sources.refusals import NotProven, Reason

TOLERANCE_SECONDS: Final = 300
"""How far a Standard Webhooks timestamp may differ from our clock, before or after it."""

MAX_SIGNATURES: Final = 16
"""How many entries of a Standard Webhooks signature list are compared. A rotation needs two."""

_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")
_V1: Final = re.compile(r"v1,([A-Za-z0-9+/]{43}=)")
# No full stop: it separates the signed parts, so an id with one could pass for id and timestamp.
_MESSAGE_ID: Final = re.compile(r"[!-\-/-~]{1,200}")
_SECONDS: Final = re.compile(r"[0-9]{1,12}")


def one_header(headers: Mapping[str, str], name: str) -> str | None:
    """The value of a header, or None without it. Names are compared without case.

    Raises NotProven if the header was sent more than once: we cannot know which value a proxy in
    front of us checked. `headers` may be a multidict, whose `items()` repeat a name.
    """
    values = [value for key, value in headers.items() if key.lower() == name.lower()]
    if len(values) > 1:
        sentence = f"The header {name} was sent more than once."
        raise NotProven(Reason("repeated_header", sentence))
    return values[0] if values else None


NO_SIGNATURE: Final = Reason("no_signature", "The request has no signature header.")
MALFORMED_SIGNATURE: Final = Reason("malformed_signature", "The signature header is malformed.")
NOT_CONFIGURED: Final = Reason("no_secret", "No secret is configured for this source.")
NO_MATCH: Final = Reason("no_match", "No configured secret matches the signature.")
"""Reasons of NotProven."""


def prove(
    given: Sequence[str],
    secrets: Sequence[bytes],
    sign: Callable[[bytes], str],
    *,
    no_match: Reason = NO_MATCH,
) -> None:
    """Return if `sign`, with one of the `secrets`, makes one of the `given` ASCII texts.

    Raises NotProven: with the reason `no_match` if that is not so, with NOT_CONFIGURED if there is
    no secret or one is empty.
    """
    proven = False
    for secret in secrets:
        expected = sign(secret).encode("ascii")
        for text in given:
            proven |= hmac.compare_digest(expected, text.encode("ascii"))
    if not secrets or not all(secrets):
        raise NotProven(NOT_CONFIGURED)
    if not proven:
        raise NotProven(no_match)


def verify_hex(header_value: str | None, body: bytes | bytearray, secrets: Sequence[bytes]) -> None:
    """`X-Webhook-Signature`: the HMAC-SHA256 of the raw body, in hex, and nothing around it.

    Upper and lower case hex are accepted: they mean the same bytes. Raises NotProven.
    The key is the secret's UTF-8 text. Specification: Hookline's signed envelope (`llamaparse.py`).
    """
    _verify_hex(header_value, header_value or "", body, secrets)


def verify_llamacloud(
    header_value: str | None, body: bytes | bytearray, secrets: Sequence[bytes]
) -> None:
    """`LC-Signature`: `sha256=` and the HMAC-SHA256 of the raw body, in hex of either case.

    The key is the UTF-8 text of the secret as it was given to LlamaCloud, even where it looks like
    `whsec_...`. Raises NotProven. Vendor: LlamaCloud docs, "Webhooks", signature verification.
    """
    prefix, _, signature = (header_value or "").partition("=")
    _verify_hex(header_value, signature if prefix == "sha256" else "", body, secrets)


def _verify_hex(
    header_value: str | None, signature: str, body: bytes | bytearray, secrets: Sequence[bytes]
) -> None:
    given = [signature.lower()] if _HEX.fullmatch(signature) else []
    prove(
        given,
        secrets,
        lambda secret: hmac.digest(secret, body, "sha256").hex(),
        no_match=_without_match(header_value, given),
    )


def _without_match(header_value: str | None, given: Sequence[str]) -> Reason:
    if header_value is None:
        return NO_SIGNATURE
    return NO_MATCH if given else MALFORMED_SIGNATURE


def sign_standard(
    body: bytes, keys: Sequence[bytes], *, message_id: str, now: float, prefix: str = "webhook"
) -> dict[str, str]:
    """Standard Webhooks v1: the headers of a message that is sent at `now`, in Unix seconds.

    `keys` are those of `standard_key`; there is one signature for each, so that whoever verifies
    may have any of them. Specification: Standard Webhooks, "Webhook headers".
    """
    timestamp = str(int(now))
    signatures = [f"v1,{_standard_mac(key, message_id, timestamp, body)}" for key in keys]
    return {
        f"{prefix}-id": message_id,
        f"{prefix}-timestamp": timestamp,
        f"{prefix}-signature": " ".join(signatures),
    }


def _standard_mac(key: bytes, message_id: str, timestamp: str, body: bytes | bytearray) -> str:
    mac = hmac.new(key, f"{message_id}.{timestamp}.".encode("ascii"), hashlib.sha256)
    mac.update(body)
    return base64.b64encode(mac.digest()).decode("ascii")


def verify_standard(
    headers: Mapping[str, str],
    body: bytes | bytearray,
    secrets: Sequence[bytes],
    now: float,
    *,
    prefix: str = "webhook",
) -> str:
    """Standard Webhooks v1: returns the `webhook-id`, 1..200 visible ASCII characters.

    `secrets` are keys as `standard_key` decodes them; `now` is in seconds since 1970 (UTC). Svix
    signs in the same way, with headers of the `prefix` svix. The id holds no full stop. The
    timestamp is in whole seconds, within `TOLERANCE_SECONDS` of `now`. The first `MAX_SIGNATURES`
    entries of the signature list count; an entry that is not version v1, or malformed, is skipped.
    Raises NotProven.
    Specification: Standard Webhooks, "Signature scheme" and "Verifying signatures".
    """
    message_id = one_header(headers, f"{prefix}-id") or ""
    timestamp = one_header(headers, f"{prefix}-timestamp") or ""
    listed = one_header(headers, f"{prefix}-signature")
    if not secrets:
        raise NotProven(NOT_CONFIGURED)
    if listed is None:
        raise NotProven(NO_SIGNATURE)
    if not _MESSAGE_ID.fullmatch(message_id) or not _SECONDS.fullmatch(timestamp):
        sentence = f"The header {prefix}-id or {prefix}-timestamp is missing or malformed."
        raise NotProven(Reason("malformed_signature", sentence))

    entries = map(_V1.fullmatch, listed.split(" ", MAX_SIGNATURES)[:MAX_SIGNATURES])
    given = [entry[1] for entry in entries if entry]
    prove(
        given,
        secrets,
        lambda secret: _standard_mac(secret, message_id, timestamp, body),
        no_match=_without_match(listed, given),
    )
    # After the signature, so that only a proven sender learns how far its clock is from ours.
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        sentence = f"{prefix}-timestamp is more than 5 minutes from the time of this server."
        raise NotProven(Reason("wrong_time", sentence), told=sentence)
    return message_id
