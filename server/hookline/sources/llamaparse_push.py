"""Source `llamaparse_push`: LlamaParse v1 posts the whole result to a `webhook_url`.

The provider signs nothing and names no job. A token in the URL is the only proof.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from hookline.postgres.deliveries import Content
from hookline.sources import job_tokens, routes
from hookline.sources.body import sha256_of
from hookline.sources.long_strings import LongString
from hookline.sources.markdown import holds_text
from hookline.sources.refusals import Malformed, NotProven, Reason
from hookline.sources.strict_json import read

EVENT_TYPE: Final = "result_push"
_WRONG_ADDRESS: Final = "The address of this webhook is not one that was given out."
_MALFORMED_PATH: Final = Reason("malformed_token", "The path does not end in a job id and a token.")
_DOMAIN: Final = b"hookline push token 1\0"


class LlamaParsePushSource:
    """Result pushes, proven by the token in the path: it names the job's attempt."""

    name: Final = "llamaparse_push"
    route: Final = routes.LLAMAPARSE_PUSH

    def __init__(self, secrets: Sequence[bytes], *, body_limit: int) -> None:
        self.body_limit = body_limit
        self.keys = secrets

    def check_path(self, path: Mapping[str, str]) -> None:
        """Check the token, so that only a proven sender may make us read a body."""
        self._verify(path)

    def read(
        self,
        headers: Mapping[str, str],
        body: bytes | bytearray,
        now: float,
        path: Mapping[str, str],
    ) -> Content:
        """The content of a push for the attempt that the path proves. Raises NotProven."""
        job_id, attempt = self._verify(path)
        return parse(body, job_id, attempt)

    def _verify(self, path: Mapping[str, str]) -> tuple[UUID, int]:
        try:
            job_id = UUID(path["job_id"])
        except ValueError:
            raise NotProven(_MALFORMED_PATH, told=_WRONG_ADDRESS) from None
        return job_id, verify_token(path["token"], job_id, self.keys)


def mint_token(secret: bytes, job_id: UUID, attempt: int) -> str:
    """The token for one attempt of a job, at most 54 characters.

    The URL then stays under the 200 characters of LlamaParse for host names of up to 78. Raises
    ValueError as `job_tokens.mint_token` does.
    Vendor: LlamaParse v1 docs, "Webhook", limits of `webhook_url`.
    """
    return job_tokens.mint_token(secret, job_id, attempt, domain=_DOMAIN)


def verify_token(token: str, job_id: UUID, secrets: Sequence[bytes]) -> int:
    """The attempt that a token was minted for, with any of the secrets.

    Raises NotProven for every other text, and if there is no secret.
    """
    try:
        return job_tokens.verify_token(
            token, job_id, secrets, domain=_DOMAIN, malformed=_MALFORMED_PATH
        )
    except NotProven as error:
        raise NotProven(error.reason, told=_WRONG_ADDRESS) from None


def parse(body: bytes | bytearray, job_id: UUID, attempt: int) -> Content:
    """The markdown of a proven result push, or the whole body if its shape is unknown.

    Two shapes are known: `{txt, md, json: [page], images}` and `{status: "OK", result: [page]}`,
    where a page has `page` (its number) and `md`. The markdown is the text of `md`, or else the
    `md` of the pages in the order of their numbers, with a blank line between them. A known shape
    without any text is recognised and empty.

    Any other body is returned whole with `recognised=False`, for a person to decide: a body that is
    not JSON; a body with text but no markdown, whose structure would be lost without notice; and a
    reported error, whose form no page documents (the provider is asked about the job instead).
    Never raises. Vendor: LlamaParse v1 docs, "Webhook"; the second shape was seen in the field.
    """
    markdown = _markdown(body)
    return Content(
        # The attempt is part of it: the provider's cache gives a later attempt the same bytes.
        delivery_id=f"{job_id}:{attempt}:{sha256_of(body)}",
        event_type=EVENT_TYPE,
        job_id=job_id,
        content=bytes(body) if markdown is None else markdown.utf8,
        attempt=attempt,
        details={} if markdown is None else {"content_length": markdown.characters},
        recognised=markdown is not None,
    )


def _markdown(body: bytes | bytearray) -> LongString | None:
    # Not read strictly: a NaN in the coordinates of an image must not lose the document.
    try:
        result = read(body, strictly=False)
    except Malformed:
        return None
    if not isinstance(result, dict) or not _went_well(result):
        return None
    whole = result.get("md")
    if whole is not None and not isinstance(whole, str | LongString):
        return None
    if whole and holds_text(whole):
        return LongString.of(whole)
    pages = result.get("result", result.get("json"))
    joined = whole if pages is None else _join(pages)
    if joined is None:
        return None
    if holds_text(joined):
        return LongString.of(joined)
    # No markdown. If there is text elsewhere, the body must not be taken for an empty document.
    return None if any(map(_has_text, [result, *(pages or [])])) else LongString.of("")


def _join(pages: object) -> LongString | None:
    if not isinstance(pages, list):
        return None
    texts: dict[int, LongString] = {}
    for page in pages:
        if not isinstance(page, dict) or not _went_well(page):
            return None
        number, text = page.get("page"), page.get("md")
        if type(number) is not int or number in texts or not isinstance(text, str | LongString):
            return None
        texts[number] = LongString.of(text)
    ordered = [texts[number] for number in sorted(texts)]
    between = 2 * max(0, len(ordered) - 1)
    return LongString(
        b"\n\n".join(text.utf8 for text in ordered),
        sum(text.characters for text in ordered) + between,
    )


def _went_well(part: dict[str, Any]) -> bool:
    return part.get("status") in (None, "OK", "SUCCESS")


def _has_text(part: dict[str, Any]) -> bool:
    values = (part.get(name) for name in ("txt", "text", "parsed_content"))
    return any(
        holds_text(value) if isinstance(value, str | LongString) else value for value in values
    )
