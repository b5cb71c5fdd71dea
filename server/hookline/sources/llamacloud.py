"""Source `llamacloud`: event notifications of LlamaCloud. They say that a result can be fetched."""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeGuard

from hookline.postgres.deliveries import Notice
from hookline.sources import routes
from hookline.sources.body import sha256_of
from hookline.sources.refusals import Malformed
from hookline.sources.signatures import one_header, verify_llamacloud
from hookline.sources.strict_json import as_object, as_text, read, storable

NO_REASON: Final = "The provider gave no reason."
"""The error text of a failed parse that was reported without one."""

_BODY_LIMIT: Final = 2**18
_ID_LIMIT: Final = 200
_LATEST_TIMESTAMP: Final = 10**12


class _Meaning(NamedTuple):
    event_type: str
    code: str


# Keys are in lowercase, with full stops: PARSE_SUCCESS and parse.success are the same type.
_MEANINGS: Final = {
    "parse.pending": _Meaning("parse.pending", "parse_started"),
    "parse.running": _Meaning("parse.running", "parse_started"),
    "parse.success": _Meaning("parse.success", "parse_ready"),
    "parse.partial.success": _Meaning("parse.partial_success", "parse_partial"),
    # The event does not say why it failed, or whether that is final: a worker asks LlamaCloud.
    "parse.error": _Meaning("parse.error", "parse_ended"),
    "parse.cancelled": _Meaning("parse.cancelled", "parse_cancelled"),
}


class LlamaCloudSource:
    """Event notifications, proven by the header LC-Signature. A notification has no content."""

    name: Final = "llamacloud"
    route: Final = routes.LLAMACLOUD
    body_limit: Final = _BODY_LIMIT

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self.keys = secrets

    def check_path(self, path: Mapping[str, str]) -> None:
        """Accept every path: only the body is proven."""

    def read(
        self,
        headers: Mapping[str, str],
        body: bytes | bytearray,
        now: float,
        path: Mapping[str, str],
    ) -> Notice:
        """What a proven notification says. Raises NotProven, then as `parse` does."""
        verify_llamacloud(one_header(headers, "lc-signature"), body, self.keys)
        return parse(body)


def sign(body: bytes, secret: bytes) -> dict[str, str]:
    """The headers that prove a notification, as LlamaCloud makes them."""
    return {"LC-Signature": f"sha256={hmac.digest(secret, body, 'sha256').hex()}"}


def parse(body: bytes | bytearray) -> Notice:
    """What a proven notification says. It is a JSON object, or one inside a JSON string.

    Event types that are not `parse.*` or unknown give a `Notice` with code None: other applications
    use the same key. The delivery's id is `event_id` (1..200 characters), or else the SHA-256 of
    the body. Raises Malformed. Vendor: LlamaCloud docs, "Webhooks".
    """
    event = _read(body)
    event_type = _short_text(event.get("event_type"))
    if event_type is None:
        raise Malformed("event_type is missing, or not a string of 1 to 200 characters.")
    storable(event_type, "event_type")
    delivery_id = _short_text(event.get("event_id"))
    if delivery_id is None:
        delivery_id = sha256_of(body)
    storable(delivery_id, "event_id")

    payload: dict[str, Any] = {}
    timestamp = event.get("timestamp")
    if _is_number(timestamp) and 0 <= timestamp < _LATEST_TIMESTAMP:
        payload["event_timestamp"] = timestamp

    meaning = _MEANINGS.get(event_type.lower().replace("_", "."))
    if meaning is None:
        return Notice(delivery_id, event_type, code=None, payload=payload)

    data = event.get("data")
    if not isinstance(data, dict):
        raise Malformed("data is not a JSON object.")
    parse_job_id = _parse_job_id(data)
    payload["parse_job_id"] = parse_job_id
    payload |= _reason(data, failed=meaning.code == "parse_ended")
    # The documented spelling: the same event sent in two spellings must be one event.
    return Notice(
        delivery_id,
        meaning.event_type,
        meaning.code,
        parse_job_id=parse_job_id,
        payload=payload,
    )


def _read(body: bytes | bytearray) -> dict[str, Any]:
    value = read(body)
    # With webhook_output_format "string", the provider's default, the object is inside a string.
    if isinstance(value, str):
        value = read(value)
    return as_object(value)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short_text(value: object) -> str | None:
    return value if isinstance(value, str) and 1 <= len(value) <= _ID_LIMIT else None


def _parse_job_id(data: dict[str, Any]) -> str:
    # Some events have only data.id. An empty job_id is treated as a missing one.
    name = "job_id" if data.get("job_id") else "id"
    parse_job_id = _short_text(data.get(name))
    if parse_job_id is None:
        raise Malformed("data has no job_id or id that is a string of 1 to 200 characters.")
    return storable(parse_job_id, f"data.{name}")


def _reason(data: dict[str, Any], *, failed: bool) -> dict[str, str]:
    code = as_text(data.get("error_code"))
    error = (
        as_text(data.get("error_message"))
        or as_text(data.get("error"))
        or code
        or (NO_REASON if failed else None)
    )
    return {
        name: text for name, text in (("error", error), ("error_code", code)) if text is not None
    }
