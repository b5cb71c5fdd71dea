"""Requests that are refused before any work is done, and the answer to each."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from support.sender import ENVELOPE_SECRET, Sender, Start, envelope_of, event_of, sign
from support.uploads import open_upload
from support.waiting import until

ROUTE = "/webhooks/llamaparse"


def _signed(body: bytes) -> dict[str, str]:
    return {"X_Webhook_Signature": sign(body, ENVELOPE_SECRET)}


async def test_a_body_over_its_routes_limit_is_413(start: Start) -> None:
    async with start(max_body=2**16, body_budget=2**20) as sender:
        large = b"x" * (2**16 + 1)
        status, answer = await sender.post(ROUTE, large, **_signed(large))
        assert (status, answer["title"]) == (413, "Request Entity Too Large")

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"x" * 2**15

        async with sender.http.post(
            sender.url + ROUTE, data=chunks(), headers={"Content-Type": "application/json"}
        ) as response:
            assert response.status == 413, "also without a Content-Length"


async def test_the_route_of_thin_events_takes_only_small_bodies(sender: Sender) -> None:
    assert (await sender.send_event(b" " * 2**18 + json.dumps(event_of("p")).encode()))[0] == 413


async def test_a_compressed_body_is_415_and_never_inflated(sender: Sender) -> None:
    body = gzip.compress(json.dumps(envelope_of(sender.new_job())).encode())
    status, answer = await sender.post(ROUTE, body, Content_Encoding="gzip", **_signed(body))
    assert (status, answer["detail"]) == (415, "Content-Encoding is not accepted")


async def test_a_second_content_encoding_is_checked_too(sender: Sender) -> None:
    body = json.dumps(envelope_of(sender.new_job())).encode()
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Encoding", "identity"),
        ("Content-Encoding", "gzip"),
        *_signed(body).items(),
    ]
    async with sender.http.post(sender.url + ROUTE, data=body, headers=headers) as response:
        assert response.status == 415


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_that_is_not_called_json_is_415(sender: Sender, content_type: str) -> None:
    body = json.dumps(envelope_of(sender.new_job())).encode()
    status, _ = await sender.post(ROUTE, body, Content_Type=content_type, **_signed(body))
    assert status == 415


async def test_unknown_methods_and_paths_get_problem_json_too(sender: Sender) -> None:
    async with sender.http.get(sender.url + ROUTE) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "POST"
        assert response.content_type == "application/problem+json"
    async with sender.http.post(sender.url + "/webhooks/nobody") as response:
        assert response.status == 404
        assert (await response.json(content_type=None))["status"] == 404


async def test_a_body_that_never_arrives_is_408(start: Start) -> None:
    async with start(read_timeout=0.2) as sender:
        reader, writer = await open_upload(sender, 100, b"{")
        async with asyncio.timeout(5):
            assert b" 408 " in await reader.readline()
        writer.close()


async def test_a_connection_without_headers_is_closed(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookline.process.http_server._HEADER_TIMEOUT", 0.2)
    async with start() as sender:
        host = sender.url.removeprefix("http://")
        reader, writer = await asyncio.open_connection(*host.split(":"))
        writer.write(f"POST {ROUTE} HTTP/1.1\r\nHost: {host}\r\nX-Slow".encode())
        async with asyncio.timeout(5):
            assert await reader.read() == b"", "the server closed the connection"
        writer.close()


async def test_a_sender_that_is_gone_before_its_request_is_handled_is_no_failure(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handle = web.RequestHandler._handle_request

    async def handle_after_the_end(connection: web.RequestHandler, *arguments: Any) -> Any:
        if connection.transport is not None:
            connection.transport.abort()
        await until(lambda: connection.transport is None)
        return await handle(connection, *arguments)

    async with start() as sender:
        monkeypatch.setattr(web.RequestHandler, "_handle_request", handle_after_the_end)
        reader, writer = await open_upload(sender, 100, b"{")
        assert await reader.read() == b""
        writer.close()
        monkeypatch.undo()
        assert (await sender.send_envelope(envelope_of(sender.new_job())))[0] == 200
    printed = capsys.readouterr().out
    assert "http=400" in printed
    assert "webhook_failed" not in printed
