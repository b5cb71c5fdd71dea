"""The screen of credits, in a browser."""

from __future__ import annotations

from uuid import UUID

import pytest
from playwright.async_api import Page, expect

from support.dashboards import Jobs

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_it_says_that_there_is_no_cap(dashboard: str, tab: Page) -> None:
    await tab.goto(f"{dashboard}/credits")
    await expect(tab.get_by_text("There is no cap")).to_be_visible()


async def test_it_shows_what_is_used_and_left(dashboard: str, jobs: Jobs, tab: Page) -> None:
    jobs.run("select upload_pipeline.set_credit_cap(null, 'day', 5000)")
    jobs.run("select upload_pipeline.set_credit_cap(null, 'hour', 12.50, each_owner => true)")
    jobs.run(
        "update upload_pipeline.credit_caps set used = 4700 where scope = 'all' and period = 'day'"
    )
    await tab.goto(f"{dashboard}/credits")
    row = tab.get_by_role("row", name="all owners together")
    await expect(row).to_contain_text("nearly spent")
    await expect(row.get_by_role("meter")).to_have_accessible_name("4,700 of 5,000 credits used")
    await expect(row.get_by_role("cell").nth(4)).to_have_text("300")
    await expect(tab.get_by_role("row", name="each owner")).to_contain_text("12.5")


async def test_each_owner_is_on_one_page_with_all_their_caps(
    dashboard: str, jobs: Jobs, tab: Page
) -> None:
    owners = [UUID(int=number) for number in range(1, 46)]
    jobs.run(
        "select upload_pipeline.set_credit_cap(owner, period, 'Infinity')"
        " from unnest(%s::uuid[]) as owner cross join unnest(array['hour', 'day']) as period",
        owners,
    )
    await tab.goto(f"{dashboard}/credits")
    seen: list[str] = []
    while True:
        table = tab.get_by_role("region", name="Table of owners")
        await expect(table).to_contain_text("unlimited")
        seen += await table.locator("tbody code").all_text_contents()
        more = tab.get_by_role("link", name="More owners")
        if not await more.count():
            break
        await more.click()
    assert sorted(seen) == sorted(str(owner) for owner in owners for _ in range(2))
    await tab.get_by_label("Owner", exact=True).fill(str(owners[7]))
    await tab.get_by_role("button", name="Filter").click()
    await expect(tab.locator("tbody code")).to_have_text([str(owners[7])] * 2)


@pytest.mark.parametrize("query", ["owner=7", "after=x"])
async def test_a_wrong_filter_is_told(dashboard: str, tab: Page, query: str) -> None:
    answer = await tab.goto(f"{dashboard}/credits?{query}")
    assert answer is not None
    assert answer.status == 400
