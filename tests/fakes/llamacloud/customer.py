"""A customer's program that uses the official SDK, as our workers do."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from llama_cloud import AsyncLlamaCloud, DefaultAsyncHttpxClient

from fakes.llamacloud.jobs import Pace
from fakes.llamacloud.receiver import Receiver
from fakes.llamacloud.server import LlamaCloud

FAST = Pace(speed=1000, list_lag_seconds=0)


PDF = b"%PDF-1.7\n/Type /Pages /Kids [1 2]\n/Type /Page\n/Type/Page\n"


# Without this each client loads all certificate authorities, which takes longer than a test.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Customer:
    """A customer's program: the official SDK, as our workers use it."""

    def __init__(self, cloud: LlamaCloud, sdk: AsyncLlamaCloud) -> None:
        self.cloud = cloud
        self.sdk = sdk

    async def upload(self, data: bytes = PDF, name: str = "report.pdf") -> str:
        file = await self.sdk.files.create(
            file=(name, data, "application/pdf"), purpose="parse", external_file_id="doc-1"
        )
        return file.id

    async def create(self, data: bytes = PDF, tier: str = "agentic", **options: Any) -> str:
        job = await self.sdk.parsing.create(
            tier=tier, version="latest", file_id=await self.upload(data), **options
        )
        return job.id

    async def parse(self, data: bytes = PDF, **options: Any) -> str:
        job_id = await self.create(data, **options)
        await self.cloud.settle()
        return job_id

    async def listed(self, **query: Any) -> list[str]:
        return [job.id async for job in self.sdk.parsing.list(**query)]


@asynccontextmanager
async def customer_of(
    cloud: LlamaCloud, patience: float = 10, key: str = ""
) -> AsyncIterator[Customer]:
    async with (
        cloud,
        AsyncLlamaCloud(
            api_key=key or cloud.api_key,
            base_url=cloud.url,
            timeout=patience,
            max_retries=0,
            http_client=DefaultAsyncHttpxClient(verify=NO_TLS),
        ) as sdk,
    ):
        yield Customer(cloud, sdk)


async def receive_v1_push(cloud: LlamaCloud, receiver: Receiver) -> bytes:
    form = aiohttp.FormData({"webhook_url": receiver.url})
    form.add_field("file", PDF, filename="report.pdf")
    headers = {"Authorization": f"Bearer {cloud.api_key}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"{cloud.url}/api/v1/parsing/upload", data=form) as response,
    ):
        assert response.status == 200
    await cloud.settle()
    ((headers_sent, body),) = receiver.messages
    assert "LC-Signature" not in headers_sent
    return body
