"""Pictures of the dashboard for server/README.md: `make bench ARGS=screenshots`.

They show a system with 500 jobs of the last hour, in the kinds of the chaos test: most are parsed,
others fail by each of its codes or wait. It is made by the functions, with a clock that the script
sets, and the same random numbers each time.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
from rich.console import Console

from chaos.documents import Document, documents
from hookline.postgres.migrations import migrate
from hookline.postgres.session import session_name
from hookline.standalone.embedded import ThrowawayPostgres
from support.browser import log_in, running_browser
from support.dashboards import PASSWORD, Jobs, running_dashboard
from support.servers import ROOT

FOLDER = ROOT / "server/images"
DOCUMENTS = 500
SEED = 7
MINUTES = 58
# So many of the latest documents are still on their way.
WAITING = 9
NAMES = ("invoice", "contract", "report", "minutes", "survey", "tender", "protocol", "offer")
ERRORS = {
    "PDF_IS_PROTECTED": "a password is needed to open the file",
    "PDF_IS_BROKEN": "no xref table was found",
    "TIMEOUT": "the parser did not answer in 900 s",
    "NO_DATA_FOUND_IN_FILE": "the file is blank: no text on any of its pages",
    "parse_stuck": "the provider has not ended the job in 12 h",
}
# Name of the picture, path, colour scheme, width and height.
PICTURES = (
    ("overview", "/", "light", 1120, 800),
    ("jobs", "/jobs", "light", 1120, 800),
    ("job", "/jobs/{job}", "light", 1120, 900),
    ("stages", "/stages", "dark", 1120, 620),
    ("workers", "/workers", "light", 1120, 590),
    ("dead-letters", "/dead-letters", "light", 1120, 560),
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
        with connected_processes(url):
            await _photograph(url, job)
    for file in sorted(FOLDER.glob("dashboard-*.png")):
        Console().print(f"{file.relative_to(ROOT)}  {file.stat().st_size / 1000:.0f} kB")


async def _photograph(url: str, job: UUID) -> None:
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


@contextmanager
def connected_processes(url: str) -> Iterator[None]:
    """Connections with the names of two workers and a receiver."""
    now = datetime.now(UTC)
    with ExitStack() as connections:
        for role, name, hours in (
            *(("worker", "parser-1-4711", 26), ("worker", "parser-2-815", 3)),
            ("receiver", "hooks-1-907", 26),
        ):
            said = session_name(role, name, now - timedelta(hours=hours))  # type: ignore[arg-type]
            for _ in range(3):
                connections.enter_context(psycopg.connect(url, application_name=said))
        yield


def fill(jobs: Jobs) -> UUID:
    """The jobs of the last hour; the id of one with a history."""
    chance = random.Random(SEED)
    begin = datetime.now(UTC) - timedelta(minutes=MINUTES)
    set_clock(jobs, begin)
    told = jobs.fail("annual-report.pdf", code="TIMEOUT", error=ERRORS["TIMEOUT"])
    # Not evenly: each minute has a weight.
    weights = [chance.randint(2, 11) for _ in range(MINUTES)]
    minutes = sorted(chance.choices(range(MINUTES), weights, k=DOCUMENTS))
    made = documents(DOCUMENTS, SEED)
    for number, (minute, document) in enumerate(zip(minutes, made, strict=True)):
        set_clock(jobs, begin + timedelta(minutes=minute, seconds=number % 50))
        _upload(jobs, document, f"{chance.choice(NAMES)}-{document.name}", number)
    jobs.run("select from upload_pipeline.claim_jobs('uploaded', 'parser-1-4711', 3)")
    jobs.run("select from upload_pipeline.claim_jobs('uploaded', 'parser-2-815', 2)")
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


def _upload(jobs: Jobs, document: Document, name: str, number: int) -> None:
    """A document, and as far as its job has come."""
    if number >= DOCUMENTS - WAITING:
        jobs.upload(name, owner=document.owner_id)
    elif number >= DOCUMENTS - 2 * WAITING:
        jobs.submit(name, owner=document.owner_id)
    elif document.failure is not None:
        jobs.fail(name, code=document.failure, error=ERRORS[document.failure])
    else:
        jobs.parse(name)


def set_clock(jobs: Jobs, moment: datetime | None) -> None:
    """Let the database live at this time, or in the present."""
    time = "clock_timestamp()" if moment is None else f"timestamptz '{moment.isoformat()}'"
    jobs.run(
        "create or replace function upload_pipeline.clock() returns timestamptz language sql"
        f" volatile return {time}"
    )
