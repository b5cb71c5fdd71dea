"""Source `llamaparse`: the signed envelope, which holds the text of a document or a failure.

The models are the contract: `envelope.schema.json` is generated from them.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
)

from hookline.postgres.deliveries import Content, Notice
from hookline.setting_values import standard_key
from hookline.sources import routes
from hookline.sources.body import sha256_of
from hookline.sources.long_strings import LongString
from hookline.sources.markdown import holds_text
from hookline.sources.refusals import Malformed, Unprocessable
from hookline.sources.signatures import (
    one_header,
    sign_standard,
    verify_hex,
    verify_standard,
)
from hookline.sources.strict_json import (
    TEXT_LIMIT,
    as_object,
    as_text,
    is_storable,
    read,
    replace_unstorable,
)

NO_REASON: Final = "The parser gave no reason."
"""The error text of a failure that came without one."""

Scheme = Literal["hex", "standard"]

_FIELDS_NAMED: Final = 5
_TYPES_NAMED: Final = 20
_TAGS: Final = ("markdown", "other")


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("not storable")
    return text


def _replace_unstorable(value: object) -> object:
    return replace_unstorable(value) if isinstance(value, str) else value


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("not printable")
    return text


def _kind(artifact: object) -> str:
    kind = artifact.get("type") if isinstance(artifact, dict) else None
    return "markdown" if kind == "markdown" else "other"


_Id = Annotated[UUID, Field(strict=False)]
# Only informs, so that no character in it may cost the delivery.
_ParserWord = Annotated[
    str, StringConstraints(max_length=200), BeforeValidator(_replace_unstorable)
]


def _to_bytes(value: object) -> object:
    return LongString.of(value) if isinstance(value, str) else value


# Content is stored as bytes, so it may hold what a text column cannot. A str with any constraint
# would be encoded by pydantic, which fails for half of a surrogate pair.
_Text = Annotated[LongString, BeforeValidator(_to_bytes, json_schema_input_type=str)]


class _Model(BaseModel):
    # Unknown fields are ignored, so that a sender may add some. Known fields are not converted.
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, hide_input_in_errors=True)


class Markdown(_Model):
    """The document's text. We store the UTF-8 bytes of `content`."""

    type: Literal["markdown"]
    content: _Text = Field(title="Content", description="The text itself.")
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$")] = Field(
        description="SHA-256 of the UTF-8 bytes of content, in hex."
    )
    size: int = Field(
        alias="bytes", ge=0, le=2**31 - 1, description="How many UTF-8 bytes content has."
    )


class OtherArtifact(_Model):
    """An artifact of another type: accepted, but not kept. The event of the content names it."""

    model_config = ConfigDict(
        json_schema_extra={"not": {"properties": {"type": {"const": _TAGS[0]}}}}
    )

    type: Annotated[str, StringConstraints(max_length=200)]


class Meta(_Model):
    """What the parser says about itself and, after a failure, why it failed."""

    parser_name: _ParserWord | None = None
    parser_version: _ParserWord | None = None
    error: Any = Field(
        default=None,
        description="Why parsing failed: a sentence, or any JSON value. "
        f"The first {TEXT_LIMIT:,} characters are stored.",
    )


class Envelope(_Model):
    """The body of POST /webhooks/llamaparse: the state of one parse job, and its text if parsed."""

    model_config = ConfigDict(title="Hookline envelope")

    job_id: _Id = Field(description="The job, as it was given by Hookline.")
    document_id: _Id = Field(description="The job's document.")
    parse_job_id: Annotated[
        str, StringConstraints(min_length=1, max_length=200), AfterValidator(_storable)
    ] = Field(description="The parser's own id of the job.")
    status: Literal["parsed", "failed", "processing"] = Field(
        description="parsed needs exactly one artifact of type markdown."
    )
    artifacts: list[
        Annotated[
            Annotated[Markdown, Tag("markdown")] | Annotated[OtherArtifact, Tag("other")],
            Discriminator(_kind),
        ]
    ] = Field(default=[], max_length=100)
    meta: Meta = Field(default=Meta())
    correlation_id: (
        Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
        | None
    ) = Field(
        default=None,
        description="Printable characters that follow the document through all systems. "
        "Without it, the job's own is used.",
    )


class LlamaParseSource:
    """The signed envelope, proven by X-Webhook-Signature (hex) or by Standard Webhooks.

    With the scheme `standard`, `secrets` are keys as `standard_key` decodes them.
    """

    name: Final = "llamaparse"
    route: Final = routes.LLAMAPARSE

    def __init__(self, scheme: Scheme, secrets: Sequence[bytes], *, body_limit: int) -> None:
        self.body_limit = body_limit
        self._scheme = scheme
        self.keys = secrets

    def check_path(self, path: Mapping[str, str]) -> None:
        """Accept every path: only the body is proven."""

    def read(
        self,
        headers: Mapping[str, str],
        body: bytes | bytearray,
        now: float,
        path: Mapping[str, str],
    ) -> Notice | Content:
        """What a proven envelope says. Raises NotProven, then as `parse` does."""
        return parse(body, self._verify(headers, body, now))

    def _verify(
        self, headers: Mapping[str, str], body: bytes | bytearray, now: float
    ) -> str | None:
        """The signed delivery id, where the scheme has one."""
        if self._scheme == "standard":
            return verify_standard(headers, body, self.keys, now)
        verify_hex(one_header(headers, "x-webhook-signature"), body, self.keys)
        return None


def sign(
    body: bytes, secret: str, scheme: Scheme, *, message_id: str, now: float
) -> dict[str, str]:
    """The headers with the signature of the body.

    Scheme `hex` is HMAC-SHA256 in hex, keyed with the text of the secret. Scheme `standard` is
    Standard Webhooks v1, "Signature scheme". Raises ValueError if the secret does not fit the
    scheme.
    """
    if scheme == "hex":
        return {"X-Webhook-Signature": hmac.digest(secret.encode(), body, "sha256").hex()}
    return sign_standard(body, [standard_key(secret)], message_id=message_id, now=now)


def parse(body: bytes | bytearray, delivery_id: str | None = None) -> Notice | Content:
    """What a proven envelope says: `Content` if parsed, else a `Notice`.

    `delivery_id` is the signed one, if the scheme has one (`webhook-id` of Standard Webhooks); else
    the id is the SHA-256 of the body. Raises Malformed, which names fields but never a value, and
    Unprocessable if the status is parsed without exactly one markdown artifact that holds text.
    Specification: `envelope.schema.json`.
    """
    envelope = _read(body)
    if delivery_id is None:
        delivery_id = sha256_of(body)
    if envelope.status == "parsed":
        return _content(envelope, delivery_id)

    payload: dict[str, Any] = {
        "parse_job_id": envelope.parse_job_id,
        "parser_name": envelope.meta.parser_name,
        "parser_version": envelope.meta.parser_version,
    }
    failed = envelope.status == "failed"
    if failed:
        payload["error"] = as_text(envelope.meta.error) or NO_REASON
    return Notice(
        delivery_id=delivery_id,
        event_type=envelope.status,
        code="parse_failed" if failed else "parse_started",
        job_id=envelope.job_id,
        document_id=envelope.document_id,
        parse_job_id=envelope.parse_job_id,
        payload=payload,
        correlation_id=envelope.correlation_id,
        attempt=_attempt_of(envelope),
    )


def json_schema() -> dict[str, Any]:
    """The envelope's contract as JSON Schema 2020-12: the content of `envelope.schema.json`.

    Two rules are not in it: Postgres must be able to store every text, and `correlation_id` must be
    printable.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Envelope.model_json_schema(by_alias=True, mode="validation"),
    }


def _read(body: bytes | bytearray) -> Envelope:
    try:
        return Envelope.model_validate(as_object(read(body)))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
    paths = (".".join(str(p) for p in one["loc"] if p not in _TAGS) for one in found)
    names = list(dict.fromkeys(paths))
    more = len(names) - _FIELDS_NAMED
    tail = f" and {more} more" if more > 0 else ""
    raise Malformed(
        f"The body does not fit the envelope's schema: {', '.join(names[:_FIELDS_NAMED])}{tail}."
    )


def local_parse_job_id(job_id: UUID, attempt: int) -> str:
    """The id that the local parser gives to its work on an attempt."""
    return f"local-{job_id}-{attempt}"


def _attempt_of(envelope: Envelope) -> int | None:
    """The attempt that the id of the local parser names. Ids of other parsers name none."""
    attempt = re.search(r"-([1-9][0-9]{0,8})\Z", envelope.parse_job_id or "")
    if attempt is None:
        return None
    number = int(attempt[1])
    own = local_parse_job_id(envelope.job_id, number)
    return number if envelope.parse_job_id == own else None


def _content(envelope: Envelope, delivery_id: str) -> Content:
    found = [artifact for artifact in envelope.artifacts if isinstance(artifact, Markdown)]
    if len(found) != 1:
        raise Unprocessable(
            f"A parsed envelope has exactly one markdown artifact; this one has {len(found)}."
        )
    markdown = found[0]
    if not holds_text(markdown.content):
        raise Unprocessable("The markdown holds no text.")
    return Content(
        delivery_id=delivery_id,
        event_type=envelope.status,
        job_id=envelope.job_id,
        content=markdown.content.utf8,
        document_id=envelope.document_id,
        parse_job_id=envelope.parse_job_id,
        attempt=_attempt_of(envelope),
        content_sha256=markdown.sha256.lower(),
        content_bytes=markdown.size,
        details={
            "parse_job_id": envelope.parse_job_id,
            "parser_name": envelope.meta.parser_name,
            "parser_version": envelope.meta.parser_version,
            "content_length": markdown.content.characters,
            **_others_in(envelope),
        },
        correlation_id=envelope.correlation_id,
    )


def _others_in(envelope: Envelope) -> dict[str, list[str]]:
    """The types of what is not kept, so that a sender who looks for it learns why it is missing."""
    types = {one.type for one in envelope.artifacts if isinstance(one, OtherArtifact)}
    named = sorted(map(replace_unstorable, types))[:_TYPES_NAMED]
    return {"artifacts_not_kept": named} if named else {}
