"""The list of jobs, in a browser: filters, pages, and actions on many jobs."""

from __future__ import annotations

from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from support.browser import barriers
from support.dashboards import PASSWORD, Jobs

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_filters_are_in_the_address_and_several_count_at_once(
    dashboard: str, jobs: Jobs, tab: Page
) -> None:
    owner = uuid4()
    jobs.submit("wanted report.pdf", owner=owner)
    jobs.submit("other.pdf", owner=owner)
    jobs.submit("wanted by nobody.pdf")
    await tab.goto(f"{dashboard}/jobs")
    await tab.get_by_label("Status").select_option("parse_queued")
    await tab.get_by_label("Created").select_option("1h")
    await tab.get_by_label("File name or id").fill("WANTED")
    await tab.get_by_label("Owner").fill(str(owner))
    await tab.get_by_role("button", name="Filter").click()
    await expect(tab.get_by_role("heading", name="1 job", exact=True)).to_be_visible()
    await expect(tab.get_by_role("link", name="wanted report.pdf")).to_be_visible()
    assert "status=parse_queued" in tab.url
    await expect(tab.get_by_label("File name or id")).to_have_value("WANTED")


async def test_every_filter_finds_its_job(dashboard: str, jobs: Jobs, tab: Page) -> None:
    failed = jobs.fail("locked_50%.pdf", code="PDF_IS_PROTECTED")
    [(document,)] = jobs.run(
        "select document_id from upload_pipeline.upload_jobs where job_id = %s", failed
    )
    jobs.run(
        "update upload_pipeline.upload_jobs set provider = 'docling',"
        """ metadata = '{"customer": 42, "a=b": "x=y"}' where job_id = %s""",
        failed,
    )
    jobs.fail("locked 500.pdf", code="OTHER")
    for query in (
        "code=PDF_IS_PROTECTED",
        f"document={document}",
        f"text={failed}",
        f"text={str(failed)[:24]}",
        "text=locked_50%25",
        "text=d_50&status=failed_parse",
        "provider=docling",
        "metadata=customer%3D42",
        "metadata=customer%3D42&provider=docling&code=PDF_IS_PROTECTED",
    ):
        await tab.goto(f"{dashboard}/jobs?{query}")
        names = await tab.locator("tbody th a").all_inner_texts()
        assert names == ["locked_50%.pdf"], query


async def test_pages_follow_each_other_without_a_gap(dashboard: str, jobs: Jobs, tab: Page) -> None:
    owner = uuid4()
    for number in range(53):
        jobs.upload(f"{number:02}.pdf", owner=owner)
    await tab.goto(f"{dashboard}/jobs?owner={owner}")
    first = await tab.locator("tbody th a").all_inner_texts()
    await tab.get_by_role("link", name="Older jobs").click()
    second = await tab.locator("tbody th a").all_inner_texts()
    assert first + second == [f"{number:02}.pdf" for number in reversed(range(53))]
    await expect(tab.get_by_role("link", name="Older jobs")).to_have_count(0)


@pytest.mark.parametrize("scripts", [True, False])
async def test_many_jobs_are_retried_after_a_preview_and_the_filters_stay(
    guarded: str, jobs: Jobs, browser: Browser, scripts: bool
) -> None:
    code = f"BROKEN_{scripts}".upper()
    failed = [jobs.fail(f"{number}.pdf", code=code) for number in range(3)]
    context = await browser.new_context(java_script_enabled=scripts)
    page = await context.new_page()
    await page.goto(f"{guarded}/jobs?code={code}")
    await page.get_by_label("Your name").fill("Alice Example")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    # The login leads back to the page that was asked for.
    await page.get_by_label("Choose 0.pdf").check()
    await page.get_by_label("Choose 2.pdf").check()
    await page.get_by_role("button", name="Retry…").click()
    await expect(page).to_have_title("Retry 2 jobs? · Hookline")
    await expect(page.get_by_text("2 jobs are")).to_be_visible()
    await page.get_by_label("Parse with").select_option("docling")
    await page.get_by_label("Reason").fill("fixed <b>scanner</b>")
    # Somebody else is faster with one of them.
    jobs.run("select upload_pipeline.cancel_job(job_id => %s)", failed[0])
    await page.get_by_role("button", name="Retry 2 jobs").click()
    while await page.get_by_role("heading", name="Finished").count() == 0:
        await page.reload()
    await expect(page.get_by_text("1 done, 1 not.")).to_be_visible()
    await expect(page.get_by_text("refused: job")).to_be_visible()
    await page.get_by_role("link", name="Back").click()
    assert page.url == f"{guarded}/jobs?code={code}"
    events = jobs.run(
        "select payload ->> 'reason', payload ->> 'by', payload ->> 'provider'"
        " from upload_pipeline.events"
        " where job_id = %s and code = 'job_retried'",
        failed[2],
    )
    assert events == [("Alice Example: fixed <b>scanner</b>", "test_operator", "docling")]
    await context.close()


async def test_all_that_match_are_cancelled(alice: Page, guarded: str, jobs: Jobs) -> None:
    owner = uuid4()
    for number in range(3):
        jobs.upload(f"{number}.pdf", owner=owner)
    await alice.goto(f"{guarded}/jobs?owner={owner}&text=.pdf")
    await alice.get_by_label("Act on").select_option("all")
    await alice.get_by_role("button", name="Cancel…").click()
    await alice.get_by_role("button", name="Cancel 3 jobs").click()
    await expect(alice.get_by_role("heading", name="Finished")).to_be_visible()
    await expect(alice.get_by_text("3 done, 0 not.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_has_no_barriers(guarded: str, jobs: Jobs, alice: Page, scheme: str) -> None:
    jobs.fail("a.pdf")
    jobs.submit("b.pdf")
    await alice.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await alice.set_viewport_size({"width": 360, "height": 800})
    await alice.goto(f"{guarded}/jobs")
    assert await barriers(alice, scheme) == []
    assert await alice.evaluate("document.documentElement.scrollWidth") <= 360
    await alice.get_by_label("Choose a.pdf").first.check()
    await alice.get_by_role("button", name="Retry…").click()
    assert await barriers(alice, scheme) == []
