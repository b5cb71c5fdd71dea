"""`hookline up`, `demo` and `submit`: all of it on this machine, without any account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast
from uuid import UUID

import typer
from rich.text import Text

from hookline.cli.exits import FAILED
from hookline.cli.output import console, duration, errors, print_json, print_table, printable, say
from hookline.cli.serve import loop_factory
from hookline.settings import Settings, load

if TYPE_CHECKING:
    from hookline.submit import Submitted

__all__ = ["demo", "submit", "up"]

# Whose documents they are, where nobody says.
_NOBODY = "00000000-0000-0000-0000-000000000000"

Directory = Annotated[
    Path,
    typer.Option(file_okay=False, help="The project: what is kept is in .hookline/ there."),
]


def up(directory: Directory = Path()) -> None:
    """Run a private Postgres, file storage and the receiver in one process, until Ctrl-C.

    What it keeps is in .hookline/ (for root, the database is in /var/lib/hookline/); the other
    commands find it there, without any environment.

    Example: hookline up
    """
    from hookline import standalone

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(standalone.run(directory))


def demo(directory: Directory = Path()) -> None:
    """Take a PDF through all of it: parser, signed webhook, parsed job, markdown on disk.

    Example: hookline demo
    """
    from hookline import demo as show

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        raise typer.Exit(runner.run(show.run(directory, console())))


def submit(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Documents to parse.")],
    owner: Annotated[UUID, typer.Option(help="Whose documents they are.")] = UUID(_NOBODY),  # noqa: B008
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each file, as it is done.")
    ] = False,
) -> None:
    """Parse files on this machine, and send each result to the receiver as a signed webhook.

    A file that fails does not stop the others; then the exit code is 1.

    Example: hookline submit report.pdf annex.pdf
    """
    results: list[Submitted] = []
    try:
        asyncio.run(_submit_all(load(), files, owner, as_json, results))
    finally:
        if results and not as_json:
            columns = ["job", "file", "outcome", "status", ">took"]
            print_table(columns, map(_row, results))
        for one in results:
            if one.error is not None:
                say(f"hookline: {printable(one.error)}")
    if any(one.error is not None for one in results):
        raise typer.Exit(FAILED)


async def _submit_all(
    settings: Settings, files: list[Path], owner: UUID, as_json: bool, results: list[Submitted]
) -> None:
    from hookline.submit import submit_files

    screen = errors()
    status = screen.status("Parsing") if screen.is_terminal else None
    # It is a generator that holds connections: they end with it, whatever becomes of the output.
    generator = cast("AsyncGenerator[Submitted, None]", submit_files(settings, files, owner))
    async with aclosing(generator) as submitted:
        with status or nullcontext():
            async for one in submitted:
                results.append(one)
                if status is not None:
                    status.update(f"Parsed {len(results)} of {len(files)}")
                if as_json:
                    print_json(one)


def _row(one: Submitted) -> list[str | Text]:
    return [
        str(one.job_id or ""),
        str(one.path),
        Text(one.outcome, style="red" if one.error else ""),
        one.status or "",
        duration(one.seconds),
    ]
