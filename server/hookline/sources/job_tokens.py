"""Tokens that prove one attempt of one job, for senders that sign nothing.

A token is given to the sender with the job, and the sender returns it: in a URL or in a header.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from hookline.sources.refusals import NotProven, Reason
from hookline.sources.signatures import prove

__all__ = ["MAX_ATTEMPT", "mint_token", "verify_token"]

MAX_ATTEMPT: Final = 2**31 - 1

_TOKEN: Final = re.compile(r"([1-9][0-9]{0,9})\.([A-Za-z0-9_-]{43})")
_NO_MATCH: Final = Reason("wrong_token", "No configured secret matches the token for this job.")


def mint_token(secret: bytes, job_id: UUID, attempt: int, *, domain: bytes) -> str:
    """The token for one attempt of a job: `{attempt}.{mac}`, at most 54 characters.

    The mac is HMAC-SHA256 in base64url without padding, over `domain` (so that it proves nothing
    elsewhere), the 16 bytes of the job's id and 4 bytes of the attempt. Raises ValueError for an
    empty secret, or an attempt outside 1..2147483647.
    """
    if not secret:
        raise ValueError("a token needs a secret that is not empty")
    if not 1 <= attempt <= MAX_ATTEMPT:
        raise ValueError(f"a token is for an attempt from 1 to {MAX_ATTEMPT}, not {attempt}")
    return f"{attempt}.{_mac(secret, job_id, attempt, domain)}"


def verify_token(
    token: str, job_id: UUID, secrets: Sequence[bytes], *, domain: bytes, malformed: Reason
) -> int:
    """The attempt that a token was minted for, with any of the secrets.

    Raises NotProven for every other text, with the reason `malformed` if it is no token at all,
    and if there is no secret.
    """
    match = _TOKEN.fullmatch(token)
    if match is None or int(match[1]) > MAX_ATTEMPT:
        raise NotProven(malformed)
    attempt = int(match[1])
    prove(
        [match[2]],
        secrets,
        lambda secret: _mac(secret, job_id, attempt, domain),
        no_match=_NO_MATCH,
    )
    return attempt


def _mac(secret: bytes, job_id: UUID, attempt: int, domain: bytes) -> str:
    message = domain + job_id.bytes + attempt.to_bytes(4, "big")
    mac = hmac.digest(secret, message, "sha256")
    return base64.urlsafe_b64encode(mac).decode("ascii").rstrip("=")
