"""`hookline doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from typing import Annotated

import typer
from rich.text import Text

from hookline.cli.exit_codes import FAILED, WrongUsage
from hookline.cli.formats import printable
from hookline.cli.output import errors, print_json, print_table
from hookline.doctor.check import Check
from hookline.doctor.configuration import load_valid, unknown_variables
from hookline.doctor.report import examine

__all__ = ["doctor"]

# Rows of one check in the table: thousands would hide the other checks.
_SHOWN = 20
_STYLES = {"ok": "green", "warning": "yellow", "fault": "bold red"}


def doctor(
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Skip the integrity check, which reads every job and event."),
    ] = False,
    compare: Annotated[
        bool,
        typer.Option(
            "--storage", help="Also compare storage with the database. This reads every object."
        ),
    ] = False,
    public: Annotated[
        bool,
        typer.Option(
            "--public",
            help="Also send signed probes to HOOKLINE_PUBLIC_URL, up to the size of the largest"
            " body.",
        ),
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="With --public: another address of the receiver."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each check.")
    ] = False,
) -> None:
    """Check configuration, database, migrations, rights, storage, queues and integrity.

    With --storage it also finds objects that belong to no job, and objects of jobs that are missing
    or have another size or SHA-256 than the database says. That needs a login role in
    hookline_reader.

    With --public it finds out whether webhooks reach the receiver at its public address unchanged,
    and names what a proxy on the way does. The probes are proven with the secrets of this
    environment and change nothing.

    The exit code is 1 if there is a fault. Warnings do not count. Run it with the environment of
    the process that you want to examine.

    Example: hookline doctor --json | jq -r 'select(.state != "ok") | .sentence'
    """
    if url is not None and not public:
        raise WrongUsage("--url is the address for --public: give both.")
    if asyncio.run(_examine(quick=quick, compare=compare, public=public, url=url, as_json=as_json)):
        raise typer.Exit(FAILED)


async def _examine(
    *, quick: bool, compare: bool, public: bool, url: str | None, as_json: bool
) -> bool:
    screen = errors()
    waiting = screen.status("Examining") if screen.is_terminal else None

    async def checks() -> AsyncGenerator[Check, None]:
        for check in unknown_variables(os.environ):
            yield check
        settings, found = load_valid()
        for check in found:
            yield check
        if settings is None:
            return
        examined = examine(
            settings,
            integrity=not quick,
            compare=compare,
            progress=waiting.update if waiting else lambda sentence: None,
        )
        async with aclosing(examined):
            async for check in examined:
                yield check
        if public:
            from hookline.doctor.public_address import check_public_address

            for check in await check_public_address(settings, url):
                yield check

    faults = 0
    shown: list[Check] = []
    counts: Counter[str] = Counter()
    async with aclosing(checks()) as examined:
        with waiting or nullcontext():
            async for check in examined:
                faults += check.state == "fault"
                counts[check.name] += 1
                if as_json:
                    print_json(check)
                elif counts[check.name] <= _SHOWN:
                    shown.append(check)
    if not as_json:
        rows = [
            (one.name, Text(one.state, style=_STYLES[one.state]), printable(one.sentence))
            for one in shown
        ]
        rows += [
            (name, Text(""), f"{count - _SHOWN:,} more: `hookline doctor --json` prints all.")
            for name, count in counts.items()
            if count > _SHOWN
        ]
        print_table(["check", "state", ""], rows)
    return faults > 0
