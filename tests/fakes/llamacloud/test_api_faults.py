"""What the official SDK sees when a request to the imitation fails."""

from __future__ import annotations

from typing import Any

import httpx
import llama_cloud
import pytest

from fakes.llamacloud.customer import FAST, customer_of
from fakes.llamacloud.faults import Faults
from fakes.llamacloud.server import LlamaCloud

BEFORE: dict[str, type[llama_cloud.APIError]] = {
    "http_429": llama_cloud.RateLimitError,
    "http_5xx": llama_cloud.InternalServerError,
    "hang": llama_cloud.APITimeoutError,
    "reset": llama_cloud.APIConnectionError,
}


@pytest.mark.parametrize("kind", BEFORE)
async def test_fault_before_a_request_has_no_effect_on_the_provider(kind: str) -> None:
    cloud = LlamaCloud(pace=FAST, faults=Faults(**{kind: 1}))  # type: ignore[arg-type]
    async with customer_of(cloud, patience=0.5 if "hang" in kind else 10) as customer:
        with pytest.raises(BEFORE[kind]) as caught:
            await customer.upload()
        assert type(caught.value) is BEFORE[kind]
        if kind == "reset":
            assert isinstance(caught.value.__cause__, httpx.ReadError)
        if isinstance(caught.value, llama_cloud.RateLimitError):
            assert "retry-after" not in caught.value.response.headers
        assert cloud.draws.times() == {kind: 1}
        assert not cloud.jobs.files
        cloud.faults = Faults()
        await customer.upload()


AFTER: dict[str, type[llama_cloud.APIError]] = {
    "http_5xx_after_create": llama_cloud.InternalServerError,
    "hang_after_create": llama_cloud.APITimeoutError,
    "reset_after_create": llama_cloud.APIConnectionError,
}


@pytest.mark.parametrize("kind", AFTER)
async def test_job_whose_creation_got_no_answer_costs_credits_and_is_listed(kind: str) -> None:
    cloud = LlamaCloud(pace=FAST, faults=Faults(**{kind: 1}))  # type: ignore[arg-type]
    async with customer_of(cloud, patience=0.5 if "hang" in kind else 10) as customer:
        with pytest.raises(AFTER[kind]) as caught:
            await customer.create(user_metadata={"job": "j1"})
        assert type(caught.value) is AFTER[kind]
        await cloud.settle()
        (listed,) = [job async for job in customer.sdk.parsing.list()]
        assert listed.user_metadata == {"job": "j1"}
        assert cloud.jobs.billed("job") == {("j1",): 20}


@pytest.mark.parametrize(
    "window", [{"http_402_requests": (1, 3)}, {"http_402_seconds": (0, 3_600_000)}]
)
async def test_spent_quota_raises_a_plain_status_error(window: dict[str, Any]) -> None:
    async with customer_of(LlamaCloud(pace=FAST)) as customer:
        await customer.create()
        customer.cloud.faults = Faults(**window)
        if "http_402_requests" in window:
            await customer.create()
        for _ in range(2):
            with pytest.raises(llama_cloud.APIStatusError) as caught:
                await customer.create()
            assert type(caught.value) is llama_cloud.APIStatusError
            assert caught.value.status_code == 402
        if "http_402_seconds" in window:
            customer.cloud.faults = Faults(http_402_seconds=(3_600_000, 7_200_000))
        await customer.create()
        assert customer.cloud.draws.times() == {"http_402": 2}


async def test_provider_that_is_down_raises_a_connection_error() -> None:
    async with customer_of(LlamaCloud()) as customer:
        await customer.cloud.__aexit__()
        with pytest.raises(llama_cloud.APIConnectionError):
            await customer.upload()


async def test_faults_occur_only_in_the_chosen_operations() -> None:
    faults = Faults(http_5xx=1, operations=("list",))
    async with customer_of(LlamaCloud(pace=FAST, faults=faults)) as customer:
        await customer.create()
        with pytest.raises(llama_cloud.InternalServerError):
            await customer.listed()
