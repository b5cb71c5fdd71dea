"""Bytes that are not HTTP are answered with problem JSON, and quoted nowhere."""

from __future__ import annotations

import asyncio
import json

import pytest

from hookline.sources.llamaparse_push import mint_token
from support.receiver_process import Spawn
from support.sender import PUSH_SECRET, Sender

MALFORMED = {
    "a bare line feed": b"POST {path} HTTP/1.1\nHost: a\n\n",
    "another version": b"POST {path} HTTP/9.9\r\nHost: a\r\n\r\n",
    "a raw byte in the path": b"POST {path}\xa0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a raw byte at the front": b"POST \xa0{path} HTTP/1.1\r\nHost: a\r\n\r\n",
    "a control in a header": b"POST {path} HTTP/1.1\r\nHost: a\r\nReferer: {path}\x01\r\n\r\n",
    "a space in a header's name": b"POST {path} HTTP/1.1\r\nHost: a\r\n{path} x: 1\r\n\r\n",
    "two lengths": b"POST {path} HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "a length of no number": b"POST {path} HTTP/1.1\r\nContent-Length: {path}\r\n\r\n",
    "a port of no number": b"POST http://a:{path} HTTP/1.1\r\nHost: a\r\n\r\n",
    "a host of no name": b"POST http://[{path} HTTP/1.1\r\nHost: a\r\n\r\n",
    "a method of no word": b"PO{path}ST / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a path too long": b"POST {path}" + b"x" * 2**14 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "no chunk": (
        b"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n{path}\r\n"
    ),
    "an unknown expectation": b"POST {path} HTTP/1.1\r\nHost: a\r\nExpect: {path}\r\n\r\n",
    "an unknown expectation of nobody": b"POST /x HTTP/1.1\r\nHost: a\r\nExpect: {path}\r\n\r\n",
}


async def _send(sender: Sender, request: bytes) -> tuple[bytes, bytes]:
    reader, writer = await asyncio.open_connection(*sender.url.removeprefix("http://").split(":"))
    writer.write(request)
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        length = next(line.split()[1] for line in lines if line.startswith("content-length:"))
        body = await reader.readexactly(int(length))
    writer.close()
    return head, body


async def test_a_malformed_request_is_a_problem_and_is_quoted_nowhere(spawn: Spawn) -> None:
    async with spawn() as (receiver, sender):
        job = sender.new_job()
        token = mint_token(PUSH_SECRET.encode(), job.job_id, 1)
        path = f"/webhooks/llamaparse/{job.job_id}/{token}".encode()
        for what, template in MALFORMED.items():
            head, body = await _send(sender, template.replace(b"{path}", path))
            status = int(head.split()[1])
            assert 400 <= status < 500, (what, head)
            assert b"content-type: application/problem+json" in head.lower(), what
            assert json.loads(body)["status"] == status, what
            assert token.encode() not in head + body, what
        await receiver.stop()
    printed = receiver.printed
    assert token not in printed
    assert "Traceback" not in printed
    assert {"BadStatusLine", "BadHttpMessage"} & {
        line["error"] for line in receiver.lines("bad_request")
    }


async def test_an_unknown_expect_header_is_417(sender: Sender) -> None:
    head, body = await _send(
        sender, b"POST /webhooks/llamaparse HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n"
    )
    assert head.startswith(b"HTTP/1.1 417 ")
    assert json.loads(body)["title"] == "Expectation Failed"
    assert b"tea" not in body


async def test_an_internal_error_is_answered_without_its_message(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hookline.process.readiness import Readiness

    async def fail(self: Readiness) -> None:
        raise LookupError("a-token")

    monkeypatch.setattr(Readiness, "find_fault", fail)
    async with sender.http.get(sender.url + "/readyz") as response:
        assert response.status == 500
        assert response.content_type == "application/problem+json"
        assert "a-token" not in await response.text()
