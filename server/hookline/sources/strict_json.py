"""Reading JSON from outside strictly, and checking that Postgres can store its strings.

Signed bytes must have one meaning. So we refuse what RFC 8259 leaves open (a name used twice,
numbers of any size) and what Python accepts beyond it (NaN, Infinity).
"""

import json
import math
import re
from typing import Any, Final, NoReturn

from hookline.sources.long_strings import LongString, take_long_strings
from hookline.sources.refusals import Malformed

TEXT_LIMIT: Final = 10_000
"""Characters of free text (a parser's error) that we store. A longer text ends in an ellipsis."""

ID_LIMIT: Final = 200
"""Characters of an id or of a word for a status that we store."""

_MAX_ATTEMPT: Final = 2**31 - 1

LARGE: Final = 2**18
"""Bytes from which a document is not read whole."""

# Postgres refuses U+0000 in text and jsonb (22P05), the driver refuses half a surrogate pair.
_UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")


def _finite(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        raise Malformed("The body holds a number that is too large.")
    return number


def _refuse_constant(_: str) -> NoReturn:
    raise Malformed("The body holds NaN or Infinity, which are not JSON.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise Malformed("The body uses a name twice in one object.")
    return entries


def read(document: bytes | bytearray | str, *, strictly: bool = True) -> Any:
    """The JSON value of a document in UTF-8 (RFC 8259, without its liberties).

    In a document of more than `LARGE` bytes, each string of 4 KiB or more is a LongString.

    Raises Malformed for anything else: invalid UTF-8, a byte order mark, a name used twice in an
    object, NaN, Infinity, a number too large, nesting too deep for Python, more than 500,000 values
    in a large document. If not `strictly`, names may repeat, and numbers be what Python takes.
    """
    strings: dict[str, LongString] = {}
    try:
        if not isinstance(document, str):
            if len(document) > LARGE:
                document, strings = take_long_strings(document)
            document = document.decode() if strictly else _decode(document)
        number = _finite if strictly else float
        return json.loads(
            document,
            parse_float=lambda literal: strings.get(literal) or number(literal),
            parse_constant=_refuse_constant if strictly else None,
            object_pairs_hook=_unique if strictly else None,
        )
    except ValueError:
        raise Malformed("The body is not valid JSON in UTF-8.") from None
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None


def _decode(document: bytes | bytearray) -> str:
    return document.decode(json.detect_encoding(document), "surrogatepass")


def as_object(value: Any) -> dict[str, Any]:
    """The value itself. Raises Malformed if it is not a JSON object."""
    if not isinstance(value, dict):
        raise Malformed("The body is not a JSON object.")
    return value


def is_storable(text: str) -> bool:
    """Whether Postgres can store the text: no U+0000, no half of a surrogate pair."""
    return _UNSTORABLE.search(text) is None


def storable(text: str, name: str) -> str:
    """The text itself. Raises Malformed, with the field's `name`, if Postgres cannot store it."""
    if not is_storable(text):
        raise Malformed(f"{name} holds U+0000 or half of a surrogate pair.")
    return text


def replace_unstorable(text: str) -> str:
    """The text with U+FFFD for every character that Postgres cannot store."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def as_text(value: Any) -> str | None:
    """A sender's explanation, of whatever JSON type, as text of at most `TEXT_LIMIT` characters.

    A string is returned as it is, null and the empty string as None, any other value as compact
    JSON. A failure must not get lost because of its explanation, so this never raises: characters
    that Postgres cannot store are replaced.
    """
    if value is None or value == "":
        return None
    text = replace_unstorable(value if isinstance(value, str) else _compact(value))
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"


def _compact(value: Any) -> str:
    if isinstance(value, LongString):
        return value.start(TEXT_LIMIT + 1)
    try:
        return json.dumps(
            value,
            ensure_ascii=False,
            separators=(",", ":"),
            default=lambda long: long.start(TEXT_LIMIT + 1),
        )
    except RecursionError:
        return "(nested too deeply)"


def pointed(value: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) points at, or None if there is nothing."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and re.fullmatch(r"0|[1-9][0-9]{0,8}", key):
            value = value[int(key)] if int(key) < len(value) else None
        else:
            return None
    return value


def attempt_at(event: dict[str, Any], pointer: str | None) -> int | None:
    """The attempt at a JSON pointer, a number or its digits as text. None if there is none.

    Raises Malformed if it is no whole number from 1 to 2147483647.
    """
    found = None if pointer is None else pointed(event, pointer)
    if found is None:
        return None
    text = str(found) if isinstance(found, str | int) else ""
    if not re.fullmatch(r"[1-9][0-9]{0,9}", text) or int(text) > _MAX_ATTEMPT:
        raise Malformed(f"{pointer} is not the number of an attempt.")
    return int(text)


def short_text(event: dict[str, Any], pointer: str | None) -> str | None:
    """The text or whole number at a JSON pointer. None if there is none, or it is too long.

    Raises Malformed if Postgres cannot store it.
    """
    found = None if pointer is None else pointed(event, pointer)
    # Some senders number their jobs.
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str) or not 1 <= len(found) <= ID_LIMIT:
        return None
    return storable(found, str(pointer))
