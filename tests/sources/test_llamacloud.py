import hashlib
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hookline.postgres.deliveries import Notice
from hookline.sources.llamacloud import NO_REASON, parse
from hookline.sources.refusals import Malformed

EVENT_ID = "149744dd-9002-4411-a6c7-9635da372caa"
PARSE_JOB = "a9a57884-921e-4ec2-b555-f4e5a97ec02a"
EVENT: dict[str, Any] = {
    "event_id": EVENT_ID,
    "event_type": "parse.success",
    "timestamp": 1753985275.1154444,
    "data": {"id": PARSE_JOB, "job_id": PARSE_JOB},
}

any_text = st.text(st.characters(exclude_categories=()))
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
    max_leaves=5,
)


def event(**changes: Any) -> bytes:
    return json.dumps(EVENT | changes).encode()


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def test_the_documented_event_says_that_a_result_is_ready() -> None:
    assert parse(event()) == Notice(
        delivery_id=EVENT_ID,
        event_type="parse.success",
        code="parse_ready",
        parse_job_id=PARSE_JOB,
        payload={"event_timestamp": 1753985275.1154444, "parse_job_id": PARSE_JOB},
    )


def test_json_inside_a_json_string_is_the_same_event() -> None:
    assert parse(json.dumps(json.dumps(EVENT)).encode()) == parse(event())


def test_json_is_decoded_twice_at_most() -> None:
    with pytest.raises(Malformed):
        parse(json.dumps(json.dumps(json.dumps(EVENT))).encode())


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("pending", "parse_started"),
        ("running", "parse_started"),
        ("success", "parse_ready"),
        ("partial_success", "parse_partial"),
        ("error", "parse_ended"),
        ("cancelled", "parse_cancelled"),
    ],
)
@pytest.mark.parametrize("spell", ["parse.{}", "parse_{}", "PARSE_{}", "PARSE.{}", "Parse.{}"])
def test_every_type_has_its_code_in_every_spelling(name: str, code: str, spell: str) -> None:
    spelled = spell.format(name.upper() if spell.isupper() else name)
    for event_type in (spelled, spelled.upper()):
        notice = parse(event(event_type=event_type))
        assert notice.code == code
        assert notice.event_type == f"parse.{name}"
        assert notice.parse_job_id == PARSE_JOB


@pytest.mark.parametrize(
    "event_type",
    ["extract.success", "unmapped_event", "parse.paused", "parse", "parsexsuccess", "parse..error"],
)
@pytest.mark.parametrize("data", [None, {}, {"id": 7}, "text", {"id": PARSE_JOB}])
def test_events_of_other_applications_are_ignored(event_type: Any, data: Any) -> None:
    assert parse(event(event_type=event_type, data=data)) == Notice(
        delivery_id=EVENT_ID,
        event_type=event_type,
        code=None,
        payload={"event_timestamp": 1753985275.1154444},
    )


@pytest.mark.parametrize(
    "data",
    [{"id": PARSE_JOB}, {"id": PARSE_JOB, "job_id": None}, {"id": PARSE_JOB, "job_id": ""}],
)
def test_an_event_with_only_data_id_is_ours_too(data: Any) -> None:
    assert parse(event(data=data)).parse_job_id == PARSE_JOB


def test_job_id_wins_over_id() -> None:
    assert parse(event(data={"id": "evt-7", "job_id": PARSE_JOB})).parse_job_id == PARSE_JOB


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "text",
        {},
        {"id": None},
        {"id": ""},
        {"id": 7},
        {"id": PARSE_JOB, "job_id": 7},
        {"id": PARSE_JOB, "job_id": [PARSE_JOB]},
        {"id": "x" * 201},
        {"id": "a\x00"},
        {"id": "\ud800"},
    ],
)
def test_an_event_of_ours_without_a_usable_provider_id_is_malformed(data: Any) -> None:
    with pytest.raises(Malformed, match="data"):
        parse(event(data=data))


@pytest.mark.parametrize("event_id", [None, "", 7, [EVENT_ID], "x" * 201])
def test_without_a_usable_event_id_the_delivery_id_is_the_hash_of_the_body(event_id: Any) -> None:
    body = event(event_id=event_id)
    assert parse(body).delivery_id == digest(body)


def test_an_event_id_of_200_characters_is_the_delivery_id() -> None:
    assert parse(event(event_id="x" * 200)).delivery_id == "x" * 200


@pytest.mark.parametrize("event_type", [None, "", 7, ["parse.success"], "x" * 201])
def test_an_event_without_a_usable_type_is_malformed(event_type: Any) -> None:
    with pytest.raises(Malformed, match="event_type"):
        parse(event(event_type=event_type))


@pytest.mark.parametrize("poison", ["\x00", "\ud800"])
@pytest.mark.parametrize("event_type", ["extract.success", "parse.error"])
def test_text_that_postgres_cannot_store_is_malformed(poison: str, event_type: Any) -> None:
    for changes in (
        {"event_type": event_type + poison},
        {"event_type": event_type, "event_id": poison},
    ):
        with pytest.raises(Malformed, match=r"event_(type|id) holds U\+0000"):
            parse(event(**changes))


@pytest.mark.parametrize("name", ["error_message", "error", "error_code"])
@pytest.mark.parametrize("unstorable", ["\x00", "\ud800"])
def test_a_failure_stays_a_failure_whatever_its_error_holds(name: str, unstorable: str) -> None:
    notice = parse(
        event(event_type="parse.error", data={"id": PARSE_JOB, name: f"bad {unstorable} page"})
    )
    assert (notice.code, notice.payload["error"]) == ("parse_ended", "bad \ufffd page")


def test_unstorable_text_in_fields_that_are_not_stored_does_no_harm() -> None:
    assert parse(event(other="\x00", data={"id": PARSE_JOB, "other": "\ud800"})).code


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, {"error": NO_REASON}),
        ({"error_message": "", "error_code": None}, {"error": NO_REASON}),
        ({"error_message": "Too many pages."}, {"error": "Too many pages."}),
        ({"error": {"detail": "é"}}, {"error": '{"detail":"é"}'}),
        ({"error_code": "TIMEOUT"}, {"error": "TIMEOUT", "error_code": "TIMEOUT"}),
        (
            {"error_message": "Late.", "error": "no", "error_code": "TIMEOUT"},
            {"error": "Late.", "error_code": "TIMEOUT"},
        ),
    ],
)
def test_a_failure_always_says_why_as_text(data: Any, reason: dict[str, str]) -> None:
    notice = parse(event(event_type="parse.error", data={"id": PARSE_JOB} | data))
    assert (
        notice.payload
        == {
            "event_timestamp": 1753985275.1154444,
            "parse_job_id": PARSE_JOB,
        }
        | reason
    )


def test_a_partial_success_keeps_its_reason_if_it_gives_one() -> None:
    data = {"id": PARSE_JOB, "error_message": "Page 7 is blank."}
    notice = parse(event(event_type="parse.partial_success", data=data))
    assert notice.payload["error"] == "Page 7 is blank."


def test_a_payload_stays_small_whatever_is_sent() -> None:
    data = {"id": PARSE_JOB, "error_message": "x" * 1_000_000, "blob": "y" * 1_000_000}
    notice = parse(event(event_type="parse.error", data=data, blob=["z"] * 100_000))
    assert len(json.dumps(notice.payload)) < 10_200
    assert notice.payload["error"] == "x" * 9_999 + "…"


@pytest.mark.parametrize("timestamp", [None, True, "1753985275", -1, 10**12, 10**4000, [1]])
def test_a_timestamp_that_is_no_time_is_left_out(timestamp: Any) -> None:
    assert "event_timestamp" not in parse(event(timestamp=timestamp)).payload


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"null",
        b"7",
        b"[]",
        b'"text"',
        b'"[]"',
        b"\xef\xbb\xbf{}",
        event()[:-1] + b',"event_type":"parse.error"}',
        event()[:-1] + b',"x":{"a":1,"a":1}}',
        event()[:-1] + b',"x":NaN}',
        event()[:-1] + b',"x":-Infinity}',
        event()[:-1] + b',"x":1e999}',
        event()[:-1] + b',"x":' + b"9" * 5_000 + b"}",
        event()[:-1] + b',"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        event().replace(b"parse.success", b"\xed\xa0\x80"),
        event().decode().encode("utf-16"),
    ],
)
def test_a_body_that_is_not_one_plain_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed) as refusal:
        parse(body)
    assert len(str(refusal.value)) < 100


types = st.sampled_from(["parse.error", "PARSE_SUCCESS", "extract.success"])
events = st.fixed_dictionaries(
    {},
    optional={
        "event_id": any_json | any_text,
        "event_type": any_json | types,
        "timestamp": any_json,
        "data": any_json
        | st.fixed_dictionaries(
            {},
            optional=dict.fromkeys(
                ("id", "job_id", "error", "error_code", "error_message"), any_json | any_text
            ),
        ),
    },
)


@settings(deadline=None)
@given(
    st.binary()
    | (any_json | events).map(json.dumps).map(str.encode)
    | events.map(json.dumps).map(json.dumps).map(str.encode)
)
@example(json.dumps("[" * 100_000).encode())
def test_every_notification_is_malformed_or_storable(body: bytes) -> None:
    try:
        notice = parse(body)
    except Malformed:
        return
    stored = json.dumps(
        [notice.delivery_id, notice.event_type, notice.payload],
        ensure_ascii=False,
        allow_nan=False,
    )
    assert "\\u0000" not in stored.replace("\\\\", "")
    stored.encode()
    assert 1 <= len(notice.delivery_id) <= 200
