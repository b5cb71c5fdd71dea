"""JSON from outside, read strictly; and the strings of it that Postgres can store.

Signed bytes must have one meaning: what RFC 8259 leaves open (names used twice, numbers without
bounds) is refused here, as is what Python's parser accepts beyond it (NaN, Infinity).
"""

import json
import math
import re
from typing import Any, Final, NoReturn

from hookline.sources.refusals import Malformed

TEXT_LIMIT: Final = 10_000
"""Characters of free text (a parser's error) that are kept; what is longer ends in an ellipsis."""

# NUL fails in text and jsonb (22P05), a lone surrogate in the driver: neither may reach SQL.
_POISON: Final = re.compile(r"[\x00\ud800-\udfff]")


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


def read(document: bytes | str) -> Any:
    """The JSON value of a document in UTF-8 (RFC 8259, without its liberties).

    Raises Malformed for anything else: invalid UTF-8, a byte order mark, a name used twice in an
    object, NaN, Infinity, numbers too large for Python, nesting too deep for it.
    """
    try:
        text = document.decode() if isinstance(document, bytes) else document
        return json.loads(
            text, parse_float=_finite, parse_constant=_refuse_constant, object_pairs_hook=_unique
        )
    except ValueError:
        raise Malformed("The body is not valid JSON in UTF-8.") from None
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None


def as_object(value: Any) -> dict[str, Any]:
    """The value itself if it is a JSON object; raises Malformed if not."""
    if not isinstance(value, dict):
        raise Malformed("The body is not a JSON object.")
    return value


def is_storable(text: str) -> bool:
    """Whether Postgres can hold the text in `text` and `jsonb`: no U+0000, no lone surrogate."""
    return _POISON.search(text) is None


def storable(text: str, name: str) -> str:
    """The text itself; raises Malformed, with the field's `name`, if Postgres cannot hold it."""
    if not is_storable(text):
        raise Malformed(f"{name} holds U+0000 or half of a surrogate pair.")
    return text


def as_text(value: Any, name: str) -> str | None:
    """A sender's explanation, of whatever JSON type, as text of at most `TEXT_LIMIT` characters.

    A string is kept as it is, null and the empty string give None, other values their compact JSON.
    Raises Malformed, with the field's `name`, if any string of it is one that Postgres cannot hold.
    """
    if value is None or value == "":
        return None
    _refuse_poison(value, name)
    text = value if isinstance(value, str) else _compact(value, name)
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"


def _refuse_poison(value: Any, name: str) -> None:
    # A stack of our own: a value as deep as the parser allows would end a recursive walk.
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            storable(item, name)
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            pending.extend(item)
            pending.extend(item.values())


def _compact(value: Any, name: str) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise Malformed(f"{name} is nested too deeply.") from None
