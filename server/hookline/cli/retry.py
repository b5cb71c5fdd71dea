"""`hookline retry`: another attempt for failed jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import typer

from hookline.cli.exit_codes import FAILED, WrongUsage, explain
from hookline.cli.job_filters import require_status
from hookline.cli.job_id import find_job
from hookline.cli.output import errors, print_json, print_table, say
from hookline.postgres.connecting import connected
from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError, Unavailable
from hookline.postgres.records import Receipt
from hookline.postgres.views import FailedJob, JobOverview, Views
from hookline.settings import Settings, load

__all__ = ["retry"]

_PAGE = 500


def retry(
    job_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Jobs, by id or by the beginning of one."),
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Retry failed jobs, the oldest failure first.")
    ] = False,
    status: Annotated[str | None, typer.Option(help="Those that failed into this status.")] = None,
    code: Annotated[
        str | None, typer.Option(help="Those whose last error has this code, like TIMEOUT.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many of those that failed.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show which jobs would be retried.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Is written into the job's history.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each job retried.")
    ] = False,
) -> None:
    """Send jobs back for another attempt, at once.

    A job that cannot be retried is told of on standard error, the others are retried; then the
    exit code is 1. Needs a role in hookline_operator.

    Example: hookline retry --code TIMEOUT --limit 100 --reason "the parser is back"
    """
    in_bulk = failed or status is not None or code is not None
    if bool(job_ids) == in_bulk or (limit is not None and not in_bulk):
        raise WrongUsage(
            "Name the jobs to retry, or say which of those that failed with --failed, --status or"
            " --code."
        )
    retrying = _Retrying(reason, dry_run)
    try:
        asyncio.run(_retry_all(load(), job_ids or [], _Bulk(status, code, limit), retrying))
    finally:
        # What was done before Postgres went away, or Ctrl-C, was done.
        retrying.print(as_json)
    if retrying.refused:
        raise typer.Exit(FAILED)
    if in_bulk and not retrying.found:
        say("No job has failed." if status is None and code is None else "No such job has failed.")


@dataclass(frozen=True, slots=True)
class _Bulk:
    status: str | None
    code: str | None
    limit: int | None


class _Retrying:
    """What was found, and what became of it."""

    def __init__(self, reason: str | None, dry_run: bool) -> None:
        self._reason = reason
        self._dry_run = dry_run
        self.found: list[JobOverview | FailedJob] = []
        self.retried: list[Receipt] = []
        self.refused: list[str] = []

    async def take(self, engine: Engine, job: JobOverview | FailedJob) -> None:
        """Retry one. Raises Unavailable."""
        self.found.append(job)
        if self._dry_run:
            return
        try:
            self.retried.append(await engine.retry_job(job.job_id, self._reason))
        except Unavailable:
            raise
        except DatabaseError as error:
            known = explain(error)
            self.refused.append(known[1] if known else str(error))

    def print(self, as_json: bool) -> None:
        if self._dry_run:
            _print_found(self.found, as_json)
        elif as_json:
            for receipt in self.retried:
                print_json(_of_interest(receipt))
        elif self.retried:
            rows = [(str(r.job_id), r.status or "", str(r.version)) for r in self.retried]
            print_table(["job", "status", ">version"], rows)
        for receipt in self.retried:
            if receipt.outcome == "kept":
                say(
                    f"hookline: job {receipt.job_id} was not retried: its content is here and waits"
                    " for storage, the drain will finish it."
                )
        for sentence in self.refused:
            say(f"hookline: {sentence}")


async def _retry_all(
    settings: Settings, named: list[str], bulk: _Bulk, retrying: _Retrying
) -> None:
    """Every id is found before any job is retried."""
    async with connected(settings) as pool:
        views, engine = Views(pool), Engine(pool)
        if named:
            # Twice the same id would be two attempts.
            jobs = {job.job_id: job for job in [await find_job(views, text) for text in named]}
            for job in jobs.values():
                await retrying.take(engine, job)
            return
        if bulk.status is not None:
            await require_status(views, bulk.status)
        with _counting() as count:
            async for failed in _failed(views, bulk):
                await retrying.take(engine, failed)
                count(len(retrying.found))


async def _failed(views: Views, bulk: _Bulk) -> AsyncIterator[FailedJob]:
    """Page by page: what is retried leaves them, and what fails once more comes last again."""
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
    with screen.status("Looking for jobs that failed") as status:
        yield lambda number: status.update(f"{number:,} jobs")


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
        print_table(
            ["job", "file", "status", "code", "error"],
            [
                (str(one.job_id), one.filename, one.status, code or "", error or "")
                for one, (code, error) in errors_of
            ],
        )
        say(f"{len(found):,} would be retried.")


def _error_of(job: JobOverview | FailedJob) -> tuple[str | None, str | None]:
    if isinstance(job, FailedJob):
        return job.code, job.error
    error = job.last_error or {}
    return error.get("code"), error.get("error")


def _of_interest(receipt: Receipt) -> dict[str, object]:
    return {
        "job_id": receipt.job_id,
        "document_id": receipt.document_id,
        "outcome": receipt.outcome,
        "status": receipt.status,
        "version": receipt.version,
        "event_id": receipt.event_id,
    }
