"""Pictures of the dashboard for server/README.md: `make bench ARGS=screenshots`.

They show a system with some hundred jobs of the last hour. It is made by the functions, with a
clock that the script sets, and the same random numbers each time.
"""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import closing
from datetime import UTC, datetime, timedelta
from uuid import UUID

from rich.console import Console

from hookline.postgres.migrations import migrate
from hookline.standalone.embedded import ThrowawayPostgres
from support.browser import log_in, running_browser
from support.dashboards import PASSWORD, Jobs, running_dashboard
from support.servers import ROOT

FOLDER = ROOT / "server/images"
MINUTES = 58
NAMES = ("invoice", "contract", "report", "minutes", "survey", "tender", "protocol", "offer")
ERRORS = (
    ("PDF_IS_PROTECTED", "a password is needed to open the file"),
    ("PDF_IS_BROKEN", "no xref table was found"),
    ("TIMED_OUT", "the parser did not answer in 900 s"),
)
# Name of the picture, path, colour scheme, width and height.
PICTURES = (
    ("overview", "/", "light", 1120, 800),
    ("jobs", "/jobs", "light", 1120, 800),
    ("job", "/jobs/{job}", "light", 1120, 900),
    ("stages", "/stages", "dark", 1120, 620),
    ("dead-letters", "/dead-letters", "light", 1120, 420),
)


def main(options: list[str]) -> None:
    """Make all pictures. There are no options."""
    asyncio.run(_take())


async def _take() -> None:
    FOLDER.mkdir(exist_ok=True)
    with ThrowawayPostgres() as postgres:
        url = postgres.start()
        migrate(url)
        with closing(Jobs(url)) as jobs:
            job = fill(jobs)
        async with (
            running_dashboard(url, dashboard_password=PASSWORD) as dashboard,
            running_browser() as browser,
        ):
            for name, path, scheme, width, height in PICTURES:
                context = await browser.new_context(
                    color_scheme="dark" if scheme == "dark" else "light",
                    viewport={"width": width, "height": height},
                )
                page = await context.new_page()
                await log_in(page, dashboard)
                await page.goto(dashboard + path.format(job=job))
                await page.screenshot(path=FOLDER / f"dashboard-{name}.png")
                await context.close()
    for file in sorted(FOLDER.glob("dashboard-*.png")):
        Console().print(f"{file.relative_to(ROOT)}  {file.stat().st_size / 1000:.0f} kB")


def fill(jobs: Jobs) -> UUID:
    """Some hundred jobs of the last hour; the id of one with a history."""
    chance = random.Random(7)
    begin = datetime.now(UTC) - timedelta(minutes=MINUTES)
    set_clock(jobs, begin)
    told = jobs.fail("annual-report.pdf", code="TIMED_OUT", error=ERRORS[2][1])
    for minute in range(MINUTES):
        set_clock(jobs, begin + timedelta(minutes=minute))
        for _ in range(chance.randint(2, 11)):
            name = f"{chance.choice(NAMES)}-{chance.randint(1, 999):03}.pdf"
            kind = chance.random()
            if kind < 0.93:
                jobs.parse(name)
            elif kind < 0.97:
                code, error = chance.choice(ERRORS)
                jobs.fail(name, code=code, error=error)
            else:
                jobs.submit(name)
    jobs.run("select upload_pipeline.retry_job(%s, 'Alice Example: the parser is back')", told)
    jobs.run(
        "select upload_pipeline.count_refusals(%s)",
        json.dumps(
            [{"source": "llamacloud", "reason": "no_match", "count": 4, "user_agent": "svix/1.9"}]
        ),
    )
    set_clock(jobs, None)
    jobs.run("select upload_pipeline.roll_up_activity()")
    return told


def set_clock(jobs: Jobs, moment: datetime | None) -> None:
    """Let the database live at this time, or in the present."""
    time = "clock_timestamp()" if moment is None else f"timestamptz '{moment.isoformat()}'"
    jobs.run(
        "create or replace function upload_pipeline.clock() returns timestamptz language sql"
        f" volatile return {time}"
    )
