"""Hostile requests over real connections: each number of a seed is one request, always the same."""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import struct
from collections import Counter
from dataclasses import dataclass, field

from hookline.sources.llamaparse_push import mint_token
from support.sender import (
    CLOUD_SECRET,
    ENVELOPE_SECRET,
    PUSH_SECRET,
    Job,
    envelope_of,
    event_of,
    sign,
)

# The answers of server/README.md to a sender, and 405 and 417 of HTTP itself. 500 would mean that
# storage failed.
ALLOWED = {100, 200, 400, 401, 404, 405, 408, 409, 413, 415, 417, 422, 429, 503}

# Seconds for an answer. A request without an end has none.
_PATIENCE = 0.5
_TOKENS = [
    *(b"\0", b"\r\n", b"\n", b"\r\n\r\n", b": ", b"Content-Length: 5\r\n", b"\xff", b"%00", b"..."),
    *(b"Transfer-Encoding: chunked\r\n", b"HTTP/1.1", b"Host: b\r\n", b"\xed\xa0\x80", b"[" * 2000),
    *(b'"', b"\\ud800", b"{}", b"null", b"1e999", b"NaN", b"{" * 300, b"Expect: 100-continue\r\n"),
    *(b"Connection: Upgrade\r\nUpgrade: websocket\r\n", b"0\r\n\r\n", b"fffffffff\r\n", b"\\u0000"),
]


@dataclass
class Findings:
    """What came back, and what should not have."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


async def fuzz(
    port: int, jobs: list[Job], *, seed: int, first: int, count: int, at_once: int
) -> Findings:
    """Send the requests `first` to `first + count - 1` of a seed, so many at once."""
    findings = Findings()
    numbers = iter(range(first, first + count))

    async def send_some() -> None:
        for number in numbers:
            await _send(port, jobs, seed, number, findings)

    await asyncio.gather(*(send_some() for _ in range(at_once)))
    return findings


async def _send(port: int, jobs: list[Job], seed: int, number: int, findings: Findings) -> None:
    chance = random.Random(f"{seed}:{number}")
    request = b"".join(_request(chance, jobs) for _ in range(chance.choice((1, 1, 1, 2, 5, 40))))
    if chance.random() < 0.3:
        request = _damaged(chance, request)
    whole = chance.random() < 0.85
    if not whole:
        request = request[: chance.randrange(len(request) + 1)]
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        findings.faults.append(f"request {number}: no connection, {error}")
        return
    answer = b""
    try:
        pieces = chance.choice((1, 1, 1, 2, 7))
        for at in range(pieces):
            size = len(request) // pieces + 1
            writer.write(request[at * size : (at + 1) * size])
            await writer.drain()
        if chance.random() < 0.05:
            # A reset instead of an end.
            peer = writer.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif whole or chance.random() < 0.5:
            async with asyncio.timeout(_PATIENCE):
                while received := await reader.read(2**16):
                    answer += received
    except (OSError, TimeoutError):
        pass
    finally:
        writer.transport.abort()
    _judge(answer, f"seed {seed}, request {number}", findings)


def _judge(answer: bytes, where: str, findings: Findings) -> None:
    while answer:
        head, found, answer = answer.partition(b"\r\n\r\n")
        if not found:
            return
        status_line = re.match(rb"HTTP/[0-9.]{3} ([0-9]{3}) ", head)
        if status_line is None:
            findings.faults.append(f"{where}: not an answer: {head[:80]!r}")
            return
        status = int(status_line[1])
        findings.statuses[status] += 1
        if status not in ALLOWED:
            findings.faults.append(f"{where}: answered {status}")
        length = re.search(rb"(?i)\r\ncontent-length: ([0-9]+)", head)
        if status == 100 or length is None:
            continue
        body, answer = answer[: int(length[1])], answer[int(length[1]) :]
        if len(body) == int(length[1]) and b"application/problem+json" in head:
            if json.loads(body)["status"] != status:
                findings.faults.append(f"{where}: {status} with {body[:80]!r}")
        elif status >= 400 and body:
            findings.faults.append(f"{where}: {status} is no problem JSON")


def _request(chance: random.Random, jobs: list[Job]) -> bytes:
    job = chance.choice(jobs)
    kind = chance.choice(("envelope", "envelope", "event", "push", "other"))
    headers: list[tuple[str, str]] = [("Host", "fuzz")]
    if kind == "envelope":
        status = chance.choice(("parsed", "failed", "processing"))
        text = chance.choice(("# A", "😀" * 50, "é" * chance.randrange(1, 90_000), "\ud800", ""))
        body = _json(chance, envelope_of(job, status, text))
        path, headers = "/webhooks/llamaparse", [*headers, _signature(chance, body)]
    elif kind == "event":
        types = ("parse.success", "PARSE_ERROR", "parse.pending", "x", "\0")
        body = _json(chance, event_of(f"p-{job.job_id}", chance.choice(types)))
        mac = sign(body, chance.choice((CLOUD_SECRET, "a wrong secret of this length")))
        path, headers = "/webhooks/llamacloud", [*headers, ("LC-Signature", f"sha256={mac}")]
    elif kind == "push":
        body = _json(chance, chance.choice(({"md": "# A"}, {"result": [{"page": 1}]}, [], {})))
        secret = chance.choice((PUSH_SECRET, "a wrong secret of this length"))
        token = mint_token(secret.encode(), job.job_id, chance.choice((1, 2)))
        path = f"/webhooks/llamaparse/{job.job_id}/{token}"
    else:
        body = b""
        path = chance.choice(("/healthz", "/readyz", "/", "/metrics", "*", "http://a/b", "//"))
    if chance.random() < 0.1:
        body = _damaged(chance, body)
    method = "POST" if chance.random() < 0.93 and body else chance.choice(("GET", "PUT", "CONNECT"))
    media = ("application/json",) * 8 + ("text/plain", "application/json; charset=latin-1", "\t")
    headers.append(("Content-Type", chance.choice(media)))
    if chance.random() < 0.05:
        headers.append(("Content-Encoding", chance.choice(("gzip", "identity", "br, gzip"))))
    if chance.random() < 0.05:
        headers.append(("Expect", chance.choice(("100-continue", "tea"))))
    if chance.random() < 0.9:
        headers.append(("Connection", "close"))
    if chance.random() < 0.2:
        headers.append(("Transfer-Encoding", "chunked"))
        body = _chunked(chance, body)
    else:
        wrong = chance.choice((0,) * 20 + (1, -1, 2**26, 2**70))
        headers.append(("Content-Length", str(len(body) + wrong)))
    if chance.random() < 0.05:
        headers *= chance.choice((2, 40))
    chance.shuffle(headers)
    version = "HTTP/1.1" if chance.random() < 0.97 else chance.choice(("HTTP/1.0", "HTTP/2.0", ""))
    lines = [f"{method} {path} {version}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _signature(chance: random.Random, body: bytes) -> tuple[str, str]:
    right = sign(body, ENVELOPE_SECRET)
    wrong = (sign(body, "a wrong secret of this length"), "", "é", "0" * 64, right[:-1])
    return "X-Webhook-Signature", right if chance.random() < 0.7 else chance.choice(wrong)


def _json(chance: random.Random, value: object) -> bytes:
    text = json.dumps(value)
    if chance.random() < 0.2:
        field_ = chance.choice(('"status"', '"data"', '"md"', '"job_id"', '"artifacts"', '"bytes"'))
        new = chance.choice(("[" * 2000, "1e999", '{"a":1,"a":2}', '"\\ud800"', "NaN", "-1", "{}"))
        text = text.replace(f"{field_}: ", f"{field_}: {new}, {field_}: ", 1)
    encoding = "utf-8" if chance.random() < 0.97 else chance.choice(("utf-16", "utf-8-sig"))
    return text.encode(encoding)


def _chunked(chance: random.Random, body: bytes) -> bytes:
    chunks, at = [], 0
    while at < len(body):
        piece = body[at : at + chance.choice((1, 100, 10_000, 2**16))]
        at += len(piece)
        extension = chance.choice(("", "", "", ";a=b", ";" + "x" * 100))
        chunks.append(f"{len(piece):x}{extension}\r\n".encode() + piece + b"\r\n")
        if len(chunks) > 300:
            break
    trailers = chance.choice((b"", b"", b"X-Trailer: a\r\n", b"X-Trailer: a\r\n" * 100))
    return b"".join(chunks) + b"0\r\n" + trailers + b"\r\n"


def _damaged(chance: random.Random, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(damaged) + 1)
        match chance.choice(("insert", "delete", "flip", "repeat")):
            case "insert":
                damaged[at:at] = chance.choice(_TOKENS)
            case "delete":
                del damaged[at : at + chance.choice((1, 10, 1000))]
            case "flip" if at < len(damaged):
                damaged[at] ^= 1 << chance.randrange(8)
            case _:
                damaged[at:at] = damaged[max(0, at - 50) : at] * chance.choice((1, 20))
    return bytes(damaged)
