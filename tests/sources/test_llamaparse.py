import hashlib
import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hookline.postgres.deliveries import Content, Notice
from hookline.sources import llamaparse, strict_json
from hookline.sources.llamaparse import NO_REASON, json_schema, parse
from hookline.sources.refusals import Malformed, Unprocessable

JOB = UUID("0198f0a1-7b3c-7d4e-8f50-123456789abc")
DOCUMENT = UUID("0198f0a1-7b3c-7d4e-8f50-fedcba987654")
TEXT = "# Grüße\n\n世界\n"
MARKDOWN: dict[str, Any] = {
    "type": "markdown",
    "content": TEXT,
    "sha256": hashlib.sha256(TEXT.encode()).hexdigest(),
    "bytes": len(TEXT.encode()),
}
PARSED: dict[str, Any] = {
    "job_id": str(JOB),
    "document_id": str(DOCUMENT),
    "parse_job_id": "pj-1",
    "status": "parsed",
    "artifacts": [MARKDOWN],
    "meta": {"parser_name": "llamaparse", "parser_version": "1.2"},
    "correlation_id": "corr-1",
}
FAILED: dict[str, Any] = PARSED | {
    "status": "failed",
    "artifacts": [],
    "meta": {"parser_name": "llamaparse", "parser_version": "1.2", "error": "PDF_IS_BROKEN"},
}
PROCESSING: dict[str, Any] = PARSED | {"status": "processing", "artifacts": []}
SCHEMA_FILE = Path(llamaparse.__file__).with_name("envelope.schema.json")

any_text = st.text(st.characters(exclude_categories=()))
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
    max_leaves=5,
)


def sent(envelope: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps(envelope | changes).encode()


def without(envelope: dict[str, Any], name: str) -> bytes:
    return json.dumps({key: value for key, value in envelope.items() if key != name}).encode()


def reason_of(body: bytes) -> Any:
    notice = parse(body)
    assert isinstance(notice, Notice)
    return notice.payload["error"]


def failed(error: Any) -> bytes:
    return sent(FAILED, meta={"parser_name": "p", "parser_version": "1", "error": error})


# What an envelope says


def test_a_parsed_envelope_is_the_document_s_text() -> None:
    assert parse(sent(PARSED), "msg_1") == Content(
        delivery_id="msg_1",
        event_type="parsed",
        job_id=JOB,
        content=TEXT.encode(),
        document_id=DOCUMENT,
        parse_job_id="pj-1",
        content_sha256=MARKDOWN["sha256"],
        content_bytes=MARKDOWN["bytes"],
        details={
            "parse_job_id": "pj-1",
            "parser_name": "llamaparse",
            "parser_version": "1.2",
            "content_length": len(TEXT),
        },
        correlation_id="corr-1",
    )


def test_an_envelope_of_the_local_parser_names_its_attempt() -> None:
    local = f"local-{JOB}-2"
    for envelope in (PARSED, FAILED):
        assert parse(sent(envelope, parse_job_id=local), "msg_1").attempt == 2
        assert parse(sent(envelope, parse_job_id="pj-2"), "msg_1").attempt is None


def test_a_failed_envelope_is_a_failure_with_its_reason() -> None:
    assert parse(sent(FAILED), "msg_1") == Notice(
        delivery_id="msg_1",
        event_type="failed",
        code="parse_failed",
        job_id=JOB,
        document_id=DOCUMENT,
        parse_job_id="pj-1",
        payload={
            "error": "PDF_IS_BROKEN",
            "parse_job_id": "pj-1",
            "parser_name": "llamaparse",
            "parser_version": "1.2",
        },
        correlation_id="corr-1",
    )


def test_a_processing_envelope_says_that_parsing_has_begun() -> None:
    notice = parse(sent(PROCESSING), "msg_1")
    assert isinstance(notice, Notice)
    assert (notice.code, notice.event_type) == ("parse_started", "processing")
    assert notice.payload == {
        "parse_job_id": "pj-1",
        "parser_name": "llamaparse",
        "parser_version": "1.2",
    }


@pytest.mark.parametrize("said", [PARSED, FAILED, PROCESSING])
def test_without_a_signed_id_the_delivery_id_is_the_hash_of_the_body(said: dict[str, Any]) -> None:
    body = sent(said)
    assert parse(body).delivery_id == hashlib.sha256(body).hexdigest()
    assert parse(body).delivery_id != parse(body + b"\n").delivery_id


@pytest.mark.parametrize("name", ["correlation_id", "meta"])
def test_an_envelope_without_an_optional_field_is_accepted(name: str) -> None:
    content = parse(without(PARSED, name))
    assert isinstance(content, Content)
    assert content.content == TEXT.encode()


def test_a_missing_correlation_id_is_left_to_the_job() -> None:
    assert parse(without(PARSED, "correlation_id")).correlation_id is None
    assert parse(sent(PARSED, correlation_id=None)).correlation_id is None


def test_fields_that_we_do_not_know_are_ignored() -> None:
    meta = PARSED["meta"] | {"pages": 7, "\x00": "\ud800"}
    markdown = MARKDOWN | {"encoding": "utf-8"}
    body = sent(PARSED, meta=meta, artifacts=[markdown], sent_by="parser-7", extra={"a": [None]})
    assert parse(body, "1") == parse(sent(PARSED), "1")


def test_artifacts_of_other_types_are_not_kept_and_named() -> None:
    others = [{"type": "json", "content": {"pages": []}}, *[{"type": "images\0"}] * 3]
    content = parse(sent(PARSED, artifacts=[*others, MARKDOWN]), "1")
    alone = parse(sent(PARSED), "1")
    assert isinstance(content, Content)
    assert isinstance(alone, Content)
    named = {"artifacts_not_kept": ["images\N{REPLACEMENT CHARACTER}", "json"]}
    assert content == replace(alone, details=alone.details | named)


@pytest.mark.parametrize(
    "artifacts",
    [[], [{"type": "text", "content": TEXT}], [{"type": "Markdown"}], [MARKDOWN, MARKDOWN]],
)
def test_parsed_without_exactly_one_markdown_artifact_is_unprocessable(
    artifacts: list[Any],
) -> None:
    with pytest.raises(Unprocessable, match="exactly one markdown artifact"):
        parse(sent(PARSED, artifacts=artifacts))


def test_parsed_that_leaves_artifacts_out_is_unprocessable() -> None:
    with pytest.raises(Unprocessable):
        parse(without(PARSED, "artifacts"))


def test_a_claimed_hash_is_compared_in_lowercase() -> None:
    shouted = MARKDOWN | {"sha256": MARKDOWN["sha256"].upper()}
    content = parse(sent(PARSED, artifacts=[shouted]))
    assert isinstance(content, Content)
    assert content.content_sha256 == MARKDOWN["sha256"]


def test_a_wrong_hash_and_size_are_left_to_the_database() -> None:
    lie = {"type": "markdown", "content": "x", "sha256": "0" * 64, "bytes": 7}
    content = parse(sent(PARSED, artifacts=[lie]))
    assert isinstance(content, Content)
    assert (content.content, content.content_sha256, content.content_bytes) == (b"x", "0" * 64, 7)


@pytest.mark.parametrize("text", ["", "\n---\n\n---\n", "\u200b\ufeff", "```text\n\n```"])
def test_a_parsed_envelope_without_text_is_unprocessable(text: str) -> None:
    with pytest.raises(Unprocessable, match="no text"):
        parse(sent(PARSED, artifacts=[MARKDOWN | {"content": text}]))


def test_nul_and_lone_surrogates_in_the_text_survive_as_bytes() -> None:
    content = parse(sent(PARSED, artifacts=[MARKDOWN | {"content": "a\x00b\ud800"}]))
    assert isinstance(content, Content)
    assert content.content == b"a\x00b\xed\xa0\x80"
    assert content.details["content_length"] == 4


def test_the_text_does_not_show_when_a_content_is_printed() -> None:
    assert "Grüße" not in repr(parse(sent(PARSED)))


# Errors of a parser


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("Password required.", "Password required."),
        ("  spaces stay ", "  spaces stay "),
        ({"code": 7, "why": "größer"}, '{"code":7,"why":"größer"}'),
        (["a", None, True, 1.5], '["a",null,true,1.5]'),
        (0, "0"),
        (False, "false"),
        (None, NO_REASON),
        ("", NO_REASON),
    ],
)
def test_an_error_of_any_json_type_becomes_text(error: Any, text: str) -> None:
    assert reason_of(failed(error)) == text


def test_a_failure_without_a_reason_says_so() -> None:
    notice = parse(without(FAILED, "meta"))
    assert isinstance(notice, Notice)
    assert notice.payload == {
        "error": NO_REASON,
        "parse_job_id": "pj-1",
        "parser_name": None,
        "parser_version": None,
    }


def test_a_long_error_is_cut_and_shows_it() -> None:
    assert reason_of(failed("x" * 10_000)) == "x" * 10_000
    assert reason_of(failed("x" * 10_001)) == "x" * 9_999 + "…"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("bad \x00 page", "bad \ufffd page"),
        ("bad \ud83d page", "bad \ufffd page"),
        ("bad \ud83d\ude00 page", "bad \U0001f600 page"),
        (["\ud800"], '["\ufffd"]'),
        ({"a": [{"\ud800": "\x00"}]}, '{"a":[{"\ufffd":"\\u0000"}]}'),
    ],
)
def test_a_failure_stays_a_failure_whatever_its_error_holds(error: Any, text: str) -> None:
    assert reason_of(failed(error)) == text


def test_an_error_that_is_nested_too_deeply_is_still_an_error() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    assert strict_json.as_text(nested) == "(nested too deeply)"


@pytest.mark.parametrize("status", ["failed", "parsed"])
def test_no_character_in_a_parsers_name_costs_the_delivery(status: str) -> None:
    said = FAILED if status == "failed" else PARSED
    read = parse(sent(said, meta={"parser_name": "a\x00\ud800", "parser_version": "1"}))
    payload = read.payload if isinstance(read, Notice) else read.details
    assert payload["parser_name"] == "a\ufffd\ufffd"


def test_an_error_that_is_not_reported_may_hold_anything() -> None:
    assert parse(sent(PARSED, meta={"error": "\x00"}))


# Envelopes that are refused


BAD = [
    ("job_id", "7"),
    ("job_id", 7),
    ("job_id", None),
    ("job_id", "\ud800"),
    ("document_id", "not-a-uuid"),
    ("document_id", [str(DOCUMENT)]),
    ("parse_job_id", ""),
    ("parse_job_id", "x" * 201),
    ("parse_job_id", 7),
    ("parse_job_id", "a\x00"),
    ("parse_job_id", "\ud800"),
    ("status", "PARSED"),
    ("status", "done"),
    ("status", None),
    ("artifacts", None),
    ("artifacts", {}),
    ("artifacts", [{"type": "x"}] * 101),
    ("meta", None),
    ("meta", []),
    ("correlation_id", ""),
    ("correlation_id", "x" * 201),
    ("correlation_id", "a\nb"),
    ("correlation_id", "a\x00"),
    ("correlation_id", "\ud800"),
    ("correlation_id", 7),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_wrong_field_is_malformed_and_named(name: str, value: Any) -> None:
    with pytest.raises(Malformed) as refusal:
        parse(sent(PARSED, **{name: value}))
    assert str(refusal.value) == f"The body does not fit the envelope's schema: {name}."


@pytest.mark.parametrize("name", ["job_id", "document_id", "parse_job_id", "status"])
def test_a_missing_field_is_malformed_and_named(name: str) -> None:
    with pytest.raises(Malformed, match=f": {name}\\.$"):
        parse(without(PARSED, name))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content", None),
        ("content", 7),
        ("content", ["text"]),
        ("sha256", "0" * 63),
        ("sha256", "0" * 64 + "\n"),
        ("sha256", "g" * 64),
        ("sha256", "\ud800" * 64),
        ("bytes", -1),
        ("bytes", 2**31),
        ("bytes", "7"),
        ("bytes", 7.0),
        ("bytes", True),
    ],
)
def test_a_wrong_field_of_a_markdown_artifact_is_malformed_and_named(name: str, value: Any) -> None:
    with pytest.raises(Malformed, match=rf": artifacts\.1\.{name}\.$"):
        parse(sent(PARSED, artifacts=[{"type": "x"}, MARKDOWN | {name: value}]))


@pytest.mark.parametrize("artifact", [None, 7, [], {}, {"type": None}, {"type": "x" * 201}])
def test_an_artifact_without_a_type_is_malformed(artifact: Any) -> None:
    with pytest.raises(Malformed, match=r"artifacts\.0"):
        parse(sent(PARSED, artifacts=[artifact]))


@pytest.mark.parametrize("name", ["parser_name", "parser_version"])
@pytest.mark.parametrize("value", [7, "x" * 201])
def test_a_wrong_word_about_the_parser_is_malformed_and_named(name: str, value: Any) -> None:
    with pytest.raises(Malformed, match=rf": meta\.{name}\.$"):
        parse(sent(PARSED, meta={name: value}))


def test_a_refusal_names_fields_and_never_values() -> None:
    secret = "4111-1111-1111-1111"
    wrong = {name: {secret: secret} for name in PARSED} | {"artifacts": [{secret: secret}]}
    with pytest.raises(Malformed) as refusal:
        parse(sent(wrong, **{secret: secret}))
    assert str(refusal.value) == (
        "The body does not fit the envelope's schema: "
        "job_id, document_id, parse_job_id, status, artifacts.0.type and 1 more."
    )
    assert refusal.value.__cause__ is None
    assert secret not in str(refusal.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        json.dumps(json.dumps(PARSED)).encode(),
        sent(PARSED)[:-1],
        sent(PARSED) + sent(PARSED),
        sent(PARSED)[:-1] + b',"status":"failed"}',
        sent(PARSED)[:-1] + b',"x":NaN}',
        sent(PARSED)[:-1] + b',"x":1e999}',
        sent(PARSED)[:-1] + b',"x":' + b"9" * 5_000 + b"}",
        b"[" * 200_000,
        b"\xff" + sent(PARSED),
        sent(PARSED).replace(b"corr-1", b"\xed\xa0\x80"),
    ],
)
def test_a_body_that_is_not_one_plain_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed) as refusal:
        parse(body)
    assert len(str(refusal.value)) < 100


# The published schema


def test_the_committed_schema_is_the_model_s() -> None:
    text = json.dumps(json_schema(), indent=2) + "\n"
    assert SCHEMA_FILE.read_text() == text, (
        "write it again: python -c 'import json;"
        " from hookline.sources.llamaparse import json_schema;"
        f" print(json.dumps(json_schema(), indent=2))' > {SCHEMA_FILE}"
    )


VALIDATOR = jsonschema.Draft202012Validator(
    json_schema(), format_checker=jsonschema.FormatChecker(["uuid"])
)


def test_the_schema_is_a_described_schema_of_2020_12() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "Hookline envelope"
    assert schema["description"]


@pytest.mark.parametrize(
    "said", [PARSED, FAILED, PROCESSING, PARSED | {"artifacts": [{"type": "json"}, MARKDOWN]}]
)
def test_the_schema_accepts_what_the_receiver_accepts(said: dict[str, Any]) -> None:
    assert parse(sent(said))
    VALIDATOR.validate(said)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((n, v) for n, v in BAD if not (isinstance(v, str) and v in ("a\nb", "a\x00", "\ud800"))),
        ("artifacts", [{"type": "markdown"}]),
        ("artifacts", [MARKDOWN | {"bytes": -1}]),
        ("artifacts", [{}]),
    ],
)
def test_the_schema_refuses_what_the_receiver_refuses(name: str, value: Any) -> None:
    assert not VALIDATOR.is_valid(PARSED | {name: value})


# Whatever is sent


@st.composite
def nearly_right(draw: st.DrawFn) -> dict[str, Any]:
    """An envelope with some values replaced by arbitrary JSON."""
    said: dict[str, Any] = deepcopy(draw(st.sampled_from([PARSED, FAILED, PROCESSING])))
    for part in (said, said["meta"], *said["artifacts"]):
        for name in draw(st.lists(st.sampled_from(sorted(part)), max_size=2, unique=True)):
            part[name] = draw(any_json | any_text)
    return said


@settings(deadline=None)
@given(st.binary() | (any_json | nearly_right()).map(json.dumps).map(str.encode))
@example(failed(None).replace(b"null", b"[" * 900 + b"]" * 900))
def test_every_envelope_is_refused_or_storable(body: bytes) -> None:
    try:
        said = parse(body)
    except (Malformed, Unprocessable):
        return
    payload = said.details if isinstance(said, Content) else said.payload
    texts = [said.parse_job_id or "", said.correlation_id or "", *map(str, payload.values())]
    for text in texts:
        assert "\x00" not in text
        text.encode()
