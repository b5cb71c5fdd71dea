"""The overview, in a browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from support.browser import barriers
from support.dashboards import Jobs

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_it_says_that_all_is_well_and_what_was_done(
    dashboard: str, jobs: Jobs, tab: Page
) -> None:
    for number in range(3):
        jobs.parse(f"{number}.pdf")
    await tab.goto(dashboard)
    await expect(tab).to_have_title("Overview · Hookline")
    await expect(tab.get_by_role("heading", name="All is well")).to_be_visible()
    await expect(tab.locator(".verdict")).to_contain_text("3 jobs took a step")
    await expect(tab.locator(".verdict")).to_contain_text("3 of them now have their text")


async def test_it_names_what_failed_and_what_needs_a_person(
    dashboard: str, jobs: Jobs, tab: Page
) -> None:
    jobs.fail("broken.pdf", code="PDF_IS_BROKEN", error="no xref")
    await tab.goto(dashboard)
    await expect(tab.locator(".verdict")).to_contain_text("1 job has failed")
    await expect(tab.get_by_text("PDF_IS_BROKEN")).to_be_visible()
    jobs.run("select upload_pipeline.pause_stage('parsed', now() + interval '1 hour', 'new key')")
    await tab.reload()
    await expect(tab.get_by_role("heading", name="1 thing needs a person")).to_be_visible()
    await expect(tab.get_by_text("new key")).to_be_visible()
    jobs.run("select upload_pipeline.resume_stage('parsed')")


async def test_it_shows_new_work_without_a_click_and_not_while_it_is_paused(
    dashboard: str, jobs: Jobs, tab: Page
) -> None:
    await tab.clock.install()
    await tab.goto(dashboard)
    await tab.get_by_role("button", name="Pause updates").click()
    jobs.fail("paused.pdf")
    await tab.clock.run_for(20_000)
    await expect(tab.get_by_text("paused.pdf")).to_have_count(0)
    await tab.get_by_role("button", name="Resume updates").click()
    await expect(tab.get_by_text("paused.pdf")).to_be_visible()
    jobs.fail("resumed.pdf")
    await tab.clock.run_for(6_000)
    await expect(tab.get_by_text("resumed.pdf")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
async def test_it_has_no_barriers(
    dashboard: str, jobs: Jobs, browser: Browser, scheme: str, width: int
) -> None:
    jobs.fail()
    context = await browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 800},
    )
    page = await context.new_page()
    await page.goto(dashboard)
    assert await barriers(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await context.close()
