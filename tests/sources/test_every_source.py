"""What holds for every source: `read` verifies before it parses, and is complete alone."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

import pytest

from hookline.postgres.deliveries import Content, Notice
from hookline.sources.llamacloud import LlamaCloudSource
from hookline.sources.llamaparse import LlamaParseSource
from hookline.sources.llamaparse_push import LlamaParsePushSource, mint_token
from hookline.sources.protocol import Source
from hookline.sources.refusals import Malformed, NotProven

SECRET = b"a secret of sixteen bytes"
JOB = UUID("0198f0a1-7b3c-7d4e-8f50-123456789abc")
NOW = 1753985275.0
LIMIT = 2**20

EVENT = b'{"event_type": "parse.success", "data": {"job_id": "p-1"}}'
ENVELOPE = json.dumps(
    {"job_id": str(JOB), "document_id": str(JOB), "parse_job_id": "p-1", "status": "processing"}
).encode()
PUSH = b'{"md": "# Report"}'


class Case(NamedTuple):
    """A source with and without a secret, and one delivery that the secret proves."""

    source: Source
    without_secret: Source
    body: bytes
    header: str | None
    path: Mapping[str, str]

    def headers(self, body: bytes) -> Mapping[str, str]:
        if self.header is None:
            return {}
        prefix = "sha256=" if self.header == "LC-Signature" else ""
        return {self.header: prefix + hmac.digest(SECRET, body, "sha256").hex()}


CASES = {
    "llamaparse": Case(
        LlamaParseSource("hex", [SECRET], body_limit=LIMIT),
        LlamaParseSource("hex", [], body_limit=LIMIT),
        ENVELOPE,
        "X-Webhook-Signature",
        {},
    ),
    "llamacloud": Case(LlamaCloudSource([SECRET]), LlamaCloudSource([]), EVENT, "LC-Signature", {}),
    "llamaparse_push": Case(
        LlamaParsePushSource([SECRET], body_limit=LIMIT),
        LlamaParsePushSource([], body_limit=LIMIT),
        PUSH,
        None,
        {"job_id": str(JOB), "token": mint_token(SECRET, JOB, 1)},
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
signed_case = pytest.mark.parametrize(
    "case",
    [case for case in CASES.values() if case.header],
    ids=[name for name, case in CASES.items() if case.header],
)


@every_case
def test_a_proven_delivery_is_read(case: Case) -> None:
    case.source.check_path(case.path)
    read = case.source.read(case.headers(case.body), case.body, NOW, case.path)
    assert isinstance(read, Notice | Content)


@every_case
def test_a_source_without_a_secret_refuses_everything(case: Case) -> None:
    with pytest.raises(NotProven):
        case.without_secret.read(case.headers(case.body), case.body, NOW, case.path)


@signed_case
def test_a_body_that_is_not_signed_is_never_parsed(case: Case) -> None:
    body = b"no JSON at all"
    with pytest.raises(NotProven):
        case.source.read({}, body, NOW, case.path)
    with pytest.raises(Malformed):
        case.source.read(case.headers(body), body, NOW, case.path)


@signed_case
def test_a_signature_of_another_body_proves_nothing(case: Case) -> None:
    with pytest.raises(NotProven):
        case.source.read(case.headers(case.body + b" "), case.body, NOW, case.path)


@pytest.mark.parametrize(
    "path",
    [
        {"job_id": str(JOB), "token": mint_token(b"a secret of somebody else", JOB, 1)},
        {"job_id": str(JOB), "token": mint_token(SECRET, JOB, 2).replace("2.", "1.", 1)},
        {"job_id": "not-a-uuid", "token": mint_token(SECRET, JOB, 1)},
    ],
    ids=["other secret", "other attempt", "no job id"],
)
def test_a_push_with_a_wrong_path_is_refused_with_and_without_check_path(
    path: Mapping[str, str],
) -> None:
    source = CASES["llamaparse_push"].source
    with pytest.raises(NotProven):
        source.check_path(path)
    with pytest.raises(NotProven):
        source.read({}, PUSH, NOW, path)


def test_a_push_is_refused_in_the_same_words_with_and_without_a_secret() -> None:
    case = CASES["llamaparse_push"]
    other = {"job_id": str(JOB), "token": mint_token(b"a secret of somebody else", JOB, 1)}
    refusals = []
    for source, path in (
        (case.source, other),
        (case.without_secret, other),
        (case.source, {"job_id": "not-a-uuid", "token": "x"}),
    ):
        with pytest.raises(NotProven) as refusal:
            source.check_path(path)
        refusals.append(refusal.value)
    assert len({str(refusal) for refusal in refusals}) == 1
    assert len({refusal.reason for refusal in refusals}) == 3


def test_a_push_is_content_for_the_attempt_of_its_path() -> None:
    source = CASES["llamaparse_push"].source
    read = source.read({}, PUSH, NOW, {"job_id": str(JOB), "token": mint_token(SECRET, JOB, 3)})
    assert isinstance(read, Content)
    assert (read.job_id, read.attempt) == (JOB, 3)


def test_a_standard_webhook_is_known_by_its_signed_id() -> None:
    source = LlamaParseSource("standard", [SECRET], body_limit=LIMIT)
    signed = b"msg_1." + str(int(NOW)).encode() + b"." + ENVELOPE
    mac = hmac.digest(SECRET, signed, "sha256")
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(NOW)),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }
    assert source.read(headers, ENVELOPE, NOW, {}).delivery_id == "msg_1"


def test_an_envelope_without_a_signed_id_is_known_by_its_hash() -> None:
    case = CASES["llamaparse"]
    read = case.source.read(case.headers(ENVELOPE), ENVELOPE, NOW, {})
    assert read.delivery_id == hashlib.sha256(ENVELOPE).hexdigest()
