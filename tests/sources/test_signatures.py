import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict
from standardwebhooks.webhooks import Webhook

from hookline.setting_values import standard_key
from hookline.sources.refusals import NotProven
from hookline.sources.signatures import (
    MALFORMED_SIGNATURE,
    MAX_SIGNATURES,
    NO_MATCH,
    NO_SIGNATURE,
    NOT_CONFIGURED,
    one_header,
    verify_hex,
    verify_llamacloud,
    verify_standard,
)

OLD, NEW, OTHER = b"the old secret", b"the new secret", b"somebody's secret"
BODY = b'{"status":"parsed"}'

# The vector of the Standard Webhooks specification.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = standard_key(SECRET)
NOW = 1614265330.0
MESSAGE = b'{"test": 2432232314}'
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}

LLAMACLOUD_EVENT = (
    b'{"event_id":"149744dd-9002-4411-a6c7-9635da372caa","event_type":"parse.success",'
    b'"timestamp":1753985275.1154444,"data":{"id":"a9a57884-921e-4ec2-b555-f4e5a97ec02a",'
    b'"job_id":"a9a57884-921e-4ec2-b555-f4e5a97ec02a"}}'
)
LLAMACLOUD_SIGNATURE = "sha256=54f55925e04d97f69ddc7a3c829783b8f5115f3460e45593ccab32d2a2a0a950"

any_text = st.text(st.characters(exclude_categories=()))


def hex_of(secret: bytes, body: bytes = BODY) -> str:
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


def signed(message_id: str, timestamp: str, body: bytes, *secrets: str) -> dict[str, str]:
    """Headers of the real `standardwebhooks` package, one signature a secret."""
    sent_at = datetime.fromtimestamp(int(timestamp), UTC)
    listed = [Webhook(secret).sign(message_id, sent_at, body.decode()) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(listed),
    }


def resigned(**changes: str) -> dict[str, str]:
    """HEADERS with changed values, signed anew: only the value itself can be the reason."""
    headers = HEADERS | {f"webhook-{name}": value for name, value in changes.items()}
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + MESSAGE
    mac = base64.b64encode(hmac.digest(KEY, content, "sha256")).decode()
    return headers | {"webhook-signature": f"v1,{mac}"}


# The bare hex of X-Webhook-Signature


def test_a_bare_hex_signature_over_the_raw_body_is_proof() -> None:
    verify_hex(hex_of(NEW), BODY, [NEW])


def test_hex_is_proof_in_either_case() -> None:
    verify_hex(hex_of(NEW).upper(), BODY, [NEW])


@pytest.mark.parametrize("secrets", [[NEW], [OLD, NEW], [NEW, OLD], [OLD, OTHER, NEW]])
def test_any_active_secret_is_proof_wherever_it_stands(secrets: list[bytes]) -> None:
    verify_hex(hex_of(NEW), BODY, secrets)
    verify_llamacloud(f"sha256={hex_of(NEW)}", BODY, secrets)


def test_a_retired_secret_is_no_proof() -> None:
    with pytest.raises(NotProven):
        verify_hex(hex_of(OLD), BODY, [NEW])


def test_a_body_changed_by_one_bit_is_not_proven() -> None:
    with pytest.raises(NotProven):
        verify_hex(hex_of(NEW), BODY[:-1] + bytes([BODY[-1] ^ 1]), [NEW])


@pytest.mark.parametrize("secrets", [[], (), [b""], [b"", NEW], [NEW, b""]])
def test_nothing_is_proven_without_secrets_or_with_an_empty_one(secrets: Sequence[bytes]) -> None:
    for secret in (b"", NEW):
        with pytest.raises(NotProven):
            verify_hex(hex_of(secret), BODY, secrets)
        with pytest.raises(NotProven):
            verify_llamacloud(f"sha256={hex_of(secret)}", BODY, secrets)
        with pytest.raises(NotProven):
            verify_standard(HEADERS, MESSAGE, [*secrets[:-1], b""], NOW)
    with pytest.raises(NotProven):
        verify_standard(HEADERS, MESSAGE, [], NOW)


RIGHT = hex_of(NEW)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        RIGHT[:-1],
        RIGHT + "0",
        RIGHT + " ",
        " " + RIGHT,
        RIGHT + "\n",
        RIGHT + "\x00",
        RIGHT[:-1] + "g",
        RIGHT[:-1] + "\uff11",
        RIGHT[:-1] + "\udc80",
        f"{RIGHT}, {RIGHT}",
        f"{RIGHT},{hex_of(OLD)}",
        f"sha256={RIGHT}",
        f"0x{RIGHT}",
    ],
)
def test_a_malformed_hex_header_is_not_proven(value: str | None) -> None:
    with pytest.raises(NotProven):
        verify_hex(value, BODY, [NEW])


def test_every_secret_is_compared_even_after_one_has_matched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    verify_hex(hex_of(NEW), BODY, [NEW, OLD, OTHER])
    assert compared == [hex_of(secret).encode() for secret in (NEW, OLD, OTHER)]


def test_a_refusal_says_nothing_of_secret_signature_or_body() -> None:
    with pytest.raises(NotProven) as refusal:
        verify_hex(hex_of(OLD), BODY, [NEW])
    assert str(refusal.value) == "The signature is missing or does not match."


# What the log learns and the sender does not


def refusal_of(verify: Callable[..., object], *arguments: object) -> NotProven:
    with pytest.raises(NotProven) as refusal:
        verify(*arguments)
    return refusal.value


def test_the_reason_is_one_of_no_header_no_secret_no_match() -> None:
    for refusal, reason in (
        (refusal_of(verify_hex, None, BODY, [NEW]), NO_SIGNATURE),
        (refusal_of(verify_hex, None, BODY, []), NOT_CONFIGURED),
        (refusal_of(verify_hex, hex_of(OLD), BODY, []), NOT_CONFIGURED),
        (refusal_of(verify_hex, hex_of(OLD), BODY, [NEW, b""]), NOT_CONFIGURED),
        (refusal_of(verify_hex, hex_of(OLD), BODY, [NEW]), NO_MATCH),
        (refusal_of(verify_hex, "", BODY, [NEW]), MALFORMED_SIGNATURE),
        (refusal_of(verify_llamacloud, None, BODY, [NEW]), NO_SIGNATURE),
        (refusal_of(verify_llamacloud, hex_of(NEW), BODY, [NEW]), MALFORMED_SIGNATURE),
        (refusal_of(verify_llamacloud, f"sha256={hex_of(OLD)}", BODY, [NEW]), NO_MATCH),
        (refusal_of(verify_standard, {}, MESSAGE, [], NOW), NOT_CONFIGURED),
        (refusal_of(verify_standard, HEADERS, MESSAGE, [OLD], NOW), NO_MATCH),
    ):
        assert refusal.reason == reason
        assert str(refusal) == "The signature is missing or does not match."


# LC-Signature


def test_the_llamacloud_vector_is_proof() -> None:
    assert len(LLAMACLOUD_EVENT) == 212
    verify_llamacloud(LLAMACLOUD_SIGNATURE, LLAMACLOUD_EVENT, [b"whsec_test_secret"])


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "sha256",
        "sha256=",
        RIGHT,
        f"={RIGHT}",
        f"SHA256={RIGHT}",
        f"sha1={RIGHT}",
        f"sha512={RIGHT}",
        f"sha256 ={RIGHT}",
        f"sha256= {RIGHT}",
        f"sha256=={RIGHT}",
        f"sha256={RIGHT}=",
        f"sha256={RIGHT},sha256={RIGHT}",
        f"sha256={RIGHT}\udcff",
    ],
)
def test_a_malformed_llamacloud_header_is_not_proven(value: str | None) -> None:
    with pytest.raises(NotProven):
        verify_llamacloud(value, BODY, [NEW])


# Standard Webhooks


def test_the_official_standard_webhooks_vector_is_proof() -> None:
    assert verify_standard(HEADERS, MESSAGE, [KEY], NOW) == "msg_p5jXN8AQM9LWM0D4loKWxJek"


@pytest.mark.parametrize("body", [b"{}", BODY, "Grüße, 世界".encode()])
def test_what_the_standardwebhooks_package_signs_is_proof(body: bytes) -> None:
    headers = signed("msg_1", "1753985275", body, SECRET)
    assert verify_standard(headers, body, [KEY], 1753985275.9) == "msg_1"


def test_a_sender_in_rotation_is_proven_by_either_secret() -> None:
    other = "whsec_" + base64.b64encode(b"k" * 24).decode()
    headers = signed("msg_1", "1614265330", BODY, other, SECRET)
    for secrets in ([KEY], [standard_key(other)], [OLD, KEY], [KEY, standard_key(other)]):
        assert verify_standard(headers, BODY, secrets, NOW) == "msg_1"
    with pytest.raises(NotProven):
        verify_standard(headers, BODY, [OLD], NOW)


@pytest.mark.parametrize("skew", [-300, -299.5, 0, 299.5, 300])
def test_a_message_within_five_minutes_is_fresh(skew: float) -> None:
    verify_standard(HEADERS, MESSAGE, [KEY], NOW + skew)


@pytest.mark.parametrize("skew", [-86400, -300.5, 300.5, 86400])
def test_a_message_further_than_five_minutes_is_refused_both_ways(skew: float) -> None:
    with pytest.raises(NotProven, match="5 minutes"):
        verify_standard(HEADERS, MESSAGE, [KEY], NOW + skew)


def test_only_a_proven_sender_learns_that_its_clock_is_wrong() -> None:
    with pytest.raises(NotProven, match="does not match"):
        verify_standard(HEADERS, MESSAGE, [OLD], NOW + 86400)


@pytest.mark.parametrize("name", HEADERS)
def test_each_standard_header_is_needed_and_signed(name: str) -> None:
    missing = {key: value for key, value in HEADERS.items() if key != name}
    for headers in (missing, HEADERS | {name: ""}, HEADERS | {name: HEADERS[name][::-1]}):
        with pytest.raises(NotProven):
            verify_standard(headers, MESSAGE, [KEY], NOW)


def test_header_names_are_compared_without_case() -> None:
    shouted = {name.upper(): value for name, value in HEADERS.items()}
    assert verify_standard(shouted, MESSAGE, [KEY], NOW) == HEADERS["webhook-id"]


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_sent_twice_is_not_proven(name: str) -> None:
    headers = CIMultiDict(HEADERS)
    assert verify_standard(headers, MESSAGE, [KEY], NOW)
    headers.add(name.title(), HEADERS[name])
    with pytest.raises(NotProven) as refusal:
        verify_standard(headers, MESSAGE, [KEY], NOW)
    assert "more than once" in refusal.value.reason.sentence


@pytest.mark.parametrize("headers", [{"X-Other": "1"}, CIMultiDict({"x-other": "1"})])
@pytest.mark.parametrize("name", ["X-Other", "x-other", "X-OTHER"])
def test_one_header_finds_a_header_in_any_case(headers: Mapping[str, str], name: str) -> None:
    assert one_header(headers, name) == "1"
    assert one_header(headers, "X-Webhook-Signature") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "msg.1"},
        {"id": "msg 1"},
        {"id": "msg\x001"},
        {"id": "msg\n1"},
        {"id": "größe"},
        {"id": "m" * 201},
        {"timestamp": "1614265330.0"},
        {"timestamp": "+1614265330"},
        {"timestamp": "-1614265330"},
        {"timestamp": " 1614265330"},
        {"timestamp": "1614265330\n"},
        {"timestamp": "1_614_265_330"},
        {"timestamp": "\u0661614265330"},
        {"timestamp": "1e9"},
        {"timestamp": "nan"},
        {"timestamp": "inf"},
        {"timestamp": "9" * 5000},
    ],
)
def test_a_malformed_id_or_timestamp_is_not_proven_even_if_signed(changes: dict[str, str]) -> None:
    with pytest.raises(NotProven):
        verify_standard(resigned(**changes), MESSAGE, [KEY], NOW)


def test_an_id_of_200_visible_characters_is_proven() -> None:
    longest = "!-/~" * 50
    assert verify_standard(resigned(id=longest), MESSAGE, [KEY], NOW) == longest


SIGNATURE = HEADERS["webhook-signature"]


@pytest.mark.parametrize(
    "listed",
    [
        f"v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+ {SIGNATURE}",  # noqa: E501
        f"v2,abc {SIGNATURE}",
        f"nonsense {SIGNATURE}",
        f"  {SIGNATURE}  ",
        f"v1,=== v1, v1,a,b {SIGNATURE}",
        f"v1,\udcff {SIGNATURE}",
        " ".join(["v1," + "A" * 43 + "="] * (MAX_SIGNATURES - 1) + [SIGNATURE]),
    ],
)
def test_other_versions_and_signatures_in_the_list_are_skipped(listed: str) -> None:
    headers = HEADERS | {"webhook-signature": listed}
    assert verify_standard(headers, MESSAGE, [KEY], NOW)


@pytest.mark.parametrize(
    "listed",
    [
        SIGNATURE.replace("v1,", "v1a,"),
        SIGNATURE.replace("v1,", "v2,"),
        SIGNATURE.replace("v1,", "V1,"),
        SIGNATURE.replace("v1,", ""),
        SIGNATURE.replace(",", ", "),
        SIGNATURE.rstrip("="),
        SIGNATURE + "=",
        SIGNATURE + "\n",
        SIGNATURE.replace("+", "-").replace("/", "_"),
        # The same bytes to a lenient decoder: the last digit has two spare bits.
        SIGNATURE.replace("OE=", "OF="),
        f"{SIGNATURE},{SIGNATURE}",
        f"{SIGNATURE}\t{SIGNATURE}",
    ],
)
def test_a_signature_in_any_other_spelling_is_not_proven(listed: str) -> None:
    with pytest.raises(NotProven):
        verify_standard(HEADERS | {"webhook-signature": listed}, MESSAGE, [KEY], NOW)


def test_at_most_so_many_signatures_are_compared() -> None:
    listed = " ".join(["v1," + "A" * 43 + "="] * MAX_SIGNATURES + [SIGNATURE])
    with pytest.raises(NotProven):
        verify_standard(HEADERS | {"webhook-signature": listed}, MESSAGE, [KEY], NOW)


# Keys


def test_a_standard_key_is_decoded_with_and_without_padding() -> None:
    assert standard_key(SECRET) == base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    longest = base64.b64encode(b"k" * 64).decode()
    assert standard_key(f"whsec_{longest}") == b"k" * 64
    assert standard_key(f"whsec_{longest.rstrip('=')}") == b"k" * 64


@pytest.mark.parametrize(
    ("secret", "sentence"),
    [
        ("", "starts with whsec_"),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "starts with whsec_"),
        ("WHSEC_MDEyMzQ=", "starts with whsec_"),
        (" whsec_MDEyMzQ=", "starts with whsec_"),
        ("whsec_", "holds 24 to 64 bytes after whsec_, not 0"),
        ("whsec_QUFBQUFBQQ", "holds 24 to 64 bytes after whsec_, not 7"),
        (f"whsec_{'QUFB' * 7}QUE", "not 23"),
        (f"whsec_{'QUFB' * 21}QUE=", "not 65"),
        ("whsec_====", "base64"),
        ("whsec_M", "base64"),
        ("whsec_MDEy MzQ=", "base64"),
        ("whsec_MDEyMzQ=\n", "base64"),
        ("whsec_MDEyMz-_", "base64"),
        ("whsec_größe", "base64"),
        ("whsec_\udc80", "base64"),
    ],
)
def test_a_wrong_standard_secret_is_named_but_not_shown(secret: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as error:
        standard_key(secret)
    assert not secret or secret == "whsec_" or secret not in str(error.value)


@given(any_text)
def test_a_standard_secret_is_a_key_or_a_value_error(text: str) -> None:
    try:
        key = standard_key("whsec_" + text)
    except ValueError:
        return
    assert 24 <= len(key) <= 64


# Whatever is sent

any_id = st.one_of(any_text, st.just("msg_1"))
any_timestamp = st.one_of(any_text, st.just("1614265330"), st.integers().map(str))
any_signatures = st.lists(
    st.one_of(any_text, any_text.map("v1,{}".format), st.binary().map(base64.b64encode).map(str))
).map(" ".join)


@settings(deadline=None)
@given(any_text | st.none(), st.binary(), st.lists(st.binary()))
@example("sha256=" + "0" * 64, b"", [b""])
def test_no_hex_header_raises_anything_but_not_proven(
    value: str | None, body: bytes, secrets: list[bytes]
) -> None:
    for verify in (verify_hex, verify_llamacloud):
        with pytest.raises(NotProven):
            verify(value, body, secrets)


@settings(deadline=None)
@given(
    any_id,
    any_timestamp,
    any_signatures,
    st.binary(),
    st.lists(st.binary()),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_no_standard_headers_raise_anything_but_not_proven(
    message_id: str, timestamp: str, listed: str, body: bytes, secrets: list[bytes], now: float
) -> None:
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": listed,
    }
    with pytest.raises(NotProven):
        verify_standard(headers, body, secrets, now)


@settings(deadline=None)
@given(st.binary(), st.binary(min_size=1), st.lists(st.binary(min_size=1)))
def test_what_a_holder_of_a_secret_signs_is_always_proven(
    body: bytes, secret: bytes, others: list[bytes]
) -> None:
    verify_hex(hex_of(secret, body), body, [*others, secret])
    verify_llamacloud(f"sha256={hex_of(secret, body)}", body, [secret, *others])
