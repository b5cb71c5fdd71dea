"""A described sender: its signature is checked as described, and nothing unsigned counts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline.postgres.deliveries import Notice
from hookline.settings import ConfigurationError
from hookline.sources.descriptions import read_senders, secrets_variable
from hookline.sources.refusals import Malformed, NotProven
from hookline.sources.signed_json import SignedJsonSource
from hookline.sources.strict_json import pointed
from support.servers import ROOT

[README] = re.findall(
    r"^```toml\n(\[extend\].*?)^```",
    (ROOT / "server/README.md").read_text(),
    re.MULTILINE | re.DOTALL,
)
NOW = 1614265330.0
JOB = "0198f0a1-7b3c-7d4e-8f50-123456789abc"
EXTEND_SECRET = "wss_test_secret_of_extend"
EXTEND_BODY = (
    b'{"eventId":"evt_123","eventType":"parse_run.processed","payload":{"object":'
    b'"parse_run_status","id":"pr_xK9mLPqRtN3vS8wF5hB2cQ","status":"PROCESSED"}}'
)
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def source_of(name: str, secrets: str, text: str = README) -> SignedJsonSource:
    sender = read_senders(text, frozenset())[name]
    return SignedJsonSource(sender.description(name), sender.keys(secrets))


def extend_headers(
    body: bytes = EXTEND_BODY, *, secret: str = EXTEND_SECRET, timestamp: str = "1614265330"
) -> dict[str, str]:
    mac = hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256)
    return {
        "X-Extend-Request-Timestamp": timestamp,
        "X-Extend-Request-Signature": mac.hexdigest(),
    }


def read_extend(headers: Mapping[str, str], body: bytes = EXTEND_BODY, now: float = NOW) -> Notice:
    return source_of("extend", EXTEND_SECRET).read(headers, body, now, {})


def test_an_event_of_extend_is_read_as_its_documentation_says() -> None:
    notice = read_extend(extend_headers())
    assert (notice.delivery_id, notice.event_type) == ("evt_123", "parse_run.processed")
    assert (notice.code, notice.parse_job_id) == ("parse_ready", "pr_xK9mLPqRtN3vS8wF5hB2cQ")


def test_the_computation_is_that_of_the_sdk_of_extend() -> None:
    """Vector: secret wss_test_secret, computed with the SDK's own formula."""
    sender = read_senders(README, frozenset())["extend"]
    source = SignedJsonSource(sender.description("extend"), [b"wss_test_secret"])
    headers = {
        "x-extend-request-timestamp": "1614265330",
        "x-extend-request-signature": (
            "1cbecf9090b0559d3e155a208b46d95471260ac9a63b5c62cde0f158e3fe443a"
        ),
    }
    assert source.read(headers, EXTEND_BODY, NOW, {}).code == "parse_ready"


def test_a_large_result_of_extend_that_is_a_url_is_the_same_event() -> None:
    body = (
        b'{"eventId":"e","eventType":"parse_run.processed","payload":'
        b'{"object":"signed_data_url","data":"https://x.example","id":"pr_1"}}'
    )
    notice = read_extend(extend_headers(body), body)
    assert (notice.code, notice.parse_job_id) == ("parse_ready", "pr_1")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("job.completed", "parse_ready"),
        ("job.failed", "parse_ended"),
        ("job.stopped", "parse_cancelled"),
        ("job.scheduled", None),
    ],
)
def test_an_event_of_unstructured_is_a_standard_webhook(kind: str, code: str | None) -> None:
    body = json.dumps({"type": kind, "job": {"job_id": "j-1", "workflow_id": "w"}}).encode()
    key = base64.b64decode(WHSEC.removeprefix("whsec_"))
    mac = base64.b64encode(hmac.digest(key, b"msg_1.1614265330." + body, "sha256")).decode()
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1614265330",
        "webhook-signature": f"v1a,{mac} v1,{'A' * 43}= v1,{mac}",
    }
    notice = source_of("unstructured", WHSEC).read(headers, body, NOW, {})
    assert (notice.delivery_id, notice.code) == ("msg_1", code)
    assert notice.parse_job_id == (None if code is None else "j-1")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"X-Extend-Request-Signature": None}, "no_signature"),
        ({"X-Extend-Request-Timestamp": None}, "malformed_signature"),
        ({"X-Extend-Request-Timestamp": "1614265331"}, "no_match"),
        ({"X-Extend-Request-Timestamp": "1614265330 "}, "malformed_signature"),
        ({"X-Extend-Request-Signature": "00" * 32}, "no_match"),
        ({"X-Extend-Request-Signature": "é" * 64}, "malformed_signature"),
        ({"X-Extend-Request-Signature": ""}, "malformed_signature"),
        ({"x-extend-request-signature": "00" * 32}, "repeated_header"),
    ],
)
def test_what_is_not_proven_is_refused(changes: dict[str, str | None], reason: str) -> None:
    headers = {k: v for k, v in {**extend_headers(), **changes}.items() if v is not None}
    with pytest.raises(NotProven) as raised:
        read_extend(headers)
    assert raised.value.reason.code == reason


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_or_early_event_is_refused_and_only_a_proven_sender_is_told_why(
    seconds: int,
) -> None:
    with pytest.raises(NotProven, match="more than 300 s"):
        read_extend(extend_headers(), now=NOW + seconds)
    with pytest.raises(NotProven, match="does not match"):
        read_extend(extend_headers(secret="another secret of mine"), now=NOW + seconds)


def test_without_a_secret_nothing_is_proven() -> None:
    sender = read_senders(README, frozenset())["extend"]
    for secrets in ([], [b""]):
        with pytest.raises(NotProven):
            SignedJsonSource(sender.description("extend"), secrets).read(
                extend_headers(), EXTEND_BODY, NOW, {}
            )


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 10**12 - 1))
def test_a_signature_proves_exactly_its_body_and_time(body: bytes, timestamp: int) -> None:
    if (body, timestamp) == (EXTEND_BODY, int(NOW)):
        return
    headers = extend_headers() | {"X-Extend-Request-Timestamp": str(timestamp)}
    with pytest.raises(NotProven):
        read_extend(headers, body)


@pytest.mark.parametrize("wrong", ["msg.1", "", "é", "a b", "x" * 201])
def test_a_signed_id_cannot_pass_for_id_and_time(wrong: str) -> None:
    headers = {
        "webhook-id": wrong,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1," + "A" * 43 + "=",
    }
    with pytest.raises(NotProven) as raised:
        source_of("unstructured", WHSEC).read(headers, b"{}", NOW, {})
    assert raised.value.reason.code == "malformed_signature"


PLAIN = """
[plain]
signature_header = "x-signature"
signature_prefix = "sha512="
algorithm = "sha512"
status = "/state"
parse_job_id = "/jobs/0/a~1b"
job_id = "/meta/ours"
attempt = "/meta/attempt"
reason = "/why"
codes = { bad = "parse_failed", good = "parse_ready" }
"""
# What is no number of an attempt.
NO_ATTEMPTS = [0, -1, 1.5, True, "", "one", "01", " 1", "1\n", 2**31, "9" * 4000, [1], {}]
PLAIN_SECRET = "a secret of sixteen bytes"


def read_plain(event: object) -> Notice:
    body = json.dumps(event).encode()
    mac = hmac.digest(PLAIN_SECRET.encode(), body, "sha512").hex().upper()
    source = source_of("plain", f"an-older-secret-of-ours, {PLAIN_SECRET}", PLAIN)
    return source.read({"X-Signature": f"sha512={mac}"}, body, NOW, {})


def test_ids_and_reason_are_found_where_the_description_says() -> None:
    notice = read_plain(
        {
            "state": "bad",
            "jobs": [{"a/b": 7}],
            "meta": {"ours": JOB, "attempt": 2},
            "why": {"code": 3},
        }
    )
    assert (notice.parse_job_id, notice.job_id, notice.attempt) == ("7", UUID(JOB), 2)
    assert notice.payload == {"parse_job_id": "7", "error": '{"code":3}'}
    assert len(notice.delivery_id) == 64


@pytest.mark.parametrize(("said", "attempt"), [(None, None), (1, 1), ("7", 7), (2**31 - 1,) * 2])
def test_an_attempt_may_be_missing_or_written_as_text(said: object, attempt: int | None) -> None:
    meta = {"ours": JOB, "attempt": said}
    assert read_plain({"state": "good", "meta": meta}).attempt == attempt


def test_a_failure_without_a_reason_says_so() -> None:
    assert read_plain({"state": "bad", "meta": {"ours": JOB}}).payload["error"]


@pytest.mark.parametrize(
    "event",
    [
        [],
        {},
        {"state": 1.5},
        {"state": "good"},
        {"state": "good", "jobs": {"0": {}}},
        {"state": "good", "jobs": [{"a/b": "x\0"}]},
        {"state": "good", "meta": {"ours": "no uuid"}},
        {"state": "good", "meta": {"ours": 5}},
        *({"state": "good", "meta": {"ours": JOB, "attempt": one}} for one in NO_ATTEMPTS),
    ],
)
def test_a_proven_event_of_another_shape_is_malformed(event: Any) -> None:
    with pytest.raises(Malformed):
        read_plain(event)


def test_a_pointer_is_followed_as_rfc_6901_says() -> None:
    document = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "m~n": 8, "e": {"f": None}}
    expected = {
        "": document,
        "/foo": ["bar", "baz"],
        "/foo/0": "bar",
        "/": 0,
        "/a~1b": 1,
        "/m~0n": 8,
        "/foo/01": None,
        "/foo/9": None,
        "/foo/-": None,
        "/e/f/g": None,
        "/foo/bar": None,
    }
    assert {pointer: pointed(document, pointer) for pointer in expected} == expected


GOOD: dict[str, Any] = {
    "signature_header": "x-signature",
    "status": "/state",
    "parse_job_id": "/id",
    "codes": {"good": "parse_ready"},
}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"signature_header": None}, "signature_header"),
        ({"signature_heder": "x"}, "signature_heder"),
        ({"signed": "{timestamp}.{body}"}, "timestamp_header and {timestamp} in signed"),
        ({"timestamp_header": "x-time"}, "proves nothing"),
        ({"signed": "{id}{body}", "id_header": "x-id"}, "stands between two values"),
        ({"signed": "{id}v1{body}", "id_header": "x-id"}, "stands between two values"),
        ({"signed": "v0"}, "{body} once"),
        ({"signed": "{body}.{body}"}, "{body} once"),
        ({"signed": "{url}.{body}"}, "only {body}, {id} and {timestamp}"),
        ({"signed": "{body}}"}, "only {body}, {id} and {timestamp}"),
        ({"encoding": "base32"}, "encoding"),
        ({"algorithm": "sha1"}, "algorithm"),
        ({"tolerance": 0}, "tolerance"),
        ({"tolerance": True}, "tolerance"),
        ({"secret_form": "plain"}, "secret_form"),
        ({"status": "state"}, "status"),
        ({"status": "/a~2"}, "status"),
        ({"codes": {"good": "parse_completed"}}, "codes.good"),
        ({"codes": {}}, "codes has to map"),
        ({"parse_job_id": None}, "where the job is named"),
        ({"attempt": "/attempt"}, "attempt needs job_id"),
    ],
)
def test_a_wrong_description_stops_the_start_with_a_sentence(
    changes: dict[str, Any], sentence: str
) -> None:
    table = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    lines = [f"{key} = {_toml(value)}" for key, value in table.items()]
    with pytest.raises(ConfigurationError) as raised:
        read_senders("\n".join(["[acme]", *lines]), frozenset())
    assert sentence in str(raised.value)
    assert str(raised.value).startswith("The source [acme] of HOOKLINE_SOURCES is wrong: ")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{k} = {json.dumps(v)}' for k, v in value.items())} }}"
    return json.dumps(value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[acme", "is no TOML"),
        ("", "describes no source"),
        ("acme = 1", "is no table"),
        ("[llamacloud]", "needs another name"),
        ("[Acme]", "needs another name"),
        ("[push]", "HOOKLINE_PUSH_SECRETS has the secrets of a built-in source"),
        ('["../x"]', "needs another name"),
    ],
)
def test_a_wrong_file_stops_the_start_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        read_senders(text, frozenset({"llamacloud"}))


@pytest.mark.parametrize(
    ("form", "secret", "key"),
    [
        ("text", "0123456789abcdef", b"0123456789abcdef"),
        ("hex", "00" * 16, bytes(16)),
        ("base64", "A" * 22 + "==", bytes(16)),
        ("whsec", WHSEC, base64.b64decode(WHSEC[6:])),
        ("text", "short", None),
        ("hex", "0g" * 16, None),
        ("hex", "00" * 8, None),
        ("base64", "A" * 21, None),
        ("whsec", "0123456789abcdef", None),
    ],
)
def test_a_secret_is_read_in_the_form_that_is_described(
    form: str, secret: str, key: bytes | None
) -> None:
    text = f'{PLAIN}secret_form = "{form}"\n'
    sender = read_senders(text, frozenset())["plain"]
    if key is not None:
        assert sender.keys(secret) == [key]
        return
    with pytest.raises(ValueError, match="secret") as raised:
        sender.keys(secret)
    assert secret not in str(raised.value)


def test_the_variable_of_the_secrets_has_the_name_of_the_source() -> None:
    assert secrets_variable("my_acme") == "HOOKLINE_MY_ACME_SECRETS"


def test_what_stands_after_the_body_is_signed_too() -> None:
    text = PLAIN.replace("[plain]", '[plain]\nsigned = "{body}.{id}!"\nid_header = "x-id"')
    body = b'{"state": "other"}'
    mac = hmac.digest(PLAIN_SECRET.encode(), body + b".d-1!", "sha512").hex()
    source = source_of("plain", PLAIN_SECRET, text)
    headers = {"x-id": "d-1", "x-signature": f"sha512={mac}"}
    assert source.read(headers, body, NOW, {}).delivery_id == "d-1"
    with pytest.raises(NotProven):
        source.read({**headers, "x-id": "d-2"}, body, NOW, {})


def test_a_signature_without_its_prefix_does_not_count() -> None:
    body = b'{"state": "other"}'
    mac = hmac.digest(PLAIN_SECRET.encode(), body, "sha512").hex()
    source = source_of("plain", PLAIN_SECRET, PLAIN)
    for header in (mac, f"sha256={mac}", f"SHA512={mac}"):
        with pytest.raises(NotProven) as raised:
            source.read({"x-signature": header}, body, NOW, {})
        assert raised.value.reason.code == "malformed_signature"
