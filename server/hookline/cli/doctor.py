"""`hookline doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from typing import Annotated

import typer
from rich.text import Text

from hookline.cli.exits import FAILED
from hookline.cli.output import errors, print_json, print_table, printable
from hookline.doctor import Check, examine, unknown_variables
from hookline.settings import ConfigurationError, load

__all__ = ["doctor"]

_STYLES = {"ok": "green", "warning": "yellow", "fault": "bold red"}


def doctor(
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out integrity, which reads every job and event.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a check.")] = False,
) -> None:
    """Check configuration, database, migrations, rights, storage, queues and integrity.

    Ends with 1 if there is a fault; a warning is none. Run it with the environment of the process
    that you ask about.

    Example: hookline doctor --json | jq -r 'select(.state != "ok") | .sentence'
    """
    if asyncio.run(_examine(quick=quick, as_json=as_json)):
        raise typer.Exit(FAILED)


async def _examine(*, quick: bool, as_json: bool) -> bool:
    async def checks() -> AsyncGenerator[Check, None]:
        for check in unknown_variables(os.environ):
            yield check
        try:
            settings = load()
        except ConfigurationError as error:
            yield Check("configuration", "fault", str(error))
            return
        async with aclosing(examine(settings, integrity=not quick)) as examined:
            async for check in examined:
                yield check

    found: list[Check] = []
    screen = errors()
    waiting = screen.status("Examining") if screen.is_terminal else nullcontext()
    async with aclosing(checks()) as examined:
        with waiting:
            async for check in examined:
                found.append(check)
                if as_json:
                    print_json(check)
    if not as_json:
        rows = [
            (one.name, Text(one.state, style=_STYLES[one.state]), printable(one.sentence))
            for one in found
        ]
        print_table(["check", "state", ""], rows)
    return any(check.state == "fault" for check in found)
