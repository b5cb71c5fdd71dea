"""A sender with little overhead: each connection sends its next delivery when it is answered.

Runs as a process that prints JSON: `python load.py PORT CONNECTIONS FIRST COUNT SECRET` for thin
events, or `python load.py envelopes PORT CONNECTIONS SIZE SECRET` with the ids of jobs and
documents on its input. Bodies are signed before the clock starts, so that only requests and answers
are measured.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import uvloop


def requests(first: int, count: int, secret: str) -> list[bytes]:
    made = []
    for number in range(first, first + count):
        body = json.dumps(
            {
                "event_id": f"event-{number}",
                "event_type": "parse.success",
                "timestamp": 1753985275.1154444,
                "data": {"id": f"p-{number}", "job_id": f"p-{number}"},
            }
        ).encode()
        mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        head = (
            "POST /webhooks/llamacloud HTTP/1.1\r\nHost: bench\r\n"
            "Content-Type: application/json\r\n"
            f"LC-Signature: sha256={mac}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


def envelopes(jobs: list[tuple[str, str]], size: int, secret: str) -> list[bytes]:
    """A signed envelope for each job, with a text of about `size` bytes."""
    made = []
    line = "| a cell of a table | 12.5 | and *some* words of the document |\n"
    for job_id, document_id in jobs:
        content = f"# {job_id}\n\n" + line * (size // len(line))
        data = content.encode()
        body = json.dumps(
            {
                "job_id": job_id,
                "document_id": document_id,
                "parse_job_id": f"parse-{job_id}",
                "status": "parsed",
                "artifacts": [
                    {
                        "type": "markdown",
                        "content": content,
                        "sha256": hashlib.sha256(data).hexdigest(),
                        "bytes": len(data),
                    }
                ],
            }
        ).encode()
        mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        head = (
            "POST /webhooks/llamaparse HTTP/1.1\r\nHost: bench\r\n"
            "Content-Type: application/json\r\n"
            f"X-Webhook-Signature: {mac}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


class _Connection(asyncio.Protocol):
    def __init__(
        self, waiting: Iterator[bytes], answered: Counter[str], times: list[float]
    ) -> None:
        self._waiting = waiting
        self._answered = answered
        self._times = times
        self._received = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from those of asyncio.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        request = next(self._waiting, None)
        if request is None:
            self._transport.close()
            self.done.set_result(None)
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        if len(rest) < length:
            return
        self._received = b""
        self._times.append(time.perf_counter() - self._sent)
        outcome = json.loads(rest).get("outcome", head.split(b" ")[1].decode())
        self._answered[outcome] += 1
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the receiver hung up"))


async def send(port: int, connections: int, made: list[bytes]) -> dict[str, Any]:
    answered: Counter[str] = Counter()
    times: list[float] = []
    waiting = iter(made)
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    opened = [
        await loop.create_connection(
            lambda: _Connection(waiting, answered, times), "127.0.0.1", port
        )
        for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.done for _, protocol in opened))
    seconds = time.perf_counter() - started
    times.sort()
    return {
        "per_second": len(made) / seconds,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
        "outcomes": answered,
    }


def main(arguments: list[str]) -> dict[str, Any]:
    if arguments[0] == "envelopes":
        port, connections, size = map(int, arguments[1:4])
        made = envelopes(json.load(sys.stdin), size, arguments[4])
    else:
        port, connections, first, count = map(int, arguments[:4])
        made = requests(first, count, arguments[4])
    return uvloop.run(send(port, connections, made))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))  # noqa: T201
