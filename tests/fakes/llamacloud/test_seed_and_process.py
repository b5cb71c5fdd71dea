"""The seed decides all faults, and the imitation runs as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import llama_cloud
import pytest
from llama_cloud import AsyncLlamaCloud

from fakes.llamacloud.customer import FAST, customer_of
from fakes.llamacloud.faults import Faults
from fakes.llamacloud.receiver import SECRET, Receiver
from fakes.llamacloud.server import LlamaCloud


async def faults_of(
    seed: int, url: str, *, parallel: bool
) -> tuple[set[tuple[str, ...]], set[str]]:
    """The faults and jobs of one customer, whose requests come one by one or all at once."""
    faults = Faults(
        http_429=0.3, http_5xx=0.3, http_5xx_after_create=0.5, webhook_dropped=0.3, webhook_late=0.3
    )
    async with customer_of(LlamaCloud(seed=seed, pace=FAST, faults=faults)) as customer:

        async def submit(data: bytes) -> None:
            for _ in range(8):
                try:
                    await customer.create(data, webhook_configurations=[{"webhook_url": url}])
                except llama_cloud.APIStatusError:
                    continue
                return

        work = [submit(f"document {number}".encode()) for number in range(4)]
        if parallel:
            await asyncio.gather(*work)
        else:
            for one in work:
                await one
        await customer.cloud.settle()
        return set(customer.cloud.draws.occurred), set(customer.cloud.jobs.jobs)


async def test_seed_decides_the_faults_in_any_order_of_requests(
    receiver: Receiver,
) -> None:
    first = await faults_of(7, receiver.url, parallel=False)
    assert first == await faults_of(7, receiver.url, parallel=True)
    assert first != await faults_of(8, receiver.url, parallel=False)


@pytest.mark.parametrize(
    "values", [{"http_430": 1}, {"http_429": 1.5}, {"operations": ["erase"]}, {"hang": "often"}]
)
def test_unknown_fault_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Faults.from_json(values)


async def test_imitation_runs_as_a_process_and_shows_its_state(receiver: Receiver) -> None:
    tests = Path(__file__).parent.parent.parent
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fakes.llamacloud.server", "--port", "0", "--seed", "7"),
        *("--speed", "1000", "--faults", '{"webhook_duplicated": 1}'),
        env={**os.environ, "PYTHONPATH": str(tests)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        ready = json.loads(await process.stdout.readline())
        async with (
            AsyncLlamaCloud(api_key=ready["api_key"], base_url=ready["url"], max_retries=0) as sdk,
            aiohttp.ClientSession(ready["url"]) as http,
        ):
            file = await sdk.files.create(file=("a.txt", b"text", "text/plain"), purpose="parse")
            job = await sdk.parsing.create(
                tier="fast",
                version="latest",
                file_id=file.id,
                user_metadata={"job": "j1"},
                webhook_configurations=[
                    {"webhook_url": receiver.url, "webhook_signing_secret": SECRET}
                ],
            )
            while True:
                async with http.get("/_state") as response:
                    state = await response.json()
                if not state["busy"]:
                    break
                await asyncio.sleep(0.01)
            assert [known["id"] for known in state["jobs"]] == [job.id]
            assert state["jobs"][0]["user_metadata"] == {"job": "j1"}
            assert [known["id"] for known in state["files"]] == [file.id]
            assert state["billed"] == {"credits": 1, "jobs": {job.id: 1}}
            assert state["occurred"] == {"webhook_duplicated": 3}
            assert len(receiver.notices()) == 6

            async with http.put("/_faults", json={"http_429": 1}) as response:
                assert response.status == 200
            with pytest.raises(llama_cloud.RateLimitError):
                await sdk.parsing.get(job.id)
            async with http.put("/_faults", json={"http_430": 1}) as response:
                assert response.status == 400
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
