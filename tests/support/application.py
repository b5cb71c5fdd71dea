"""The application of a test: an endpoint that takes notifications, and checks who sent them.

It verifies with the package of Standard Webhooks, as an application would.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook

SECRET = "whsec_" + base64.b64encode(b"the-key-of-the-application-00001").decode()

Answer = web.StreamResponse | int


@dataclass(frozen=True)
class Message:
    """A request: its id, its body as JSON, its headers."""

    id: str
    body: dict[str, Any]
    headers: dict[str, str] = field(repr=False)

    @property
    def step(self) -> tuple[str, int]:
        """The job, and the version that the step led to."""
        data = self.body["data"]
        return data["job_id"], data["version"]


class Application:
    """An endpoint at `url`. `answer` says what it answers to a message: 204 unless it is set."""

    def __init__(self) -> None:
        self.url = ""
        self.secret = SECRET
        self.messages: list[Message] = []
        self.forged: list[bytes] = []
        self.elsewhere: list[str] = []
        self.answer: Callable[[Message, web.Request], Answer] = lambda message, request: 204
        self.open = asyncio.Event()
        self.open.set()
        self.at_once = 0
        self.most_at_once = 0

    def steps(self) -> list[tuple[str, int]]:
        """The jobs and versions that it was told of, in order."""
        return [message.step for message in self.messages]

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """Take a message; while `open` is not set, it waits."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            body = await request.read()
            headers = {name.lower(): value for name, value in request.headers.items()}
            try:
                Webhook(self.secret).verify(body, headers)
            except Exception:
                self.forged.append(body)
                return web.Response(status=401)
            message = Message(headers["webhook-id"], json.loads(body), headers)
            self.messages.append(message)
            await self.open.wait()
            answer = self.answer(message, request)
            return web.Response(status=answer) if isinstance(answer, int) else answer
        finally:
            self.at_once -= 1

    async def other(self, request: web.Request) -> web.Response:
        self.elsewhere.append(request.path)
        return web.Response(status=200)


@asynccontextmanager
async def listening(made: Application, port: int | None = None) -> AsyncIterator[None]:
    """Let it listen on a port of this machine. At the end, what is under way gets no answer."""
    app = web.Application()
    app.router.add_post("/hooks", made.receive)
    app.router.add_route("*", "/{path:.*}", made.other)
    server = TestServer(app, host="127.0.0.1", port=port)
    await server.start_server(shutdown_timeout=0.1)
    made.url = str(server.make_url("/hooks"))
    try:
        yield
    finally:
        made.open.set()
        await server.close()


@asynccontextmanager
async def application() -> AsyncIterator[Application]:
    """An application that listens."""
    made = Application()
    async with listening(made):
        yield made
