"""The screen of dead letters, in a browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from support.browser import log_in
from support.dashboards import Jobs

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_it_says_that_no_job_has_failed(dashboard: str, tab: Page) -> None:
    await tab.goto(f"{dashboard}/dead-letters")
    await expect(tab.get_by_role("heading", name="No job has failed")).to_be_visible()


async def test_a_group_is_retried_after_a_preview_without_scripts(
    guarded: str, jobs: Jobs, browser: Browser
) -> None:
    failed = [jobs.fail(f"{number}.pdf", code="TIMED_OUT", error="60 s") for number in range(3)]
    other = jobs.fail("other.pdf", code="PDF_IS_BROKEN", error="<b>no</b> xref")
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await log_in(page, guarded)
    await page.get_by_role("link", name="Dead letters").click()
    await expect(page.get_by_role("heading", name="4 jobs have failed for good")).to_be_visible()
    await expect(page.get_by_text("In the last 60 minutes 4 failed")).to_be_visible()
    await expect(page.get_by_role("row", name="PDF_IS_BROKEN")).to_contain_text("<b>no</b> xref")
    await page.get_by_role("button", name="Retry all with TIMED_OUT").click()
    await expect(page.get_by_role("heading", name="Retry 3 jobs?")).to_be_visible()
    assert statuses(jobs) == {"failed_parse"}
    await page.get_by_role("button", name="Retry 3 jobs").click()
    await expect(page.get_by_text("3 done, 0 not.")).to_be_visible()
    await page.get_by_role("link", name="Back").click()
    await expect(page.get_by_role("heading", name="1 job has failed for good")).to_be_visible()
    notes = jobs.run(
        "select distinct payload ->> 'reason' from upload_pipeline.events"
        " where job_id = any(%s) and code = 'job_retried'",
        failed,
    )
    assert notes == [("Alice Example, dashboard",)]
    [(status,)] = jobs.run(
        "select status from upload_pipeline.upload_jobs where job_id = %s", other
    )
    assert status == "failed_parse"
    await context.close()


def statuses(jobs: Jobs) -> set[str]:
    return {status for (status,) in jobs.run("select status from upload_pipeline.upload_jobs")}
