"""Whatever the application's endpoint answers, a try ends soon, as taken or with a reason."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from hookline.doctor.configuration import check_configuration
from hookline.postgres.records import Notification, Told
from hookline.settings import Settings
from hookline.worker.announcing.endpoint import open_endpoint
from hookline.worker.announcing.message import body_of
from support.application import SECRET
from support.raw_server import Talk, endless, listening, says

MESSAGE = Notification(
    *(UUID(int=1), UUID(int=2), 0, UUID(int=3), UUID(int=4), UUID(int=5), 7, "parsed"),
    *("parse_completed", datetime(2026, 1, 1, tzinfo=UTC), "c", {}),
)


async def tell(url: str, within: float = 10) -> Told:
    settings = Settings.model_validate(
        {
            "notify_url": url,
            "notify_secrets": (SECRET,),
            "notify_private": "on",
            "notify_timeout": within,
        }
    )
    async with open_endpoint(settings, at_once=1) as endpoint:
        assert endpoint is not None
        return await endpoint.tell(MESSAGE)


@pytest.mark.parametrize(
    ("talk", "error"),
    [
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), None),
        (says(b"HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n"), None),
        # The answer counts, not its body.
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ncut"), None),
        (says(b"HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n"), None),
        (endless, None),
        (says(b"HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"), "answered 301"),
        (says(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"), "answered 401"),
        (says(b""), "no answer: ServerDisconnectedError"),
        (says(b"220 mail.example.com ESMTP\r\n"), "no answer: "),
        (says(b"\x16\x03\x01" * 50), "no answer: "),
        (says(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 100_000 + b"\r\n\r\n"), "no answer: "),
    ],
)
async def test_an_answer_is_taken_or_has_a_reason(talk: Talk, error: str | None) -> None:
    async with listening(talk) as url:
        told = await tell(url)
    assert (told.error is None) == (error is None), told.error
    assert (told.error or "").startswith(error or "")
    assert not told.permanent


@pytest.mark.parametrize(
    ("status", "fails"),
    [
        *((status, False) for status in (204, 302, 400, 401, 404, 410, 422)),
        *((status, True) for status in (408, 429, 500, 503, 599)),
    ],
)
async def test_only_some_answers_are_about_the_endpoint_itself(status: int, fails: bool) -> None:
    answer = f"HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n".encode()
    async with listening(says(answer)) as url:
        assert (await tell(url)).endpoint_fails is fails
    assert (await tell(url)).endpoint_fails


def test_a_body_is_json_or_is_not_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        body_of(replace(MESSAGE, metadata={"n": float("inf")}))


async def test_an_endpoint_that_says_nothing_is_given_up_in_time() -> None:
    async with listening(says(b"HTTP/1.1 200", then=5)) as url:
        assert (await tell(url, within=0.2)).error == "no answer in time"


async def test_a_body_that_never_ends_does_not_undo_the_answer() -> None:
    slow = says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", then=5)
    async with listening(slow) as url:
        assert (await tell(url, within=0.2)).error is None


async def test_tls_that_is_none_and_a_host_that_is_none_have_a_reason() -> None:
    async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 This is no TLS\r\n\r\n")

    async with listening(speak_plainly) as url:
        told = await tell(url.replace("http:", "https:"))
    assert (told.error or "").startswith("TLS failed: ")
    assert "not permitted" not in (told.error or "")
    assert (await tell("https://a..b/")).error is not None


def test_doctor_says_who_is_told_without_the_path() -> None:
    settings = Settings.model_validate(
        {"notify_url": "https://app.example.com/hooks/token", "notify_secrets": (SECRET,)}
    )
    [row] = [one for one in check_configuration(settings) if one.name == "notifications"]
    assert row.sentence == "Workers tell app.example.com of steps, signed with 1 secret."
