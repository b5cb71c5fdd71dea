"""A document whose long strings are taken out has the same value, in bounded memory."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hookline.sources import llamaparse, long_strings, strict_json
from hookline.sources.long_strings import LongString
from hookline.sources.markdown import holds_text
from hookline.sources.refusals import Malformed

# Much of what a piece may not be cut in: escapes, surrogate pairs, characters of several bytes.
any_text = st.text(
    st.sampled_from('\\"\n\x1fu/d8\ud83d\ude00\ud800ué世😀 ') | st.characters(exclude_categories=())
)
any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | any_text,
    lambda inner: st.lists(inner) | st.dictionaries(any_text.map(lambda text: text[:2]), inner),
    max_leaves=8,
)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_json, "LARGE", 0)
    monkeypatch.setattr(long_strings, "LONG", 32)
    monkeypatch.setattr(long_strings, "_PIECE", 32)


def _plain(value: Any) -> Any:
    if isinstance(value, LongString):
        assert value.characters == len(value.whole())
        return value.whole()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value


@pytest.mark.parametrize("in_ascii", [True, False])
@pytest.mark.usefixtures("small_pieces")
def test_a_document_read_in_pieces_has_the_same_value(in_ascii: bool) -> None:
    @settings(max_examples=300, deadline=None)
    @given(any_json)
    @example("\\" * 99)
    @example("\\ud83d" * 20 + "\ud83d\ude00" * 20)
    # A piece ends at every byte of these characters.
    @example(["x" * before + "é世😀" * 30 for before in range(9)])
    @example({"a": "é" * 99, "b": ["😀" * 40, '"' * 99, "x" * 31]})
    def same(value: Any) -> None:
        try:
            document = json.dumps(value, ensure_ascii=in_ascii).encode()
        except UnicodeEncodeError:
            return  # Only an escape can be half of a surrogate pair.
        assert _plain(strict_json.read(document)) == json.loads(document)

    same()


@pytest.mark.parametrize(
    "document",
    [
        b'["' + b"x" * 64,
        b'["' + b"x" * 64 + b"\\",
        b'["' + b"x" * 64 + b"\xff" + b"x" * 64 + b'"]',
        b'["' + b"\x80" * 200 + b'"]',
        b'["' + b"x" * 64 + b"\n" + b'"]',
        b'["' + b"x" * 64 + b"\\x" + b'"]',
        b'["' + b"x" * 64 + b'"" ]',
        b'{"' + b"x" * 64 + b'": 1}',
        b'[0.5e1, NaN, "' + b"x" * 64 + b'"]',
        b'{"a": 1, "b": "' + b"x" * 64 + b'", "a": 2}',
        b"\\" * 200,
    ],
)
@pytest.mark.usefixtures("small_pieces")
def test_what_is_not_strict_json_is_malformed(document: bytes) -> None:
    with pytest.raises(Malformed):
        strict_json.read(document)


@pytest.mark.parametrize(
    "value", [b"[],", b"{},", b'"",', b"1,", b'{"a":1},', b'"\\"",', b"[[1],[2]],"]
)
def test_a_document_of_too_many_values_is_refused_before_it_is_read(value: bytes) -> None:
    document = b"[" + value * (2**21 // len(value)) + value * 600_000 + b"1]"
    with pytest.raises(Malformed, match="more than 500,000 values"):
        strict_json.read(document)


def test_a_large_envelope_takes_twice_its_size() -> None:
    # One emoji makes a Python str of four bytes a character.
    text = "# Report 😀\n" + "One line of the text.\n" * 200_000
    data = text.encode()
    body = bytearray(
        json.dumps(
            {
                "job_id": "0198f0a1-7b3c-7d4e-8f50-123456789abc",
                "document_id": "0198f0a1-7b3c-7d4e-8f50-fedcba987654",
                "parse_job_id": "p",
                "status": "parsed",
                "artifacts": [
                    {
                        "type": "markdown",
                        "content": text,
                        "sha256": hashlib.sha256(data).hexdigest(),
                        "bytes": len(data),
                    }
                ],
            }
        ).encode()
    )
    del text
    tracemalloc.start()
    try:
        content = llamaparse.parse(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert content.content == data  # type: ignore[union-attr]
    assert peak < 1.3 * len(body), "beside the body itself"


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("text" + " " * 100_000, True),
        (" " * 100_000 + "text", True),
        (" " * 100_000, False),
        ("<!--" + "x" * 100_000 + "-->", False),
        ("<!--" + "x" * 100_000, True),
        ("```" + "x" * 100_000, False),
        ("```" + "x" * 100_000 + "`", True),
        (" " * (2**14 - 3) + "&nbsp;" + " " * 100, False),
        ("-" * (2**14 - 1) + "😀", True),
    ],
)
def test_a_long_string_holds_text_as_its_str_does(markdown: str, expected: bool) -> None:
    assert holds_text(LongString.of(markdown)) is holds_text(markdown) is expected


def test_an_explanation_that_is_long_is_shortened() -> None:
    text = "é" * 500_000
    (value,) = strict_json.read(json.dumps([text], ensure_ascii=False).encode())
    assert isinstance(value, LongString)
    assert strict_json.as_text(value) == "é" * (strict_json.TEXT_LIMIT - 1) + "…"
    assert len(strict_json.as_text({"a": value}) or "") == strict_json.TEXT_LIMIT
