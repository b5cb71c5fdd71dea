import base64
import hmac
import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hookline.sources.job_tokens import MAX_ATTEMPT
from hookline.sources.llamaparse_push import mint_token, parse, verify_token
from hookline.sources.markdown import holds_text
from hookline.sources.refusals import NotProven

JOB = UUID("0198f0a1-7b3c-7d4e-8f50-123456789abc")
OTHER_JOB = UUID("0198f0a1-7b3c-7d4e-8f50-123456789abd")
OLD, NEW = b"the old master secret", b"the new master secret"

any_text = st.text(st.characters(exclude_categories=()))
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
    max_leaves=5,
)


def push(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def page(number: Any, md: Any = "text", **fields: Any) -> dict[str, Any]:
    return {"page": number, "md": md, **fields}


# The token


@pytest.mark.parametrize("attempt", [1, 2, 10, MAX_ATTEMPT])
def test_a_token_proves_the_attempt_it_was_minted_for(attempt: int) -> None:
    assert verify_token(mint_token(NEW, JOB, attempt), JOB, [NEW]) == attempt


def test_a_token_outlives_the_rotation_of_its_secret() -> None:
    token = mint_token(OLD, JOB, 3)
    assert verify_token(token, JOB, [NEW, OLD]) == 3
    assert verify_token(token, JOB, [OLD, NEW]) == 3
    with pytest.raises(NotProven):
        verify_token(token, JOB, [NEW])


def test_a_token_is_good_for_one_job_and_one_attempt() -> None:
    token = mint_token(NEW, JOB, 1)
    with pytest.raises(NotProven):
        verify_token(token, OTHER_JOB, [NEW])
    with pytest.raises(NotProven):
        verify_token("2" + token[1:], JOB, [NEW])


@pytest.mark.parametrize(
    "message",
    [
        JOB.bytes + (1).to_bytes(4, "big"),
        JOB.bytes + b"1",
        f"{JOB}.1".encode(),
        b"hookline push token 1" + JOB.bytes + (1).to_bytes(4, "big"),
    ],
)
def test_a_mac_made_for_another_use_is_no_token(message: bytes) -> None:
    mac = base64.urlsafe_b64encode(hmac.digest(NEW, message, "sha256")).decode().rstrip("=")
    with pytest.raises(NotProven):
        verify_token(f"1.{mac}", JOB, [NEW])


def test_tokens_that_were_given_out_stay_valid_in_later_versions() -> None:
    message = b"hookline push token 1\0" + JOB.bytes + b"\0\0\0\7"
    mac = base64.urlsafe_b64encode(hmac.digest(NEW, message, "sha256")).decode().rstrip("=")
    assert mint_token(NEW, JOB, 7) == f"7.{mac}"


def test_the_longest_url_stays_under_200_characters() -> None:
    token = mint_token(NEW, JOB, MAX_ATTEMPT)
    assert len(token) == 54
    host = "h" * 78
    assert len(f"https://{host}/webhooks/llamaparse/{JOB}/{token}") < 200


MAC = mint_token(NEW, JOB, 1).partition(".")[2]


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "1",
        "1.",
        f".{MAC}",
        MAC,
        f"0.{MAC}",
        f"01.{MAC}",
        f"+1.{MAC}",
        f"-1.{MAC}",
        f" 1.{MAC}",
        f"1 .{MAC}",
        f"1_0.{MAC}",
        f"\u0661.{MAC}",
        f"\u00b9.{MAC}",
        f"1.0.{MAC}",
        f"1,{MAC}",
        f"1.{MAC}=",
        f"1.{MAC}\n",
        f"1.{MAC[:-1]}",
        f"1.{MAC[:-1]}\udcff",
        f"1.{MAC}.{MAC}",
        f"2147483648.{MAC}",
        f"9999999999.{MAC}",
        f"{'9' * 5000}.{MAC}",
    ],
)
def test_a_malformed_token_is_not_proven(token: str) -> None:
    with pytest.raises(NotProven):
        verify_token(token, JOB, [NEW])


def test_a_mac_spelled_with_spare_bits_is_not_proven() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same_bytes = MAC[:-1] + alphabet[alphabet.index(MAC[-1]) | 1]
    with pytest.raises(NotProven):
        verify_token(f"1.{same_bytes}", JOB, [NEW])


@pytest.mark.parametrize("secrets", [[], [b""], [NEW, b""]])
def test_no_token_is_proven_without_secrets_or_with_an_empty_one(secrets: list[bytes]) -> None:
    with pytest.raises(NotProven):
        verify_token(mint_token(NEW, JOB, 1), JOB, secrets)


@pytest.mark.parametrize("attempt", [-1, 0, MAX_ATTEMPT + 1])
def test_no_token_is_minted_for_an_attempt_that_cannot_be(attempt: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 2147483647"):
        mint_token(NEW, JOB, attempt)


def test_no_token_is_minted_with_an_empty_secret() -> None:
    with pytest.raises(ValueError, match="not empty"):
        mint_token(b"", JOB, 1)


@settings(deadline=None)
@given(any_text | any_text.map("1.{}".format), st.lists(st.binary()))
def test_no_token_raises_anything_but_not_proven(token: str, secrets: list[bytes]) -> None:
    with pytest.raises(NotProven):
        verify_token(token, JOB, secrets)


@given(st.binary(min_size=1), st.uuids(), st.integers(1, MAX_ATTEMPT))
def test_every_minted_token_is_proven(secret: bytes, job_id: UUID, attempt: int) -> None:
    assert verify_token(mint_token(secret, job_id, attempt), job_id, [NEW, secret]) == attempt


# The body


DOCUMENTED: dict[str, Any] = {
    "txt": "raw text",
    "md": "markdown text",
    "json": [
        {
            "page": 1,
            "text": "page 1 raw text",
            "md": "page 1 markdown text",
            "images": [{"name": "img_p0_1.png", "height": 100, "width": 100, "x": 0, "y": 0}],
        }
    ],
    "images": ["img_p0_1.png"],
}
SEEN: dict[str, Any] = {
    "status": "OK",
    "result": [
        page(2, "# Zwei", txt="zwei", parsed_content="zwei", json=[], status="OK"),
        page(1, "# Eins", txt="eins", parsed_content="eins", json=[], status="OK"),
    ],
}


def test_the_documented_shape_gives_its_markdown() -> None:
    content = parse(push(**DOCUMENTED), JOB, 2)
    assert content.content == b"markdown text"
    assert content.recognised
    assert (content.job_id, content.attempt, content.event_type) == (JOB, 2, "result_push")
    assert content.details == {"content_length": 13}
    assert content.content_sha256 is None
    assert content.content_bytes is None


def test_the_shape_seen_in_the_field_gives_its_pages_in_order() -> None:
    content = parse(push(**SEEN), JOB, 1)
    assert content.content == b"# Eins\n\n# Zwei"
    assert content.recognised


@pytest.mark.parametrize("md", [{}, {"md": None}, {"md": ""}, {"md": " \n"}])
def test_without_md_the_pages_of_json_are_joined_in_order(md: Any) -> None:
    pages = [page(10, "ten"), page(9, "nine"), page(1, "one")]
    content = parse(push(json=pages, **md), JOB, 1)
    assert content.content == b"one\n\nnine\n\nten"
    assert content.recognised


def test_content_length_counts_characters_and_content_is_utf8() -> None:
    content = parse(push(md="Grüße 世界"), JOB, 1)
    assert content.content == "Grüße 世界".encode()
    assert content.details == {"content_length": 8}


def test_nul_and_lone_surrogates_in_the_text_survive_as_bytes() -> None:
    content = parse(b'{"md":"a\\u0000b\\ud800"}', JOB, 1)
    assert content.content == b"a\x00b\xed\xa0\x80"
    assert content.recognised


@pytest.mark.parametrize(
    "body",
    [
        b'{"md":"text","json":[{"page":1,"md":"text","images":[{"x":NaN,"y":-Infinity}]}]}',
        b'\xef\xbb\xbf{"md":"text"}',
        b'{"md":"text","json":"no pages"}',
        b'{"md":"text","status":"SUCCESS"}',
        b'{"md":"text","status":null}',
    ],
)
def test_wrong_fields_beside_the_markdown_do_not_lose_the_document(body: bytes) -> None:
    content = parse(body, JOB, 1)
    assert content.content == b"text"
    assert content.recognised


@pytest.mark.parametrize(
    "body",
    [
        push(md=""),
        push(md="", txt="", json=[], images=[]),
        push(md="\n", txt=" ", json=[page(1, "", text=""), page(2, " ", text="\n")]),
        push(status="OK", result=[]),
        push(status="OK", result=[page(1, "", txt="", parsed_content=None)]),
        push(md="\n---\n\n---\n", txt="", json=[page(1, "", text="")], images=[]),
        push(md="```text\n\n```", txt="\u200b", json=[page(1, "---", text="\ufeff")]),
        push(status="OK", result=[page(1, "\u200b"), page(2, "---")]),
    ],
)
def test_a_known_shape_without_any_text_is_recognised_and_empty(body: bytes) -> None:
    content = parse(body, JOB, 1)
    assert content.content == b""
    assert content.recognised


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"# Markdown itself",
        b"{",
        b"\xff\xfe\xfd",
        b"[" * 100_000,
        b"9" * 5_000,
        b"null",
        b'"text"',
        b"[]",
        push(),
        push(markdown="text"),
        push(md=["text"]),
        push(md={"text": "text"}),
        push(md=7),
        # Text without markdown: its structure would be lost without anybody knowing.
        push(txt="text"),
        push(txt="text", md=""),
        push(txt="text", md="", json=[page(1, "", text="text")]),
        push(txt="text", md="---", json=[page(1, "---", text="text")]),
        push(md="", json=[page(1, "", text="text")]),
        push(status="OK", result=[page(1, "", txt="text")]),
        push(status="OK", result=[page(1, "", parsed_content=[{"text": "text"}])]),
        # Reported errors, of the whole or of a page.
        push(status="ERROR", error="TIMEOUT"),
        push(status="ERROR", md="text"),
        push(status=["OK"], md="text"),
        push(status="OK", result=[page(1), page(2, status="ERROR")]),
        # Pages that cannot be put in order, or are not pages.
        push(status="OK", result=None),
        push(status="OK"),
        push(status="OK", result={"md": "text"}),
        push(status="OK", result=["text"]),
        push(status="OK", result=[page(1), page(1)]),
        push(status="OK", result=[page("1")]),
        push(status="OK", result=[page(True)]),
        push(status="OK", result=[page(1.0)]),
        push(status="OK", result=[{"md": "text"}]),
        push(status="OK", result=[page(1), {"page": 2}]),
        push(status="OK", result=[page(1), page(2, None)]),
    ],
)
def test_a_body_of_unknown_shape_is_kept_whole(body: bytes) -> None:
    content = parse(body, JOB, 1)
    assert content.content == body
    assert not content.recognised
    assert content.details == {}
    assert content.attempt == 1


def test_a_repeated_push_is_one_delivery_and_any_other_is_another() -> None:
    body = push(**DOCUMENTED)
    delivery_id = parse(body, JOB, 1).delivery_id
    assert delivery_id == parse(body, JOB, 1).delivery_id
    assert delivery_id != parse(body + b" ", JOB, 1).delivery_id
    assert delivery_id != parse(body, OTHER_JOB, 1).delivery_id
    # A provider's cache answers a later attempt with the same bytes: it must count again.
    assert delivery_id != parse(body, JOB, 2).delivery_id
    assert len(parse(body, JOB, MAX_ATTEMPT).delivery_id) <= 200


def test_the_text_does_not_show_when_a_content_is_printed() -> None:
    assert "markdown text" not in repr(parse(push(**DOCUMENTED), JOB, 1))


pages = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "page": any_json | st.integers(),
            "md": any_json | any_text,
            "txt": any_json,
            "status": any_json | st.just("OK"),
        },
    )
    | any_json
)
shapes = st.fixed_dictionaries(
    {},
    optional={
        "md": any_json | any_text,
        "txt": any_json,
        "json": any_json | pages,
        "result": any_json | pages,
        "status": any_json | st.just("OK"),
    },
)


@settings(deadline=None)
@given(st.binary() | (any_json | shapes).map(json.dumps).map(str.encode))
@example(b'{"md":' + b"[" * 50_000)
@example(b'{"status":"OK","result":' + b"[" * 50_000)
def test_no_push_raises_and_none_is_lost(body: bytes) -> None:
    content = parse(body, JOB, 1)
    assert content.recognised or content.content == body


@given(st.lists(any_text.filter(holds_text), min_size=1))
def test_every_page_of_a_known_shape_is_in_the_content(texts: list[str]) -> None:
    body = push(status="OK", result=[page(n, text) for n, text in enumerate(texts)])
    joined = "\n\n".join(json.loads(json.dumps(text)) for text in texts)
    assert parse(body, JOB, 1).content == joined.encode("utf-8", "surrogatepass")
