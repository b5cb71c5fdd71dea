"""One browser for all tests of this folder, and for each module one database and dashboards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, StorageState

from support.browser import log_in, running_browser
from support.dashboards import PASSWORD, Jobs, running_dashboard
from support.servers import Server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser a worker of pytest-xdist. It starts when the first test asks for it."""
    async with running_browser() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def tab(browser: Browser) -> AsyncIterator[Page]:
    """A page of a new visitor. An error of a script on it fails the test."""
    async with _page(await browser.new_context()) as page:
        yield page


@asynccontextmanager
async def _page(context: BrowserContext) -> AsyncIterator[Page]:
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield await context.new_page()
    await context.close()
    assert errors == []


@pytest.fixture(scope="module")
def place(postgres18: Server) -> Iterator[str]:
    """A database for the module; the superuser's URL."""
    with postgres18.create(template=postgres18.template) as url:
        yield url


@pytest.fixture(scope="module")
def jobs(place: str) -> Iterator[Jobs]:
    with closing(Jobs(place)) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def dashboard(place: str, postgres18: Server) -> AsyncIterator[str]:
    """The URL of a dashboard without a login: it only shows."""
    async with running_dashboard(postgres18.login(place, "reader")) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(place: str, postgres18: Server) -> AsyncIterator[str]:
    """The URL of a dashboard over an operator's login, with the password PASSWORD."""
    login = postgres18.login(place, "operator")
    async with running_dashboard(login, dashboard_password=PASSWORD) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def login(browser: Browser, guarded: str) -> StorageState:
    """The cookies of a person who has logged in."""
    context = await browser.new_context()
    await log_in(await context.new_page(), guarded)
    cookies = await context.storage_state()
    await context.close()
    return cookies


@pytest_asyncio.fixture(loop_scope="session")
async def alice(browser: Browser, guarded: str, login: StorageState) -> AsyncIterator[Page]:
    """A page of a person who has logged in, at the overview."""
    async with _page(await browser.new_context(storage_state=login)) as page:
        await page.goto(f"{guarded}/")
        yield page
