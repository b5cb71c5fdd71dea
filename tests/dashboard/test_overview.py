"""The overview, in a browser."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest
from playwright.async_api import Browser, Page, expect

from hookline.dashboard.health import SharedHealth
from hookline.dashboard.plots import bars
from hookline.dashboard.queries import MinuteOfWork
from hookline.postgres.pool import open_pool
from support.browser import barriers
from support.dashboards import Jobs
from support.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_it_says_that_all_is_well_and_what_was_done(
    dashboard: str, jobs: Jobs, tab: Page
) -> None:
    for number in range(3):
        jobs.parse(f"{number}.pdf")
    await tab.goto(dashboard)
    await expect(tab).to_have_title("Overview · Hookline")
    await expect(tab.get_by_role("heading", name="All is well")).to_be_visible()
    await expect(tab.locator(".verdict")).to_contain_text("3 texts arrived, 0 jobs failed")
    await expect(tab.get_by_role("link", name="3 parsed")).to_be_visible()
    await expect(tab.get_by_role("img")).to_have_attribute("aria-label", "At most 9 steps a minute")
    await tab.get_by_role("link", name="3 parsed").click()
    await expect(tab.get_by_role("heading", name="3 jobs", exact=True)).to_be_visible()


async def test_it_names_what_failed_and_what_needs_a_person(
    dashboard: str, jobs: Jobs, tab: Page
) -> None:
    jobs.fail("broken.pdf", code="PDF_IS_BROKEN", error="no xref")
    await tab.goto(dashboard)
    await expect(tab.locator(".verdict")).to_contain_text("1 job has failed")
    await expect(tab.get_by_text("PDF_IS_BROKEN")).to_be_visible()
    jobs.run("select upload_pipeline.pause_stage('parsed', now() + interval '1 hour', 'new key')")
    await tab.reload()
    # The page may show what was read a few seconds ago, if that read was slow; it refreshes itself.
    await expect(tab.get_by_role("heading", name="1 thing needs a person")).to_be_visible(
        timeout=30_000
    )
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
    assert await barriers(page, scheme) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await context.close()


async def test_a_slow_look_at_the_backlog_is_not_repeated_for_every_page(
    place: str, postgres18: Server
) -> None:
    now = 0.0
    login = postgres18.login(place, "reader")
    async with open_pool(login, size=2, prepare_threshold=None, name="test") as pool:
        health = SharedHealth(pool, lambda: now)
        with psycopg.connect(place) as connection:
            # The clock stands still, so a read takes no time: nothing is kept.
            assert (await health.get()).alerts is not None
            connection.execute("lock table upload_pipeline.statuses in access exclusive mode")
            times = iter([0.0, 2.0, 2.0, 3.0])
            slow = SharedHealth(pool, lambda: next(times))
            assert (await slow.get()).alerts is None
            connection.rollback()
            # Now the views would answer, but the read took two seconds.
            assert (await slow.get()).alerts is None


async def test_the_latest_minute_is_the_last_bar() -> None:
    now = datetime(2026, 1, 1, 12, 0, 59, tzinfo=UTC)
    minute = now.replace(second=0)
    drawn = bars([MinuteOfWork(minute, 10, 4, 1)], now, 60)
    assert len(drawn) == 60
    assert (drawn[-1].other, drawn[-1].arrived, drawn[-1].failed) == (50, 40, 10)
    assert all(bar.work is None for bar in drawn[:-1])
