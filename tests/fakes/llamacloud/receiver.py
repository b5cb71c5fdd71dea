"""A receiver of webhooks whose answers the test chooses."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiohttp import web

from hookline.postgres.deliveries import Notice
from hookline.sources import llamacloud
from hookline.sources.signatures import verify_llamacloud

SECRET = "whsec_looks-like-another-scheme"


class Receiver:
    """Keeps the headers and bytes of each webhook, and answers with the given statuses."""

    def __init__(self) -> None:
        self.url = ""
        self.messages: list[tuple[dict[str, str], bytes]] = []
        self.arrived: list[float] = []
        self.answers: list[int] = []
        """The statuses for the next messages, then 200. A 0 means no answer."""

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.messages.append((dict(request.headers), await request.read()))
        self.arrived.append(time.time())
        status = self.answers.pop(0) if self.answers else 200
        if status == 0:
            await asyncio.sleep(60)
        return web.Response(status=status)

    def notices(self) -> list[Notice]:
        """The messages as the real source verifies and reads them."""
        for headers, body in self.messages:
            verify_llamacloud(headers.get("LC-Signature"), body, [SECRET.encode()])
        return [llamacloud.parse(body) for _, body in self.messages]

    def types(self) -> list[str]:
        return [notice.event_type.removeprefix("parse.") for notice in self.notices()]


def hook(receiver: Receiver, **options: Any) -> dict[str, Any]:
    return {
        "webhook_configurations": [
            {"webhook_url": receiver.url, "webhook_signing_secret": SECRET, **options}
        ]
    }
