"""How long each page of the dashboard takes over HTTP with very many jobs.

`make bench ARGS="pages --jobs 10000000 --in DIR"` uses the database that `growth` has left in DIR,
or makes it there. `--unfinished 1000000` is the size of the backlog. The time of a page is that of
one browser, which asks for it again and again: the first time, the median and the longest.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from statistics import median

import aiohttp
import psycopg
from rich.console import Console
from rich.table import Table

from bench.growth import make_database, server
from bench.thin import describe_server
from support.dashboards import PAGES, running_dashboard

ROUNDS = 7


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="pages", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--unfinished", type=int)
    parser.add_argument("--in", dest="directory", type=Path, metavar="DIR")
    chosen = parser.parse_args(arguments)
    console = Console()
    with server(chosen.directory) as url:
        place = make_database(console, url, chosen.jobs, chosen.unfinished)
        with psycopg.connect(place) as connection:
            job = connection.execute(
                "select job_id from upload_pipeline.upload_jobs order by job_id desc limit 1"
            ).fetchone()
            backlog = connection.execute(
                "select sum(jobs) from upload_pipeline.status_counts where not terminal"
            ).fetchone()
            assert job is not None
            assert backlog is not None
            console.print(
                f"{describe_server(connection)}; {chosen.jobs:,} jobs, {backlog[0]:,} unfinished"
            )
        console.print(asyncio.run(_measure(place, str(job[0]))))


async def _measure(place: str, job: str) -> Table:
    table = Table("page", "the first time, ms", "median, ms", "longest, ms")
    async with running_dashboard(place) as url, aiohttp.ClientSession() as browser:
        for page in PAGES:
            times = [await _time(browser, url + page.format(job=job)) for _ in range(ROUNDS)]
            first, *others = times
            shown = (first, median(others), max(others))
            table.add_row(page, *(f"{1000 * seconds:.0f}" for seconds in shown))
    return table


async def _time(browser: aiohttp.ClientSession, address: str) -> float:
    started = time.perf_counter()
    async with browser.get(address) as answer:
        answer.raise_for_status()
        await answer.read()
    return time.perf_counter() - started
