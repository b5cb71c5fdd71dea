"""The screen of what operators did, in a browser."""

from __future__ import annotations

import hashlib

import pytest
from playwright.async_api import Browser, Page, expect

from support.browser import log_in
from support.dashboards import Jobs

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_erasure_names_its_person_and_not_its_document(
    guarded: str, jobs: Jobs, alice: Page
) -> None:
    await alice.goto(f"{guarded}/history")
    await expect(alice.get_by_text("Nothing yet.")).to_be_visible()
    job_id = jobs.upload("secret.pdf")
    [(document_id,)] = jobs.run(
        "select document_id::text from upload_pipeline.upload_jobs where job_id = %s", job_id
    )
    await alice.goto(f"{guarded}/jobs/{job_id}")
    await alice.get_by_role("button", name="Erase").click()
    await alice.get_by_role("button", name="Erase the document").click()
    await expect(alice.get_by_role("heading", name="Finished")).to_be_visible()
    await alice.get_by_role("link", name="History").click()
    row = alice.get_by_role("row", name="erase document")
    await expect(row).to_contain_text("Alice Example, dashboard")
    hashed = hashlib.sha256(document_id.encode()).hexdigest()
    await expect(row.locator("code")).to_have_attribute("title", f"SHA-256 of the id: {hashed}")
    await expect(alice.get_by_role("main")).not_to_contain_text(document_id)


async def test_older_actions_follow_without_a_gap_and_without_scripts(
    guarded: str, jobs: Jobs, browser: Browser
) -> None:
    for number in range(101):
        jobs.run("select upload_pipeline.set_credit_cap(null, 'day', %s, reason => 'x')", number)
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await log_in(page, guarded)
    await page.get_by_role("link", name="History").click()
    seen: list[str] = []
    while True:
        seen += await page.locator("tbody td:last-child").all_inner_texts()
        earlier = page.get_by_role("link", name="Earlier")
        if not await earlier.count():
            break
        await earlier.click()
    amounts = [one.split("credits ")[1].split(",")[0] for one in seen if "credits" in one]
    assert amounts == [str(number) for number in reversed(range(101))]
    assert (await page.request.get(f"{guarded}/history?before=x")).status == 400
    await context.close()
