"""The screens of stages, in a browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from support.browser import log_in
from support.dashboards import Jobs

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_it_shows_what_waits_and_how_fast_it_goes_on(
    dashboard: str, jobs: Jobs, tab: Page
) -> None:
    jobs.upload()
    jobs.parse()
    await tab.goto(f"{dashboard}/stages")
    row = tab.get_by_role("row", name="uploaded")
    # The second job left the status.
    await expect(row.get_by_role("cell").nth(0)).to_have_text("1")
    await expect(row.get_by_role("cell").nth(4)).to_have_text("1")
    await expect(row.get_by_role("img")).to_have_accessible_name(
        "Jobs that left uploaded in each of the last 60 minutes: 1 in all, 1 at most"
    )
    await expect(tab.get_by_role("row", name="content: to store")).to_be_visible()


async def test_a_person_pauses_and_resumes_a_stage_without_scripts(
    guarded: str, jobs: Jobs, browser: Browser
) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await log_in(page, guarded, "Alice Example")
    await page.get_by_role("link", name="Stages").click()
    await page.get_by_role("link", name="uploaded", exact=True).click()
    await page.get_by_label("How long").select_option("4 hours")
    await page.get_by_label("Why").fill("<b>new</b> key")
    await page.get_by_role("button", name="Pause uploaded").click()
    await expect(page.get_by_role("heading", name="Paused")).to_be_visible()
    [(length, because)] = jobs.run(
        "select extract(epoch from paused_until - now()), paused_because"
        " from upload_pipeline.statuses where status = 'uploaded'"
    )
    assert 4 * 3600 - 60 < length <= 4 * 3600
    assert because == "Alice Example: <b>new</b> key"
    await expect(page.get_by_text("Alice Example: <b>new</b> key").first).to_be_visible()
    await page.goto(f"{guarded}/stages")
    await expect(page.get_by_role("row", name="uploaded")).to_contain_text("Alice Example: ")
    await page.goto(f"{guarded}/stages/uploaded")
    await page.get_by_role("button", name="Resume uploaded").click()
    await expect(page.get_by_role("heading", name="Running")).to_be_visible()
    assert jobs.run("select from upload_pipeline.statuses where paused_until is not null") == []
    actions = page.get_by_role("region", name="Table of actions").get_by_role("row")
    await expect(actions.nth(1)).to_contain_text("resume stage")
    await expect(actions.nth(1)).to_contain_text("Alice Example, dashboard")
    await expect(actions.nth(2)).to_contain_text("Alice Example: <b>new</b> key")
    await context.close()


async def test_a_pause_of_one_provider_is_shown_and_ended(
    guarded: str, jobs: Jobs, browser: Browser
) -> None:
    jobs.run(
        "select upload_pipeline.pause_stage(status => 'uploaded', reason => 'its key may be wrong',"
        " until => now() + interval '1 hour', provider => 'docling')"
    )
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await log_in(page, guarded, "Alice Example")
    await page.goto(f"{guarded}/stages/uploaded")
    await expect(page.get_by_text("its key may be wrong").first).to_be_visible()
    await expect(page.get_by_role("heading", name="Running")).to_be_visible()
    await page.get_by_role("button", name="Resume uploaded").click()
    await expect(page.get_by_role("button", name="Resume uploaded")).to_have_count(0)
    assert jobs.run("select from upload_pipeline.provider_pauses") == []
    await context.close()


@pytest.mark.parametrize(
    ("length", "reason", "fault"),
    [
        ("1h", "  ", "Write why"),
        ("1h", "x" * 301, "Write why"),
        ("1h", "a\u200bb\x7f", "Write why"),
        ("1y", "why", "Choose how long"),
    ],
)
async def test_a_wrong_pause_is_told_and_changes_nothing(
    guarded: str, jobs: Jobs, alice: Page, length: str, reason: str, fault: str
) -> None:
    await alice.goto(f"{guarded}/stages/uploaded")
    token = await alice.locator("[name=form_token]").first.input_value()
    form: dict[str, str | float | bool] = {"form_token": token, "length": length, "reason": reason}
    answer = await alice.request.post(f"{guarded}/stages/uploaded/pause", form=form)
    assert answer.status == 400
    assert fault in await answer.text()
    assert jobs.run("select from upload_pipeline.statuses where paused_until is not null") == []


@pytest.mark.parametrize("status", ["complete", "no_such_status", "a%00b", "%FF"])
async def test_a_status_that_is_no_stage_has_no_page(
    guarded: str, alice: Page, status: str
) -> None:
    answer = await alice.request.get(f"{guarded}/stages/{status}")
    assert answer.status == 404


@pytest.mark.parametrize("status", ["complete", "no_such_status", "a%00b"])
async def test_a_status_that_is_no_stage_cannot_be_paused(
    guarded: str, alice: Page, status: str
) -> None:
    token = await alice.locator("[name=form_token]").first.input_value()
    form: dict[str, str | float | bool] = {"form_token": token, "length": "1h", "reason": "why"}
    answer = await alice.request.post(f"{guarded}/stages/{status}/pause", form=form)
    assert answer.status == 404
    answer = await alice.request.post(f"{guarded}/stages/{status}/resume", form=form)
    assert answer.status == 404


async def test_nobody_can_act_without_a_login(dashboard: str, tab: Page) -> None:
    await tab.goto(f"{dashboard}/stages/uploaded")
    await expect(tab.get_by_role("button", name="Pause uploaded")).to_have_count(0)
    answer = await tab.request.post(
        f"{dashboard}/stages/uploaded/pause", form={"length": "1h", "reason": "why"}
    )
    assert answer.status == 403
