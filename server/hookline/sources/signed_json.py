"""The source for any sender that signs JSON with HMAC, from a description of its format."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import UUID

from hookline.postgres.deliveries import Notice
from hookline.sources.body import sha256_of
from hookline.sources.refusals import Malformed, NotProven, Reason
from hookline.sources.signatures import (
    MALFORMED_SIGNATURE,
    MAX_SIGNATURES,
    NO_MATCH,
    NO_SIGNATURE,
    NOT_CONFIGURED,
    one_header,
    prove,
)
from hookline.sources.strict_json import (
    ID_LIMIT,
    as_object,
    as_text,
    attempt_at,
    pointed,
    read,
    short_text,
)

__all__ = ["FAILURES", "NO_REASON", "Description", "SignedJsonSource"]

NO_REASON: Final = "The provider gave no reason."
"""The error text of a failure that came without one."""

FAILURES: Final = frozenset({"parse_ended", "parse_failed", "parse_cancelled"})
"""The codes whose event keeps a reason."""

_BODY_LIMIT: Final = 2**18
_ID: Final = re.compile(r"[!-~]{1,200}")
_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_PLACEHOLDER: Final = re.compile(r"\{(?:id|timestamp)\}")


@dataclass(frozen=True, slots=True)
class Description:
    """How a sender signs, and where its JSON says what.

    `signed` is the text that is signed: `{body}` once, and perhaps `{id}` and `{timestamp}`, which
    are the values of `id_header` and `timestamp_header`. The signature header holds one signature
    or several with blanks between them; those that begin with `signature_prefix` count. Pointers
    are those of RFC 6901. `codes` maps what is at `status` to codes of event_codes.
    """

    name: str
    signature_header: str
    codes: Mapping[str, str]
    status: str
    signature_prefix: str = ""
    signed: str = "{body}"
    encoding: Literal["hex", "base64"] = "hex"
    algorithm: Literal["sha256", "sha512"] = "sha256"
    id_header: str | None = None
    timestamp_header: str | None = None
    tolerance: int = 300
    delivery_id: str | None = None
    parse_job_id: str | None = None
    job_id: str | None = None
    attempt: str | None = None
    reason: str | None = None
    route: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "route", f"/webhooks/{self.name}")


class SignedJsonSource:
    """Events of one described sender. `secrets` are keys; without one every delivery is refused."""

    body_limit: Final = _BODY_LIMIT

    def __init__(self, description: Description, secrets: Sequence[bytes]) -> None:
        self._description = description
        self.keys = secrets
        size = hashlib.new(description.algorithm).digest_size
        if description.encoding == "hex":
            self._form = re.compile(rf"[0-9a-fA-F]{{{2 * size}}}")
        else:
            digits, padding = -(-size * 8 // 6), -size % 3
            self._form = re.compile(rf"[A-Za-z0-9+/]{{{digits}}}={{{padding}}}")
        self._before, self._after = description.signed.split("{body}")

    @property
    def name(self) -> str:
        """The word of webhook_deliveries.source."""
        return self._description.name

    @property
    def route(self) -> str:
        """`/webhooks/` and the name."""
        return self._description.route

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

        Only signed values are used: the delivery's id is the one in the body or in a signed header,
        else the SHA-256 of the body.
        """
        return self._parse(body, self._verify(headers, body, now))

    def _verify(
        self, headers: Mapping[str, str], body: bytes | bytearray, now: float
    ) -> str | None:
        """The id of the delivery, if a signed header has it."""
        described = self._description
        if not self.keys:
            raise NotProven(NOT_CONFIGURED)
        listed = one_header(headers, described.signature_header)
        if listed is None:
            raise NotProven(NO_SIGNATURE)
        values: dict[str, str] = {}
        if "{id}" in described.signed:
            values["{id}"] = self._header(headers, described.id_header, _ID)
        if "{timestamp}" in described.signed:
            values["{timestamp}"] = self._header(headers, described.timestamp_header, _SECONDS)

        given = [
            signature.lower() if described.encoding == "hex" else signature
            for entry in listed.split(" ", MAX_SIGNATURES)[:MAX_SIGNATURES]
            if entry.startswith(described.signature_prefix)
            and self._form.fullmatch(
                signature := entry.removeprefix(described.signature_prefix),
            )
        ]
        prove(
            given,
            self.keys,
            lambda secret: self._mac(secret, body, values),
            no_match=NO_MATCH if given else MALFORMED_SIGNATURE,
        )
        # After the signature, so that only a proven sender learns how far its clock is from ours.
        timestamp = values.get("{timestamp}")
        if timestamp is not None and abs(now - int(timestamp)) > described.tolerance:
            sentence = (
                f"The timestamp is more than {described.tolerance} s from the time of this server."
            )
            raise NotProven(Reason("wrong_time", sentence), told=sentence)
        return values.get("{id}")

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
        described = self._description
        values = {"{id}": message_id, "{timestamp}": str(int(now))}
        mac = self._mac(secret, body, values)
        headers = {described.signature_header: f"{described.signature_prefix}{mac}"}
        for value, name in (
            ("{id}", described.id_header),
            ("{timestamp}", described.timestamp_header),
        ):
            if name is not None:
                headers[name] = values[value]
        return headers

    def _mac(self, secret: bytes, body: bytes | bytearray, values: Mapping[str, str]) -> str:
        before, after = (
            _PLACEHOLDER.sub(lambda match: values[match[0]], part).encode()
            for part in (self._before, self._after)
        )
        mac = hmac.new(secret, before, self._description.algorithm)
        mac.update(body)
        mac.update(after)
        if self._description.encoding == "hex":
            return mac.hexdigest()
        return base64.b64encode(mac.digest()).decode("ascii")

    def _header(self, headers: Mapping[str, str], name: str | None, form: re.Pattern[str]) -> str:
        value = one_header(headers, name or "") or ""
        # A value with a character of the text around it could pass for two values.
        around = _PLACEHOLDER.sub("", self._before + self._after)
        if not form.fullmatch(value) or set(value) & set(around) - _WORD:
            raise NotProven(
                Reason("malformed_signature", f"The header {name} is missing or malformed.")
            )
        return value

    def _parse(self, body: bytes | bytearray, signed_id: str | None) -> Notice:
        described = self._description
        event = as_object(read(body))
        status = short_text(event, described.status)
        if status is None:
            raise Malformed(f"{described.status} is not a text of 1 to {ID_LIMIT} characters.")
        delivery_id = signed_id
        if delivery_id is None and described.delivery_id is not None:
            delivery_id = short_text(event, described.delivery_id)
        if delivery_id is None:
            delivery_id = sha256_of(body)
        code = described.codes.get(status)
        if code is None:
            return Notice(delivery_id, status, code=None)

        parse_job_id = short_text(event, described.parse_job_id)
        job_id = self._our_job(event)
        if parse_job_id is None and job_id is None:
            named = [one for one in (described.parse_job_id, described.job_id) if one is not None]
            raise Malformed(f"{' and '.join(named)} name no job.")
        payload: dict[str, Any] = {}
        if parse_job_id is not None:
            payload["parse_job_id"] = parse_job_id
        if code in FAILURES:
            reason = None if described.reason is None else pointed(event, described.reason)
            payload["error"] = as_text(reason) or NO_REASON
        return Notice(
            delivery_id,
            status,
            code,
            job_id=job_id,
            parse_job_id=parse_job_id,
            payload=payload,
            attempt=attempt_at(event, described.attempt),
        )

    def _our_job(self, event: dict[str, Any]) -> UUID | None:
        pointer = self._description.job_id
        found = None if pointer is None else pointed(event, pointer)
        if found is None:
            return None
        try:
            return UUID(found)
        except (ValueError, TypeError, AttributeError):
            raise Malformed(f"{pointer} is not the id of a job.") from None


# Letters and digits stand in literals such as `v0:`, and cannot be mistaken for a separator.
_WORD: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
