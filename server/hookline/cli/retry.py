"""`hookline retry`: give failed jobs another attempt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import typer

from hookline.cli.completion import complete_jobs, complete_statuses
from hookline.cli.exit_codes import FAILED, WrongUsage, explain
from hookline.cli.ids import find_job
from hookline.cli.job_filters import require_status
from hookline.cli.job_table import ids_to_show
from hookline.cli.output import errors, print_json, print_rows, say
from hookline.cli.receipts import print_receipts
from hookline.doctor.check import count
from hookline.postgres.connecting import connected
from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError, Unavailable
from hookline.postgres.records import Receipt
from hookline.postgres.views import FailedJob, JobOverview, Views
from hookline.settings import Settings, load

__all__ = ["retry"]

# Failed jobs that one query reads.
_PAGE = 500


def retry(
    job_ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID",
            help="The ids of jobs, or their first digits.",
            autocompletion=complete_jobs,
        ),
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Retry all failed jobs, the oldest failure first.")
    ] = False,
    status: Annotated[
        str | None,
        typer.Option(
            help="Retry the failed jobs that are in this status.",
            autocompletion=complete_statuses,
        ),
    ] = None,
    code: Annotated[
        str | None, typer.Option(help="Retry the failed jobs whose last error has this code.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Retry at most so many.", show_default="all")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print which jobs would be retried.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option(help="Why; it is written to the job's timeline.")
    ] = None,
    provider: Annotated[
        str | None, typer.Option(metavar="NAME", help="Parse with this provider.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each job retried.")
    ] = False,
) -> None:
    """Give jobs another attempt, which starts at once, with --provider at another parser.

    Name the jobs by their ids, or choose failed jobs with --failed, --status or --code. A job that
    cannot be retried is named on standard error, the others are retried, and the exit code is
    then 1. The command needs a login role in hookline_operator.

    Example: hookline retry --code TIMEOUT --limit 100 --reason "the parser is back"
    """
    in_bulk = failed or status is not None or code is not None
    if bool(job_ids) == in_bulk or (limit is not None and not in_bulk):
        raise WrongUsage(
            "Give the ids of the jobs to retry, or choose failed jobs with --failed, --status or"
            " --code."
        )
    retrying = _Retrying(reason, provider, dry_run)
    try:
        asyncio.run(_retry_all(load(), job_ids or [], _Bulk(status, code, limit), retrying))
    finally:
        # Also after Ctrl-C, or if Postgres goes away: some jobs are retried.
        retrying.print(as_json)
    if retrying.refused:
        raise typer.Exit(FAILED)
    if in_bulk and not retrying.found:
        say("No job has failed." if status is None and code is None else "No such failed job.")


@dataclass(frozen=True, slots=True)
class _Bulk:
    status: str | None
    code: str | None
    limit: int | None


class _Retrying:
    """The jobs that were found, and the result of each."""

    def __init__(self, reason: str | None, provider: str | None, dry_run: bool) -> None:
        self._reason = reason
        self._provider = provider
        self._dry_run = dry_run
        self.found: list[JobOverview | FailedJob] = []
        self.retried: list[Receipt] = []
        self.refused: list[str] = []

    async def retry(self, engine: Engine, job: JobOverview | FailedJob) -> None:
        """Retry a job, or only note it in a dry run. Raises Unavailable."""
        self.found.append(job)
        if self._dry_run:
            return
        try:
            self.retried.append(await engine.retry_job(job.job_id, self._reason, self._provider))
        except Unavailable:
            raise
        except DatabaseError as error:
            known = explain(error)
            self.refused.append(known[1] if known else str(error))

    def print(self, as_json: bool) -> None:
        if self._dry_run:
            _print_found(self.found, as_json)
        else:
            print_receipts(self.retried, as_json=as_json)
        for receipt in self.retried:
            if receipt.outcome == "kept":
                say(
                    f"hookline: job {receipt.job_id} was not retried: its result has arrived and"
                    " waits for the storage. The receiver stores it once that works."
                )
            if receipt.outcome == "awaited":
                say(
                    f"hookline: job {receipt.job_id} was not retried: its result is being stored."
                    " If it is not parsed in a minute, retry it again."
                )
        for sentence in self.refused:
            say(f"hookline: {sentence}")


async def _retry_all(
    settings: Settings, named: list[str], bulk: _Bulk, retrying: _Retrying
) -> None:
    """Retry the named jobs, or the failed ones. Every id is found before any job is retried."""
    async with connected(settings) as pool:
        views, engine = Views(pool), Engine(pool)
        if named:
            # By id: a job that is named twice is retried once.
            jobs = {job.job_id: job for job in [await find_job(views, text) for text in named]}
            for job in jobs.values():
                await retrying.retry(engine, job)
            return
        if bulk.status is not None:
            await require_status(views, bulk.status)
        with _counting() as show:
            async for failed in _failed(views, bulk):
                await retrying.retry(engine, failed)
                show(len(retrying.found))


async def _failed(views: Views, bulk: _Bulk) -> AsyncIterator[FailedJob]:
    """The failed jobs, page by page. A retried job leaves the list, and comes last if it fails."""
    seen: set[UUID] = set()
    last: FailedJob | None = None
    while page := await views.failed(status=bulk.status, code=bulk.code, after=last, limit=_PAGE):
        for one in page:
            if len(seen) == bulk.limit:
                return
            if one.job_id not in seen:
                seen.add(one.job_id)
                yield one
        last = page[-1]


@contextmanager
def _counting() -> Iterator[Callable[[int], None]]:
    screen = errors()
    if not screen.is_terminal:
        yield lambda number: None
        return
    with screen.status("Looking for failed jobs") as status:
        yield lambda number: status.update(count(number, "job"))


def _print_found(found: list[JobOverview | FailedJob], as_json: bool) -> None:
    errors_of = [(one, _error_of(one)) for one in found]
    if as_json:
        for one, (code, error) in errors_of:
            print_json(
                {
                    "job_id": one.job_id,
                    "document_id": one.document_id,
                    "filename": one.filename,
                    "status": one.status,
                    "code": code,
                    "error": error,
                }
            )
    elif found:
        ids = ids_to_show([one.job_id for one in found])
        print_rows(
            ["job", "file", "status", "code", "error"],
            [
                (shown, one.filename, one.status, code or "", error or "")
                for shown, (one, (code, error)) in zip(ids, errors_of, strict=True)
            ],
            cut=["file"],
        )
        say(f"{count(len(found), 'job')} would be retried.")


def _error_of(job: JobOverview | FailedJob) -> tuple[str | None, str | None]:
    if isinstance(job, FailedJob):
        return job.code, job.error
    error = job.last_error or {}
    return error.get("code"), error.get("error")
