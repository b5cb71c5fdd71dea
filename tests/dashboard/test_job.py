"""The page of a job, in a browser: its path, its errors, its text, what can be done to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from hookline.dashboard.screens.job import stays_of
from hookline.postgres.views import TimelineEvent
from support.browser import barriers
from support.dashboards import Jobs, running_dashboard
from support.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = '<script>document.title="owned"</script>"\'{{ 7 * 7 }}.pdf'


async def test_its_path_shows_each_status_with_its_time(
    dashboard: str, jobs: Jobs, tab: Page
) -> None:
    job_id = jobs.parse("report.pdf")
    await tab.goto(f"{dashboard}/jobs/{job_id}")
    states = await tab.locator(".path .state .status").all_inner_texts()
    assert states == ["uploaded", "parsed"]
    await expect(tab.locator(".path")).to_contain_text("upload_confirmed")
    await expect(tab.get_by_text("waits for a stage of your own")).to_be_visible()
    await expect(tab.get_by_text(f"{job_id}-content")).to_be_visible()
    assert await barriers(tab) == []


@pytest.mark.parametrize("text", [HOSTILE])
async def test_what_others_wrote_is_text(dashboard: str, jobs: Jobs, tab: Page, text: str) -> None:
    job_id = jobs.fail(text, error=text)
    jobs.run("select upload_pipeline.retry_job(job_id => %s, reason => %s)", job_id, text)
    for path in (f"/jobs/{job_id}", "/jobs", "/"):
        await tab.goto(f"{dashboard}{path}")
        assert "owned" not in (await tab.title()).partition("<")[0]
        assert await tab.locator("main script").count() == 0
    await tab.goto(f"{dashboard}/jobs/{job_id}")
    await expect(tab.get_by_role("heading", level=1)).to_have_text(text)


@pytest_asyncio.fixture(loop_scope="session")
async def with_storage(place: str, postgres18: Server, tmp_path: Path) -> AsyncIterator[str]:
    async with running_dashboard(
        postgres18.login(place, "reader"), storage_url=tmp_path.as_uri()
    ) as url:
        yield url


async def test_its_markdown_is_shown_as_text_and_only_if_it_is_unchanged(
    with_storage: str, jobs: Jobs, tab: Page, tmp_path: Path
) -> None:
    content = b"# Title\n<script>document.title='owned'</script>\n"
    job_id = jobs.parse("report.pdf", content=content)
    [(path,)] = jobs.run(
        "select parsed_path from upload_pipeline.upload_jobs where job_id = %s", job_id
    )
    file = tmp_path / path.removeprefix("storage://")
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    await tab.goto(f"{with_storage}/jobs/{job_id}")
    await tab.get_by_role("link", name="read the markdown").click()
    await expect(tab.locator("pre")).to_have_text(content.decode())
    file.write_bytes(content.upper())
    answer = await tab.reload()
    assert answer is not None
    assert answer.status == 409


async def test_its_artifacts_are_listed_and_downloaded_never_shown(
    with_storage: str, jobs: Jobs, tab: Page, tmp_path: Path
) -> None:
    content = b"<script>document.title='owned'</script>"
    job_id = jobs.upload("report.pdf")
    names = [HOSTILE, *(f"page_{number:03}.png" for number in range(120))]
    given = [
        {"kind": "images", "name": name, "bytes": len(content), "extension": "html"}
        | {"sha256": hashlib.sha256(content).hexdigest()}
        for name in names
    ]
    paths = jobs.run(
        "select a.path, upload_pipeline.finish_artifacts(c.job_id, c.lease_token, array[a.path])"
        " from upload_pipeline.claim_jobs('uploaded', worker => 'w', batch => 100) as c,"
        " upload_pipeline.receive_artifacts(c.job_id, c.lease_token, %s) as a"
        " where c.job_id = %s order by a.name = %s desc",
        *(json.dumps(given), job_id, HOSTILE),
    )
    file = tmp_path / str(paths[0][0]).removeprefix("storage://")
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    await tab.goto(f"{with_storage}/jobs/{job_id}")
    assert await tab.locator("#artifacts ~ ul li").count() == 100
    await expect(tab.get_by_text("Only the first 100 are shown")).to_be_visible()
    async with tab.expect_download() as started:
        await tab.get_by_role("link", name=HOSTILE).click()
    download = await started.value
    assert download.suggested_filename == file.name
    await download.save_as(tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == content
    file.write_bytes(content.upper())
    address = f"{with_storage}/jobs/{job_id}/artifact?kind=images&name={quote(HOSTILE)}"
    for path, status in ((address, 409), (f"{address}x", 404)):
        answer = await tab.request.get(path)
        assert answer.status == status


@pytest.mark.parametrize("action", ["Retry", "Cancel"])
async def test_an_action_names_its_person_and_returns_to_the_job(
    alice: Page, guarded: str, jobs: Jobs, action: str
) -> None:
    job_id = jobs.fail()
    await alice.goto(f"{guarded}/jobs/{job_id}")
    await alice.get_by_role("button", name=f"{action}…").click()
    await alice.get_by_role("button", name=f"{action} 1 job").click()
    await expect(alice.get_by_role("heading", name="Finished")).to_be_visible()
    await alice.get_by_role("link", name="Back").click()
    assert alice.url == f"{guarded}/jobs/{job_id}"
    await expect(alice.locator(".path")).to_contain_text("Alice Example, dashboard")


async def test_a_document_is_erased_after_a_confirmation(
    alice: Page, guarded: str, jobs: Jobs
) -> None:
    job_id = jobs.upload("secret.pdf")
    await alice.goto(f"{guarded}/jobs/{job_id}")
    await alice.get_by_role("button", name="Erase…").click()
    await expect(alice.get_by_text("cannot be brought back")).to_be_visible()
    await alice.get_by_role("button", name="Erase the document").click()
    await expect(alice.get_by_text("1 done, 0 not.")).to_be_visible()
    answer = await alice.goto(f"{guarded}/jobs/{job_id}")
    assert answer is not None
    assert answer.status == 404


async def test_only_what_the_machine_allows_is_offered(
    alice: Page, guarded: str, jobs: Jobs
) -> None:
    job_id = jobs.upload()
    jobs.run("select upload_pipeline.cancel_job(job_id => %s)", job_id)
    await alice.goto(f"{guarded}/jobs/{job_id}")
    names = await alice.locator("main .bulk button").all_inner_texts()
    assert names == ["Erase…"]


async def test_a_stay_ends_where_the_next_status_begins() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)

    def event(version: int, from_status: str | None, to_status: str) -> TimelineEvent:
        return TimelineEvent(
            job_id=uuid4(),
            version=version,
            ts=start + timedelta(seconds=version),
            after_the_last=None,
            from_status=from_status,
            to_status=to_status,
            type="retry",
            severity="info",
            code="stage_retried",
            payload={},
            correlation_id="corr",
            event_id=uuid4(),
            document_id=uuid4(),
        )

    stays = stays_of([event(1, None, "a"), event(2, "a", "a"), event(3, "a", "b")])
    assert [(stay.status, len(stay.events)) for stay in stays] == [("a", 1), ("b", 0)]
    assert stays[0].length(start) == timedelta(seconds=2)
    assert stays[1].length(start + timedelta(seconds=10)) == timedelta(seconds=7)
