"""Every screen by axe-core: in both colour schemes, on a desk and on a phone; and by keyboard."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Literal
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, StorageState, expect

from hookline.dashboard.site import NAVIGATION
from support.browser import barriers
from support.dashboards import Jobs

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The pages that no link of the navigation leads to.
DETAILS = ("/jobs/{job}", "/stages/uploaded", "/delivery?source=local&id={job}-content")


@pytest.fixture(scope="module")
def busy(jobs: Jobs) -> UUID:
    """Something to see on every screen; a parsed job."""
    jobs.upload("waiting.pdf")
    jobs.fail()
    refusal = {"source": "local", "reason": "no_match", "count": 7, "user_agent": "curl"}
    jobs.run("select upload_pipeline.count_refusals(%s)", json.dumps([refusal]))
    jobs.run("select upload_pipeline.set_credit_cap(null, 'day', 10)")
    jobs.run("update upload_pipeline.credit_caps set used = 10")
    jobs.run("select upload_pipeline.set_credit_cap(%s, 'day', 10)", UUID(int=1))
    jobs.run("select upload_pipeline.pause_stage('uploaded', now() + interval '1 hour', 'why')")
    return jobs.parse()


@pytest.fixture(scope="module", params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def visitor(
    browser: Browser, guarded: str, login: StorageState, scheme: Literal["light", "dark"]
) -> AsyncIterator[Page]:
    context = await browser.new_context(color_scheme=scheme, storage_state=login)
    page = await context.new_page()
    await page.goto(f"{guarded}/")
    yield page
    await context.close()


@pytest.mark.parametrize("path", [*(path for _, path in NAVIGATION), *DETAILS])
async def test_a_screen_has_no_barriers(
    visitor: Page, guarded: str, busy: UUID, path: str, scheme: str
) -> None:
    for width in (1280, 360):
        await visitor.set_viewport_size({"width": width, "height": 800})
        await visitor.goto(guarded + path.format(job=busy))
        assert await barriers(visitor, scheme) == []
        assert await visitor.evaluate("document.documentElement.scrollWidth") <= width


async def test_a_keyboard_is_enough(visitor: Page, guarded: str, busy: UUID) -> None:
    await visitor.goto(f"{guarded}/stages")
    await visitor.keyboard.press("Tab")
    skip = visitor.get_by_role("link", name="Skip to the content")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await visitor.keyboard.press("Enter")
    await expect(visitor.locator("#main")).to_be_focused()
    for _ in range(20):
        await visitor.keyboard.press("Tab")
        if await visitor.evaluate("document.activeElement.textContent") == "uploaded":
            break
    outline = await visitor.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
    await visitor.keyboard.press("Enter")
    await expect(visitor.get_by_role("heading", name="Stage uploaded")).to_be_visible()
