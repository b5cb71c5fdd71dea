"""Debian's Chromium, driven by Playwright; and axe-core, which finds barriers in a page.

The headless shell is Chromium without windows: it takes a third of the processor time.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from support.dashboards import PASSWORD
from support.servers import ROOT

CHROMIUM = shutil.which("chromium-headless-shell")
AXE = ROOT / "node_modules/axe-core/axe.min.js"
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_ALL_RULES = {"type": "tag", "values": _TAGS}
_CONTRAST = {"type": "rule", "values": ["color-contrast"]}


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """A browser with a profile of its own. Its sandbox does not run as root."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        yield browser
        await browser.close()


async def log_in(page: Page, url: str, name: str = "Alice Example") -> None:
    """Go from the login page of a dashboard to its overview."""
    await page.goto(url)
    await page.get_by_label("Your name").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url(f"{url}/")


async def barriers(page: Page, scheme: str = "light") -> list[str]:
    """What axe-core finds in a page: each rule that is broken, with the elements that break it.

    In the dark scheme only contrasts are looked at, since colours are all that it changes.
    """
    rules = _CONTRAST if scheme == "dark" else _ALL_RULES
    # Through the debugger: the page's own policy lets no foreign script in.
    await page.evaluate(AXE.read_text())
    found: dict[str, Any] = await page.evaluate(
        "rules => axe.run(document, {runOnly: rules})", rules
    )
    return [
        f"{one['id']}: {one['help']}: {[node['html'] for node in one['nodes']]}"
        for one in found["violations"]
    ]
