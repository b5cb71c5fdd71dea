"""A probe asks a receiver what it got of a request. It is proven by a token, and changes nothing.

The token proves knowledge of a secret of the source, whatever happened to the body and the headers
on the way. The answer is proven in the same way. Both prove nothing else: what they sign begins
with a text of their own.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hookline.sources.refusals import NotProven, Reason

PARAMETER: Final = "hookline_probe"
"""The name of the token in the query of the URL."""

ECHOED: Final = (
    "content-type",
    "content-encoding",
    "content-length",
    "transfer-encoding",
    "host",
    "x-webhook-signature",
    "lc-signature",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "svix-id",
    "svix-timestamp",
    "svix-signature",
)
"""The headers whose values are in an answer. Of the others it has the names."""

_TOLERANCE_SECONDS: Final = 300
_TOKEN: Final = re.compile(r"([0-9]{1,12})\.([0-9a-f]{32})\.([0-9a-f]{64})")
_QUESTION: Final = b"hookline probe 1\0"
_ANSWER: Final = b"hookline probe answer 1\0"
_WRONG: Final = Reason("wrong_probe", "The token of the probe was made with another secret.")
_LATE: Final = Reason("wrong_time", "The probe is more than 5 minutes from this server's time.")


def make_token(secret: bytes, source: str, nonce: str, now: float) -> str:
    """A token for one probe of a source. `nonce` is 32 hex digits; `now` is in Unix seconds."""
    return f"{int(now)}.{nonce}.{_mac(secret, source, int(now), nonce)}"


def verify_token(token: str, source: str, secrets: Sequence[bytes], now: float) -> bytes:
    """The secret that made the token. Raises NotProven, also if it is older than 5 minutes."""
    match = _TOKEN.fullmatch(token)
    proven = b""
    if match:
        for secret in secrets:
            expected = _mac(secret, source, int(match[1]), match[2])
            if secret and hmac.compare_digest(expected, match[3]):
                proven = secret
    if not match or not proven:
        raise NotProven(_WRONG)
    if abs(now - int(match[1])) > _TOLERANCE_SECONDS:
        raise NotProven(_LATE, told=_LATE.sentence)
    return proven


def seal(secret: bytes, token: str, seen: Mapping[str, Any]) -> str:
    """The proof of an answer: who made it knows the secret, and answers this probe."""
    text = json.dumps(seen, sort_keys=True, separators=(",", ":")).encode()
    return hmac.new(secret, _ANSWER + token.encode() + b"\0" + text, hashlib.sha256).hexdigest()


def _mac(secret: bytes, source: str, at: int, nonce: str) -> str:
    message = _QUESTION + f"{source}\0{at}\0{nonce}".encode("ascii")
    return hmac.digest(secret, message, "sha256").hex()
