"""`hookline submit`: make jobs of files and folders, and wait for them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self
from uuid import UUID

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hookline.cli.exit_codes import FAILED, WrongUsage
from hookline.cli.formats import duration, printable
from hookline.cli.output import errors, print_json, say
from hookline.cli.pairs import json_of_pairs
from hookline.cli.times import coming_moment_of
from hookline.settings import Settings, load

if TYPE_CHECKING:
    from types import TracebackType

    from hookline.postgres.records import JobRequest
    from hookline.submission.files import Entry
    from hookline.submission.submission import Submitted

__all__ = ["submit"]

# The owner of documents that are submitted without --owner.
# Digits of a short id: those of the time, and 12 bits more for files of the same millisecond.
_SHORT_ID = 18
_NOBODY = "00000000-0000-0000-0000-000000000000"


def submit(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Files, and folders with PDFs.", allow_dash=False),
    ],
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Also submit the PDFs in the folders below.")
    ] = False,
    owner: Annotated[
        UUID, typer.Option(help="The owner of the documents, a UUID.", show_default="all zeros")
    ] = UUID(_NOBODY),  # noqa: B008
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Ask this of the parser. May be repeated."),
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="Keep this with each job: it is yours. May be repeated."
        ),
    ] = None,
    priority: Annotated[
        int,
        typer.Option(min=0, max=9, help="Of the jobs of one owner the highest is claimed first."),
    ] = 0,
    not_before: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="Let no worker begin before: 30m or 12h from now, or a date and time, in UTC.",
        ),
    ] = None,
    provider: Annotated[
        str | None, typer.Option(help="The parser to use, if the workers have several.")
    ] = None,
    group: Annotated[
        UUID | None,
        typer.Option(help="An id that these jobs share, a UUID of your own: see `hookline group`."),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow/--no-follow",
            help="Wait until each file is parsed, or only until it is stored.",
        ),
    ] = True,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON object for each file, as soon as it is done."),
    ] = False,
) -> None:
    """Store files, make a job of each, and wait until they are parsed.

    A file that was submitted before and has an unfinished job gets no second one: the command waits
    for that job, which keeps its own options. In KEY=VALUE, a value that is JSON is taken as JSON,
    else as a text. Options that the parser does not take are refused at once, if the settings here
    or --provider say which parser it is. A file that fails does not stop the others, and the exit
    code is then 1. The command needs a login role in hookline_operator, and a worker: `hookline up`
    or `hookline work`.

    Example: hookline submit report.pdf invoices/
    """
    from hookline.submission.files import find_files

    request: JobRequest = {
        "options": json_of_pairs("--option", option or []),
        "metadata": json_of_pairs("--metadata", metadata or []),
        "priority": priority,
        "not_before": coming_moment_of("--not-before", not_before) if not_before else None,
        "provider": provider,
        "group_id": group,
    }
    settings = load()
    _check_options(settings, request)
    entries = find_files(paths, recursive=recursive)
    board = _Board(len(entries), as_json=as_json, follow=follow)
    try:
        with board:
            asyncio.run(_submit(settings, entries, owner, request, follow, board))
    finally:
        # Also after Ctrl-C, or if Postgres goes away: some files are done.
        board.sum_up()
    if board.failed:
        raise typer.Exit(FAILED)


def _check_options(settings: Settings, request: JobRequest) -> None:
    """Raise WrongUsage for options that the parser does not take, if it is known here which."""
    from hookline.providers.configured_parser import choose_parser
    from hookline.providers.errors import Refused
    from hookline.providers.job_options import check_job_options, options_of_parser

    if not request["options"]:
        return
    # Without --provider the job belongs to one of the parsers: its owner may have chosen it.
    names = [request["provider"]] if request["provider"] else choose_parser(settings).parsers
    refusals = []
    for name in names:
        if (model := options_of_parser(name)) is None:
            return
        try:
            check_job_options(request["options"], model, name)
        except Refused as error:
            refusals.append(str(error))
        else:
            return
    raise WrongUsage(refusals[0])


async def _submit(
    settings: Settings,
    entries: list[Entry],
    owner: UUID,
    request: JobRequest,
    follow: bool,
    board: _Board,
) -> None:
    from hookline.postgres.connecting import connected
    from hookline.postgres.engine import Engine
    from hookline.postgres.views import Views
    from hookline.storage.opening import open_storage
    from hookline.submission.submission import UPLOADS, Submission

    async with open_storage(settings) as storage, connected(settings, size=UPLOADS + 1) as pool:
        submission = Submission(
            Engine(pool),
            storage,
            Views(pool),
            owner,
            follow=follow,
            request=request,
            on_uploaded=board.uploaded,
            on_done=board.done,
            on_notice=board.notice,
        )
        await submission.run(entries)


class _Board:
    """What people see: a line for each file and, on a terminal, a progress bar below."""

    def __init__(self, total: int, *, as_json: bool, follow: bool) -> None:
        self._total = total
        self._as_json = as_json
        self._follow = follow
        self._uploads = 0
        self._well = 0
        self.failed = 0
        self._failed_jobs = 0
        screen = errors()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=screen,
            disable=not screen.is_terminal,
            transient=True,
            # Only if it is a terminal, too: lines that go to a file must not pass through Rich.
            redirect_stdout=sys.stdout.isatty(),
        )
        self._task = self._progress.add_task(self._counts(), total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def uploaded(self, path: Path) -> None:
        self._uploads += 1
        self._show()

    def done(self, one: Submitted) -> None:
        if one.error is None:
            self._well += 1
        else:
            self.failed += 1
            self._failed_jobs += one.job_id is not None
        if self._as_json:
            print_json(one)
        else:
            sys.stdout.write(f"{_line(one)}\n")
            sys.stdout.flush()
        if one.error is not None:
            say(f"hookline: {printable(one.error)}")
        self._show()

    def notice(self, sentence: str) -> None:
        say(f"hookline: {printable(sentence)}")

    def sum_up(self) -> None:
        """Print the totals on standard error."""
        if self._well + self.failed + self._uploads and self._total > 1:
            say(f"{self._total:,} files: {self._counts()}.")
        if self._follow and self._uploads > self._well + self._failed_jobs:
            say("The other jobs go on without this command: see `hookline jobs`.")

    def _show(self) -> None:
        self._progress.update(
            self._task, description=self._counts(), completed=self._well + self.failed
        )

    def _counts(self) -> str:
        parsed = [f"{self._well:,} parsed"] if self._follow else []
        return ", ".join([f"{self._uploads:,} uploaded", *parsed, f"{self.failed:,} failed"])


def _line(one: Submitted) -> str:
    status = one.status or ""
    took = duration(one.seconds)
    width = _SHORT_ID if sys.stdout.isatty() else 36
    job = str(one.job_id or "")[:width]
    return f"{job:<{width}}  {one.outcome:<9}  {status:<12}  {took:>8}  {printable(str(one.path))}"
