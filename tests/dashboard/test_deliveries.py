"""The screens of deliveries, in a browser."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, Page, expect

from support.dashboards import Jobs

pytestmark = pytest.mark.asyncio(loop_scope="session")


def receive(jobs: Jobs, delivery_id: str, *, parse_job_id: str, source: str = "llamacloud") -> str:
    """A delivery about a provider job; its outcome."""
    [(outcome,)] = jobs.run(
        "select outcome from upload_pipeline.receive_event(source => %s, delivery_id => %s,"
        " body_sha256 => repeat('a', 64), event_type => 'parse.success', code => 'parse_ready',"
        " parse_job_id => %s, payload => %s)",
        *(source, delivery_id, parse_job_id, json.dumps({"note": "<i>hostile</i>"})),
    )
    return str(outcome)


async def test_it_shows_what_came_what_it_did_and_when_a_source_is_silent(
    dashboard: str, jobs: Jobs, tab: Page
) -> None:
    job_id = jobs.submit()
    delivery_id = "<img src=x>/../?#&\u202e"
    assert receive(jobs, delivery_id, parse_job_id=str(job_id)) == "applied"
    assert receive(jobs, delivery_id, parse_job_id=str(job_id)) == "duplicate"
    assert receive(jobs, "of nobody", parse_job_id="unknown") == "parked"
    await tab.goto(f"{dashboard}/deliveries")
    await expect(tab.get_by_role("row", name="of nobody")).to_contain_text("parked")
    await tab.get_by_role("link", name="<img").click()
    await expect(tab.get_by_role("heading", name="Applied")).to_be_visible()
    await expect(tab.locator("pre")).to_contain_text('"note": "<i>hostile</i>"')
    await expect(tab.locator("dl")).to_contain_text(str(job_id))
    await expect(tab.get_by_text("1 time, last")).to_be_visible()
    await tab.get_by_role("link", name="all its deliveries").click()
    await expect(tab.get_by_role("region", name="Table of deliveries")).not_to_contain_text(
        "of nobody"
    )


async def test_filters_stand_in_the_address_and_older_pages_keep_them(
    dashboard: str, jobs: Jobs, browser: Browser
) -> None:
    # Many deliveries of one statement have the same time.
    jobs.run(
        "insert into upload_pipeline.webhook_deliveries (source, delivery_id, body_sha256,"
        " event_type, outcome, first_seen, last_seen)"
        " select 'many', 'id-' || n, repeat('b', 64), 'parse.progress', 'ignored',"
        " now() - interval '2 days', now() from generate_series(1, 120) as n"
    )
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{dashboard}/deliveries")
    await page.get_by_label("Source", exact=True).select_option("many")
    await page.get_by_label("What it did").select_option("ignored")
    await page.get_by_role("button", name="Filter").click()
    seen: list[str] = []
    while True:
        assert "source=many" in page.url
        assert "outcome=ignored" in page.url
        rows = page.get_by_role("region", name="Table of deliveries").get_by_role("link")
        seen += await rows.all_text_contents()
        older = page.get_by_role("link", name="Older")
        if not await older.count():
            break
        await older.click()
    assert len(seen) == 120
    assert set(seen) == {f"id-{number}" for number in range(1, 121)}
    await context.close()


async def test_a_delivery_is_found_by_the_beginning_of_its_id(
    dashboard: str, jobs: Jobs, tab: Page
) -> None:
    for delivery_id in ("msg_Ab1", "msg_Ab2", "msg_ab3", "msg%4", "MSG_Ab5", "msg_Äb"):
        receive(jobs, delivery_id, parse_job_id="unknown")
    await tab.goto(f"{dashboard}/deliveries")
    await tab.get_by_label("Delivery", exact=True).fill("msg_A")
    await tab.get_by_role("button", name="Filter").click()
    table = tab.get_by_role("region", name="Table of deliveries").get_by_role("link")
    assert set(await table.all_text_contents()) == {"msg_Ab1", "msg_Ab2"}
    await expect(tab.get_by_label("Delivery", exact=True)).to_have_value("msg_A")
    for prefix, found in (("msg%", {"msg%4"}), ("msg_Ä", {"msg_Äb"}), ("msg_Ab1", {"msg_Ab1"})):
        await tab.goto(f"{dashboard}/deliveries?id={quote(prefix)}")
        assert set(await table.all_text_contents()) == found


async def test_it_says_what_was_refused_and_why_that_may_be(
    dashboard: str, jobs: Jobs, tab: Page
) -> None:
    refusals = [
        {"source": "llamacloud", "reason": "no_match", "count": 7, "user_agent": "<s>curl</s>"}
    ]
    jobs.run("select upload_pipeline.count_refusals(%s)", json.dumps(refusals))
    await tab.goto(f"{dashboard}/deliveries")
    row = tab.get_by_role("row", name="no_match")
    await expect(row).to_contain_text("7")
    await expect(row).to_contain_text("a secret that is not configured here")
    await expect(row).to_contain_text("<s>curl</s>")


@pytest.mark.parametrize(
    "query",
    [
        *("source=nobody", "outcome=lost", "job=12", "after=x", "after=2026-01-01T00:00:00~a~b"),
        *("after=2026-01-01T00:00:00Z", "source=%00", "after=2026-01-01T00:00:00Z~a~%00"),
        *("id=%00", f"id={'x' * 201}"),
    ],
)
async def test_a_wrong_filter_is_told(dashboard: str, tab: Page, query: str) -> None:
    answer = await tab.goto(f"{dashboard}/deliveries?{query}")
    assert answer is not None
    assert answer.status == 400
    await expect(tab.get_by_role("alert")).to_be_visible()


@pytest.mark.parametrize("delivery_id", ["", "none", "a\0b", "\udcff"])
async def test_an_unknown_delivery_has_no_page(dashboard: str, tab: Page, delivery_id: str) -> None:
    address = quote(delivery_id.encode(errors="surrogateescape"))
    answer = await tab.goto(f"{dashboard}/delivery?source=llamacloud&id={address}")
    assert answer is not None
    assert answer.status == 404
