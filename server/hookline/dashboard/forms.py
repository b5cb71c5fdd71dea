"""The fields of a form that was sent, with limits for what is read."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict

from hookline.dashboard.errors import Refused

__all__ = ["LARGEST_FORM", "read_form"]

LARGEST_FORM = 2**17
"""Bytes: 1,000 selected jobs need less than half of it."""

_MOST_FIELDS = 1100
# Seconds for a form to arrive.
_READ_TIMEOUT = 10.0


async def read_form(request: web.Request) -> MultiDict[str]:
    """The fields of a POST. Raises Refused: 408, 413, 415, or 400 if no form arrived."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "This is not a form of the dashboard.")
    try:
        async with asyncio.timeout(_READ_TIMEOUT):
            # aiohttp's client_max_size is that of the whole admin side.
            body = bytearray()
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > LARGEST_FORM:
                    raise Refused(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                        "The form is too large: choose fewer jobs.",
                    )
    except TimeoutError:
        raise Refused(
            HTTPStatus.REQUEST_TIMEOUT, "The form did not arrive in time: send it again."
        ) from None
    except (ConnectionError, web.RequestPayloadError):
        raise Refused(HTTPStatus.BAD_REQUEST, "The form did not arrive: send it again.") from None
    try:
        fields = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise Refused(
            HTTPStatus.BAD_REQUEST, "The form cannot be read: go back and send it again."
        ) from None
    return MultiDict(fields)
