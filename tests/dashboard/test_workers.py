"""The screen of workers, in a browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from playwright.async_api import Browser, Page, expect

from hookline.postgres.session import session_name
from hookline.version import __version__
from support.dashboards import Jobs

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_it_says_that_no_worker_runs(dashboard: str, tab: Page) -> None:
    await tab.goto(f"{dashboard}/workers")
    await expect(
        tab.get_by_role("heading", name="No worker is connected under its name")
    ).to_be_visible()
    # This dashboard itself.
    others = tab.get_by_role("region", name="Table of receivers and dashboards")
    await expect(others.get_by_role("row").nth(1)).to_contain_text("dashboard")


async def test_it_shows_who_runs_since_when_and_what_each_holds_without_scripts(
    dashboard: str, jobs: Jobs, place: str, browser: Browser
) -> None:
    for _ in range(3):
        jobs.upload()
    jobs.run("select from upload_pipeline.claim_jobs('uploaded', 'host-7', 2, '90 minutes')")
    jobs.run("select from upload_pipeline.claim_jobs('uploaded', '<i>gone</i>')")
    jobs.run(
        "update upload_pipeline.upload_jobs set leased_until = now() - interval '1 minute'"
        " where leased_by = '<i>gone</i>'"
    )
    name = session_name("worker", "host-7", datetime.now(UTC) - timedelta(hours=3))
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    with psycopg.connect(place, fallback_application_name=name.replace(__version__, "0.1.0")):
        await page.goto(dashboard)
        await page.get_by_role("link", name="Workers").click()
    await expect(page.get_by_role("heading", name="1 worker is connected")).to_be_visible()
    await expect(page.get_by_text("Not all processes run the same version")).to_be_visible()
    row = page.get_by_role("row", name="host-7")
    await expect(row.get_by_role("cell")).to_have_text(
        ["0.1.0", re.compile("3 h.* ago"), "1", "2", "2 uploaded", re.compile("in 1 h .. min")]
    )
    gone = page.get_by_role("row", name="<i>gone</i>")
    await expect(gone).to_contain_text("not seen")
    await expect(gone.get_by_role("cell").last).to_have_text("expired 1 min ago")
    await context.close()
