"""A reverse proxy in front of a receiver that does to webhooks what proxies in the field do."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

_HOP = ("Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive")


class PublicProxy:
    """Forwards requests, with the one fault that is set."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.fault = ""
        self.limit = 2**20
        self.url = ""
        self.requests = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        body = await request.read()
        headers = CIMultiDict(request.headers)
        path = request.raw_path
        match self.fault:
            case "redirect":
                return web.Response(status=301, headers={"Location": f"https://www{path}"})
            case "login page":
                return web.Response(status=403, text="<h1>Sign in</h1>", content_type="text/html")
            case "page for everything":
                return web.Response(text="<h1>Welcome</h1>", content_type="text/html")
            case "bad gateway":
                return web.Response(status=502, text="nginx")
            case "no route":
                return web.Response(status=404, text="no such site")
            case "limit" if len(body) > self.limit:
                return web.Response(status=413, headers={"Server": "nginx"})
            case "silence":
                await asyncio.sleep(3600)
            case "nested":
                return web.Response(body=b"[" * 2**21, content_type="application/json")
            case "hang up":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "json":
                body = json.dumps(json.loads(body)).encode()
            case "gzip":
                body = gzip.compress(body)
                headers["Content-Encoding"] = "gzip"
            case "strip":
                for name in ("X-Webhook-Signature", "LC-Signature"):
                    headers.popall(name, None)
            case "rename":
                headers["X-Original-X-Webhook-Signature"] = headers.pop("X-Webhook-Signature")
            case "twice":
                headers.add("X-Webhook-Signature", headers["X-Webhook-Signature"])
            case "content type":
                headers["Content-Type"] = "text/plain"
            case "query":
                path = path.partition("?")[0]
            case "path":
                path = f"/app{path}"
        for name in _HOP:
            headers.popall(name, None)
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.post(self.target + path, data=body, headers=headers) as answer,
        ):
            said = await answer.read()
            if self.fault == "answer":
                told = json.loads(said)
                told["seen"]["bytes"] += 1
                said = json.dumps(told).encode()
            if self.fault == "pieces":
                return await _in_pieces(request, said)
            return web.Response(
                status=answer.status,
                body=said,
                headers={"Content-Type": answer.headers.get("Content-Type", "text/plain")},
            )


async def _in_pieces(request: web.Request, said: bytes) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    answer.enable_chunked_encoding()
    await answer.prepare(request)
    for place in range(0, len(said), 100):
        await answer.write(said[place : place + 100])
        # So that the reader wakes up for this piece.
        await asyncio.sleep(0)
    await answer.write_eof()
    return answer


@asynccontextmanager
async def public_proxy(
    target: str, tls: ssl.SSLContext | None = None
) -> AsyncIterator[PublicProxy]:
    """A proxy on a free port, with TLS if it has a context."""
    proxy = PublicProxy(target)
    application = web.Application(client_max_size=2**30)
    application.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(application, auto_decompress=False, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    proxy.url = f"http{'s' if tls else ''}://localhost:{runner.addresses[0][1]}"
    try:
        yield proxy
    finally:
        await runner.cleanup()
