"""The official SDK works with the imitation: files, jobs, results and refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import aiohttp
import llama_cloud
import pytest
from llama_cloud.types import ParsingGetResponse
from yarl import URL

from fakes.llamacloud.customer import PDF, Customer, customer_of
from fakes.llamacloud.documents import PAGE_LIMIT, expected_markdown
from fakes.llamacloud.jobs import Pace, now
from fakes.llamacloud.server import LlamaCloud


async def test_file_is_uploaded_with_its_name_and_our_id(customer: Customer) -> None:
    file = await customer.sdk.files.create(
        file=("Bericht ü.pdf", PDF, "application/pdf"), purpose="parse", external_file_id="doc-1"
    )
    assert (file.name, file.file_type, file.purpose, file.external_file_id) == (
        "Bericht ü.pdf",
        "pdf",
        "parse",
        "doc-1",
    )
    assert customer.cloud.jobs.files[file.id].data == PDF


async def test_job_is_created_pending_with_its_metadata(customer: Customer) -> None:
    metadata = {"job_id": "j1", "attempt": "1"}
    job = await customer.sdk.parsing.create(
        tier="agentic", version="latest", file_id=await customer.upload(), user_metadata=metadata
    )
    assert (job.status, job.tier, job.name, job.user_metadata) == (
        "PENDING",
        "agentic",
        "report.pdf",
        metadata,
    )
    assert job.created_at is not None
    assert job.created_at.utcoffset() == timedelta()


async def test_result_is_not_found_before_it_is_ready(customer: Customer) -> None:
    customer.cloud.jobs.hold()
    job_id = await customer.create()
    with pytest.raises(llama_cloud.NotFoundError) as caught:
        await customer.sdk.parsing.get(job_id, expand=["markdown_full"])
    assert caught.value.body == {
        "detail": "Result not found. Check job status to see if it has completed."
    }
    assert (await customer.sdk.parsing.get(job_id)).job.status in ("PENDING", "RUNNING")
    customer.cloud.jobs.release()
    await customer.cloud.settle()
    result = await customer.sdk.parsing.get(job_id, expand=["markdown_full"])
    assert result.job.status == "COMPLETED"
    assert result.markdown_full == expected_markdown("report.pdf", PDF)
    assert "page 2 of 2" in result.markdown_full


async def test_answer_contains_only_what_was_asked_for(customer: Customer) -> None:
    job_id = await customer.parse()
    bare = await customer.sdk.parsing.get(job_id)
    assert (bare.markdown_full, bare.markdown, bare.job.usage) == (None, None, None)
    full = await customer.sdk.parsing.get(job_id, expand=["markdown", "text_full", "usage"])
    assert full.markdown is not None
    assert [page.success for page in full.markdown.pages] == [True, True]
    assert full.text_full == expected_markdown("report.pdf", PDF)
    assert full.job.usage is not None
    assert full.job.usage.credits == 20


async def test_files_are_said_to_be_where_they_are_as_the_models_of_the_sdk_say(
    customer: Customer,
) -> None:
    options = {
        "images_to_save": ["embedded", "layout", "screenshot"],
        "tables_as_spreadsheet": {"enable": True},
        "save_output_pdf": True,
    }
    job_id = await customer.parse(output_options=options)
    wanted = [f"{name}_content_metadata" for name in ("images", "output_pdf", "xlsx")]
    answer = await customer.sdk.parsing.with_raw_response.get(job_id, expand=wanted)
    found = ParsingGetResponse.model_validate_json(await answer.read(), strict=True)
    assert found.images_content_metadata is not None
    assert found.result_content_metadata is not None
    images = found.images_content_metadata.images
    assert [image.category for image in images] == [*["screenshot"] * 2, "embedded", "layout"]
    assert found.result_content_metadata.keys() == {"outputPDF", "xlsx"}
    urls = [image.presigned_url for image in images]
    urls += [file.presigned_url for file in found.result_content_metadata.values()]
    async with aiohttp.ClientSession() as session:
        for url in urls:
            async with session.get(URL(str(url), encoded=True)) as response:
                assert response.status == 200


async def test_credits_are_null_until_they_are_billed() -> None:
    slow_bills = Pace(speed=1000, billing_seconds=3_600_000)
    async with customer_of(LlamaCloud(pace=slow_bills)) as customer:
        job_id = await customer.create()
        while (await customer.sdk.parsing.get(job_id)).job.status != "COMPLETED":
            await asyncio.sleep(0.001)
        usage = (await customer.sdk.parsing.get(job_id, expand=["usage"])).job.usage
        assert usage is not None
        assert usage.credits is None


async def test_jobs_are_listed_by_id_status_and_time_newest_first(customer: Customer) -> None:
    first, second = await customer.parse(b"1"), await customer.parse(b"2")
    failed = await customer.parse(b"%FAIL TIMEOUT")
    assert await customer.listed() == [failed, second, first]
    assert await customer.listed(job_ids=[first, failed, str(uuid4())]) == [failed, first]
    assert await customer.listed(status="FAILED") == [failed]
    assert await customer.listed(created_at_on_or_after=now() + timedelta(hours=1)) == []
    assert len(await customer.listed(created_at_on_or_before=now())) == 3


async def test_listing_pages_are_stable_while_jobs_are_created(customer: Customer) -> None:
    jobs = [await customer.create(str(number).encode()) for number in range(5)]
    page = await customer.sdk.parsing.list(page_size=2)
    await customer.create(b"one more")
    assert [job.id async for job in page] == jobs[::-1]


async def test_new_job_is_not_listed_at_once() -> None:
    async with customer_of(LlamaCloud(pace=Pace(list_lag_seconds=3600))) as customer:
        job_id = await customer.create()
        assert await customer.listed(job_ids=[job_id]) == []
        assert (await customer.sdk.parsing.get(job_id)).job.id == job_id
        customer.cloud.jobs.jobs[job_id].listed_at = now()
        assert await customer.listed(job_ids=[job_id]) == [job_id]


async def test_cancelled_job_has_no_result_and_costs_nothing(customer: Customer) -> None:
    customer.cloud.jobs.hold()
    job_id = await customer.create()
    assert (await customer.sdk.parsing.cancel(job_id)).status == "CANCELLED"
    customer.cloud.jobs.release()
    await customer.cloud.settle()
    with pytest.raises(llama_cloud.NotFoundError, match="Result not found"):
        await customer.sdk.parsing.get(job_id, expand=["markdown_full"])
    with pytest.raises(llama_cloud.BadRequestError, match="CANCELLED cannot be cancelled"):
        await customer.sdk.parsing.cancel(job_id)
    assert customer.cloud.jobs.credits_billed == 0


@pytest.mark.parametrize("code", ["PDF_IS_PROTECTED", "UNSUPPORTED_FILE_TYPE", "TOO_MANY_PAGES"])
async def test_file_fails_with_the_code_in_its_first_line(customer: Customer, code: str) -> None:
    job_id = await customer.parse(f"%FAIL {code}\n".encode())
    job = (await customer.sdk.parsing.get(job_id)).job
    assert job.status == "FAILED"
    assert (job.error_message or "").startswith(f"{code}: ")
    with pytest.raises(llama_cloud.NotFoundError, match="Result not found"):
        await customer.sdk.parsing.get(job_id, expand=["markdown_full"])


async def test_marker_in_the_first_line_decides_the_result(customer: Customer) -> None:
    async def markdown(data: bytes) -> str:
        job_id = await customer.parse(data)
        result = await customer.sdk.parsing.get(job_id, expand=["markdown_full"])
        assert result.markdown_full is not None
        return result.markdown_full

    assert await markdown(b"%BLANK") == ""
    assert len((await markdown(b"%LONG")).encode()) == PAGE_LIMIT
    assert "page 2 of 3" in await markdown(b"%PARTIAL\f\f")
    assert "page 3 of 3" not in await markdown(b"%PARTIAL\f\f")


async def test_stuck_job_runs_for_ever(customer: Customer) -> None:
    job_id = await customer.parse(b"%STUCK")
    assert (await customer.sdk.parsing.get(job_id)).job.status == "RUNNING"


async def test_sdk_drops_the_metadata_of_a_job_created_with_its_file(
    customer: Customer,
) -> None:
    job = await customer.sdk.parsing.create(
        tier="fast",
        version="latest",
        upload_file=("report.pdf", PDF, "application/pdf"),
        user_metadata={"job_id": "j1"},
    )
    assert job.user_metadata is None


async def test_attempt_that_is_paid_twice_is_found(customer: Customer) -> None:
    for job, attempt in [("j1", "1"), ("j2", "1"), ("j2", "2"), ("j2", "2")]:
        await customer.parse(user_metadata={"job": job, "attempt": attempt})
    jobs = customer.cloud.jobs
    assert jobs.credits_billed == 80
    assert jobs.billed("job") == {("j1",): 20, ("j2",): 60}
    assert jobs.paid_twice("job", "attempt") == {("j2", "2"): 2}
    assert [len(made) for made in jobs.submissions("job").values()] == [1, 3]


async def refuse_unknown_job(customer: Customer) -> None:
    await customer.sdk.parsing.get(str(uuid4()))


async def refuse_markdown_of_fast(customer: Customer) -> None:
    job_id = await customer.parse(tier="fast")
    await customer.sdk.parsing.get(job_id, expand=["markdown_full"])


async def refuse_no_file(customer: Customer) -> None:
    await customer.sdk.parsing.create(tier="fast", version="latest")


async def refuse_unknown_file(customer: Customer) -> None:
    await customer.sdk.parsing.create(tier="fast", version="latest", file_id=str(uuid4()))


async def refuse_metadata(customer: Customer) -> None:
    await customer.create(user_metadata={"attempt": 1})


async def refuse_tier(customer: Customer) -> None:
    await customer.create(tier="premium")


@pytest.mark.parametrize(
    ("ask", "error", "detail"),
    [
        (refuse_unknown_job, llama_cloud.NotFoundError, "Parse job not found"),
        (refuse_markdown_of_fast, llama_cloud.BadRequestError, "Markdown is not available"),
        (refuse_no_file, llama_cloud.BadRequestError, "file_id or source_url"),
        (refuse_unknown_file, llama_cloud.NotFoundError, "File not found"),
        (refuse_metadata, llama_cloud.UnprocessableEntityError, "user_metadata"),
        (refuse_tier, llama_cloud.UnprocessableEntityError, "tier"),
    ],
)
async def test_refusal_raises_the_exception_of_the_sdk_with_its_reason(
    customer: Customer,
    ask: Callable[[Customer], Awaitable[None]],
    error: type[llama_cloud.APIStatusError],
    detail: str,
) -> None:
    with pytest.raises(error) as caught:
        await ask(customer)
    assert isinstance(caught.value.body, dict)
    assert detail in str(caught.value.body["detail"])


async def test_wrong_key_is_refused() -> None:
    async with customer_of(LlamaCloud(), key="llx-other") as customer:
        with pytest.raises(llama_cloud.AuthenticationError):
            await customer.listed()
