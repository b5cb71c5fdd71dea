"""Filters and positions in the address of a page. A wrong one is answered 400."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from aiohttp import web

from hookline.dashboard.errors import Refused

__all__ = ["moment_and_words", "one_of", "text_or_none", "uuid_or_none"]


def one_of(request: web.Request, name: str, allowed: Collection[str]) -> str | None:
    """The value of a filter, or None if it is absent or empty. Raises Refused for another value."""
    value = request.query.get(name, "")
    if not value:
        return None
    if value not in allowed:
        raise Refused(
            HTTPStatus.BAD_REQUEST,
            f"There is no {name} {value[:40]!r}: it is one of {', '.join(allowed) or 'none yet'}.",
        )
    return value


def uuid_or_none(request: web.Request, name: str) -> UUID | None:
    """An id, or None if it is absent or empty. Raises Refused for anything else."""
    value = request.query.get(name, "").strip()
    if not value:
        return None
    try:
        return UUID(value)
    except ValueError:
        raise Refused(
            HTTPStatus.BAD_REQUEST,
            f"{value[:40]!r} is no id: write all of it, as 0193a1b2-5c3d-7e4f-8a9b-0c1d2e3f4a5b.",
        ) from None


def text_or_none(request: web.Request, name: str, longest: int) -> str | None:
    """A text, or None if it is absent or empty. Raises Refused if Postgres could not compare it."""
    value = request.query.get(name, "").strip()
    # Postgres has no text with a zero byte. A byte that is no UTF-8 would be a surrogate here.
    if len(value) > longest or not value.isprintable():
        raise Refused(
            HTTPStatus.BAD_REQUEST, f"The filter {name} is a text of at most {longest} characters."
        )
    return value or None


def moment_and_words(request: web.Request, words: int) -> tuple[datetime, list[str]] | None:
    """Where the page before ended, from its link: a time and so many words. None: at the start."""
    value = request.query.get("after", "")
    if not value:
        return None
    moment, *rest = value.split("~", words)
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None or len(rest) != words or not value.isprintable():
        raise Refused(
            HTTPStatus.BAD_REQUEST, "This link leads to no page: begin at the newest again."
        )
    return parsed, rest
