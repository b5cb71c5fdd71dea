"""Take the long strings out of a JSON document, as bytes.

A Python str uses the same width for all its characters, so one emoji in a document of 8 MB makes a
str of 32 MB. Therefore a long string is decoded in pieces, from JSON to UTF-8, and the rest of the
document is small. No step holds the GIL for long.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast

from pydantic_core import from_json

from hookline.sources.refusals import Malformed

__all__ = ["LONG", "LongString", "Taken", "take_long_strings"]

LONG: Final = 2**12
"""Bytes of JSON from which a string is long. The texts that we store are shorter, or content."""

# A list of nothing but empty lists takes about 60 bytes for each of them, objects up to 300.
_MOST_VALUES: Final = 500_000
_PIECE: Final = 2**16
# Bytes of \uXXXX\uXXXX, a character as a surrogate pair.
_LONGEST_ESCAPE: Final = 12
_HIGH_SURROGATE: Final = re.compile(rb"\\u[dD][89abAB]..", re.DOTALL)


@dataclass(frozen=True, slots=True)
class LongString:
    """A string of a document: its UTF-8 bytes, with half of a surrogate pair as three bytes."""

    utf8: bytes = field(repr=False)
    characters: int

    def start(self, characters: int) -> str:
        """The first so many characters."""
        # A character has four bytes at most. The decoder leaves out one that is cut.
        decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
        return decoder.decode(self.utf8[: 4 * characters])[:characters]

    def whole(self) -> str:
        """The string itself."""
        return self.utf8.decode("utf-8", "surrogatepass")

    @classmethod
    def of(cls, text: str | LongString) -> LongString:
        """A string that may already be one."""
        if isinstance(text, LongString):
            return text
        return cls(text.encode("utf-8", "surrogatepass"), len(text))


class Taken(NamedTuple):
    """A document in which each long string is a number, and the string of each such number."""

    document: bytes | bytearray
    strings: dict[str, LongString]


def take_long_strings(document: bytes | bytearray) -> Taken:
    """Take out every string of `LONG` bytes or more.

    Raises Malformed if one of them is not JSON in UTF-8, if a string does not end, or for more than
    500,000 values. It does not look at the rest.
    """
    rest = bytearray()
    strings: dict[str, LongString] = {}
    # A number that no sender can have written.
    unique = secrets.randbits(128)
    done = counted = values = 0
    for start, end in _strings(document):
        values += document.count(b",", counted, start)
        if values > _MOST_VALUES:
            break
        counted = end
        if end - start >= LONG:
            number = f"0.{unique}e{len(strings)}"
            strings[number] = _decode(memoryview(document)[start + 1 : end - 1])
            rest += memoryview(document)[done:start]
            rest += number.encode()
            done = end
    values += document.count(b",", counted)
    if values > _MOST_VALUES:
        raise Malformed(f"The body holds more than {_MOST_VALUES:,} values.")
    if not strings:
        return Taken(document, strings)
    rest += memoryview(document)[done:]
    return Taken(rest, strings)


def _strings(document: bytes | bytearray) -> Iterator[tuple[int, int]]:
    """Where each string begins and ends, with its quotes."""
    opened = None
    with memoryview(document) as view:
        for at, piece in _pieces(view):
            # In it every quote begins or ends a string. Most pieces are so already.
            plain = piece
            if b'"' in piece and b'\\"' in piece:
                plain = piece.replace(b"\\\\", b"  ").replace(b'\\"', b"  ")
            found = plain.find(b'"')
            while found >= 0:
                if opened is None:
                    opened = at + found
                else:
                    yield opened, at + found + 1
                    opened = None
                found = plain.find(b'"', found + 1)
    if opened is not None:
        raise Malformed("The body is not valid JSON in UTF-8.")


def _decode(string: memoryview) -> LongString:
    decoded = io.BytesIO()
    characters = 0
    for _, piece in _pieces(string):
        text = _decode_piece(b'"%b"' % piece)
        characters += len(text)
        decoded.write(text.encode("utf-8", "surrogatepass"))
    return LongString(decoded.getvalue(), characters)


def _decode_piece(quoted: bytes) -> str:
    try:
        # It takes a third of the time of json, and refuses half of a surrogate pair.
        return cast(str, from_json(quoted, cache_strings="none"))
    except ValueError:
        pass
    try:
        return cast(str, json.loads(quoted.decode()))
    except ValueError:
        raise Malformed("The body is not valid JSON in UTF-8.") from None


def _pieces(view: memoryview) -> Iterator[tuple[int, bytes]]:
    """The view in pieces, each with its place. None begins inside an escape, a surrogate pair or a
    character.
    """
    at = 0
    while at < len(view):
        piece = bytes(view[at : at + _PIECE])
        if at + _PIECE < len(view):
            piece = piece[: _end(piece, view[at + _PIECE])]
        yield at, piece
        at += len(piece)


def _end(piece: bytes, following: int) -> int:
    """Where to end the piece, which the byte `following` follows."""
    # Only the last bytes matter, from where no escape has begun.
    before = len(piece[:-_LONGEST_ESCAPE].rstrip(b"\\"))
    # Two backslashes are an escape of one.
    plain = piece[before:].replace(b"\\\\", b"  ")
    escape = plain.rfind(b"\\", max(0, len(plain) - 5))
    end = escape if escape >= 0 else len(plain)
    if end >= 6 and _HIGH_SURROGATE.match(plain, end - 6):
        end -= 6
    end += before
    if end == len(piece) and _continues(following):
        while end > len(piece) - 4 and _continues(piece[end - 1]):
            end -= 1
        end -= 1
    return end


def _continues(byte: int) -> bool:
    """Whether it is a byte of a UTF-8 character, but not its first."""
    return byte & 0xC0 == 0x80
