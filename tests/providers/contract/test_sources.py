"""The sources of Reducto and docling-serve: every delivery is proven first, then parsed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

from hookline.providers.docling.source import DoclingSource, authorization_of
from hookline.providers.reducto.source import ReductoSource
from hookline.setting_values import standard_key
from hookline.sources.llamaparse_push import mint_token
from hookline.sources.refusals import Malformed, NotProven
from hookline.sources.signatures import sign_standard

JOB = UUID("0198f0a1-7b3c-7d4e-8f50-123456789abc")
OTHER_JOB = UUID("0198f0a1-7b3c-7d4e-8f50-cba987654321")
NOW = 1614265330.0
# The vector of Standard Webhooks, "Signature scheme"; Svix computes the same.
KEY = standard_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
OLD_KEY = b"the key before the one that signs"
VECTOR = {
    "svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "svix-timestamp": "1614265330",
    "svix-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
SECRET, OLD_SECRET = b"a-secret-for-docling-serve", b"the-one-before-it-of-docling"


def reducto(
    body: object,
    changes: Mapping[str, str] = MappingProxyType({}),
    *,
    key: bytes = KEY,
    now: float = NOW,
) -> Any:
    """What the source reads of a signed body."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = sign_standard(text, [key], message_id="msg_1", now=NOW, prefix="svix")
    return ReductoSource([KEY, OLD_KEY]).read({**headers, **changes}, text, now, {})


def docling(body: object, authorization: str | None = None) -> Any:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = authorization_of(SECRET, JOB, 1) if authorization is None else authorization
    return DoclingSource([SECRET, OLD_SECRET]).read({"authorization": given}, text, NOW, {})


COMPLETED = {
    "status": "Completed",
    "job_id": "r-1",
    "metadata": {"hookline_job_id": str(JOB), "attempt": "2"},
}
ENDED = {"task_id": "t-1", "progress": {"kind": "task_completed", "task_status": "success"}}


def test_the_vector_of_standard_webhooks_is_proven_with_the_headers_of_svix() -> None:
    # Proven, and no event: its body has no status.
    with pytest.raises(Malformed, match="status or job_id"):
        ReductoSource([KEY]).read(VECTOR, b'{"test": 2432232314}', NOW, {})
    with pytest.raises(NotProven):
        ReductoSource([KEY]).read(VECTOR, b'{"test": 2432232315}', NOW, {})


@pytest.mark.parametrize("key", [KEY, OLD_KEY])
def test_an_event_of_reducto_names_our_job_and_theirs(key: bytes) -> None:
    notice = reducto(COMPLETED, key=key)
    assert (notice.code, notice.job_id, notice.parse_job_id) == ("parse_ready", JOB, "r-1")
    assert (notice.delivery_id, notice.attempt) == ("msg_1", 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"svix-id": "msg_2"},
        {"svix-timestamp": "1614265331"},
        {"svix-signature": "v1,"},
        {"svix-signature": "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"webhook-id": "msg_1", "svix-id": ""},
    ],
)
def test_every_header_of_svix_is_signed(changes: dict[str, str]) -> None:
    with pytest.raises(NotProven):
        reducto(COMPLETED, changes)


@pytest.mark.parametrize("later", [-301, 301])
def test_an_event_of_another_time_is_refused(later: float) -> None:
    with pytest.raises(NotProven, match="svix-timestamp is more than 5 minutes"):
        reducto(COMPLETED, now=NOW + later)


@pytest.mark.parametrize(
    "event",
    [
        {"status": "Completed", "job_id": "r-1", "metadata": None},
        {"status": "Completed", "job_id": "r-1", "metadata": {"user_id": "123"}},
        COMPLETED | {"status": "Idle"},
    ],
)
def test_what_does_not_concern_us_is_ignored(event: dict[str, Any]) -> None:
    assert reducto(event).code is None


@pytest.mark.parametrize(
    "event",
    [
        b"no JSON",
        [],
        {"status": "Completed"},
        {"status": 7.5, "job_id": "r-1"},
        COMPLETED | {"metadata": {"hookline_job_id": "no UUID"}},
        COMPLETED | {"metadata": {"hookline_job_id": str(JOB), "attempt": "two"}},
        COMPLETED | {"job_id": "r" * 201},
        COMPLETED | {"job_id": "r\0"},
    ],
)
def test_a_proven_body_of_another_shape_is_malformed(event: object) -> None:
    with pytest.raises(Malformed):
        reducto(event)


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_a_callback_of_docling_serve_names_its_task_and_no_job(secret: bytes) -> None:
    notice = docling(ENDED, authorization_of(secret, JOB, 3))
    assert (notice.code, notice.job_id, notice.parse_job_id) == ("parse_ready", None, "t-1")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        f"Basic {JOB}",
        f"Bearer {JOB}.1.{'A' * 43}",
        authorization_of(b"a-secret-of-somebody-else", JOB, 1),
        authorization_of(SECRET, JOB, 2).replace(".2.", ".1."),
        authorization_of(SECRET, JOB, 1).replace(str(JOB), str(OTHER_JOB)),
        authorization_of(SECRET, JOB, 1).replace(str(JOB), "-" * 36),
        # A token of the push proves nothing here.
        f"Bearer {JOB}.{mint_token(SECRET, JOB, 1)}",
        authorization_of(SECRET, JOB, 1) + "é",
    ],
)
def test_every_other_token_is_refused_whatever_the_body_is(authorization: str) -> None:
    for body in (ENDED, b"no JSON"):
        with pytest.raises(NotProven):
            docling(body, authorization)


def test_without_a_secret_or_a_header_nothing_is_proven() -> None:
    text = json.dumps(ENDED).encode()
    given = {"authorization": authorization_of(SECRET, JOB, 1)}
    with pytest.raises(NotProven):
        DoclingSource([]).read(given, text, NOW, {})
    with pytest.raises(NotProven):
        DoclingSource([SECRET]).read({}, text, NOW, {})
    with pytest.raises(NotProven):
        ReductoSource([]).read(VECTOR, text, NOW, {})


@pytest.mark.parametrize("kind", ["set_num_docs", "update_processed", "document_completed"])
def test_progress_before_the_end_is_ignored(kind: str) -> None:
    assert docling({"task_id": "t-1", "progress": {"kind": kind, "num_docs": 1}}).code is None


def test_a_failure_keeps_its_reason_and_the_same_callback_its_id() -> None:
    failed = {"kind": "task_completed", "task_status": "failure", "failure": {"message": "Why."}}
    notice = docling({"task_id": "t-1", "progress": failed})
    assert (notice.code, notice.payload["error"]) == ("parse_ended", "Why.")
    assert docling(ENDED).delivery_id == docling(ENDED).delivery_id != notice.delivery_id


@pytest.mark.parametrize(
    "event",
    [
        b"[",
        {},
        {"task_id": "t-1"},
        {"task_id": "t-1", "progress": {"kind": "task_completed", "task_status": "perhaps"}},
        {"progress": ENDED["progress"]},
    ],
)
def test_a_callback_of_another_shape_is_malformed(event: object) -> None:
    with pytest.raises(Malformed):
        docling(event)
