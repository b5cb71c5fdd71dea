"""The command `hookline`. Its exit code is

0 done; 1 the work failed, or `doctor` found a fault; 2 wrong usage or configuration; 3 the
database, the storage or the receiver is away, and the same command may succeed later; 4 the
receiver refused the webhook of `send`; 130 interrupted.

Every expected error is one sentence on standard error. A traceback is a bug in Hookline.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from hookline.cli.exit_codes import FAILED, INTERRUPTED, WRONG, explain
from hookline.cli.output import say
from hookline.cli.standard_streams import OutputLost, discard_unwritten, prepare_streams
from hookline.standalone.libpq_variables import remove_libpq_variables
from hookline.version import __version__

__all__ = ["main", "make_app"]

# Each command is the function of its name in the module of its name.
_COMMANDS = {
    "On this machine": ("up", "demo"),
    "Run": ("serve", "work", "workers", "dashboard", "migrate", "doctor"),
    "Jobs": ("submit", "jobs", "job", "group", "cat", "retry", "cancel"),
    "Webhooks": ("deliveries", "notifications", "url", "send"),
    "Steering": ("pause", "resume", "credits", "purge", "erase"),
    "The state machine": ("diagram",),
}


def make_app(arguments: Sequence[str] = ()) -> typer.Typer:
    """Build the command line. If the first argument names a command, import only that command.

    The imports of the other commands would take longer than most commands run.
    """
    app = typer.Typer(
        name="hookline",
        help="Turn document-parsing webhooks into durable job state inside Postgres.",
        epilog="Exit codes: 0 done; 1 the work failed, or doctor found a fault; 2 wrong usage or "
        "configuration; 3 the database, the storage or the receiver is away, try again later;"
        " 4 the receiver refused the webhook of send; 130 interrupted.",
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_start)
    groups = {name: group for group, names in _COMMANDS.items() for name in names}
    for name in arguments[:1] if arguments and arguments[0] in groups else groups:
        command = getattr(importlib.import_module(f"hookline.cli.{name}"), name)
        app.command(rich_help_panel=groups[name], help=_unwrapped(command))(command)
    return app


def _unwrapped(command: Callable[..., None]) -> str:
    """The docstring with one line for each paragraph, which the help wraps to the terminal."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in paragraphs)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"hookline {__version__}\n")
        raise typer.Exit


def _start(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")


def main() -> None:
    """Run the command line of this process, and end the process with its exit code."""
    prepare_streams()
    try:
        code = _run()
        sys.stdout.flush()
    except OutputLost as error:
        if not error.reader_is_gone:
            say(f"hookline: The output could not be written: {error.strerror}.")
        code = FAILED
    discard_unwritten()
    sys.exit(code)


def _run() -> int:
    # Without DATABASE_URL the database is the private one, whose URL is in .hookline/env.
    if "DATABASE_URL" not in os.environ:
        remove_libpq_variables()
    try:
        code = make_app(sys.argv[1:])(prog_name="hookline", standalone_mode=False)
    except KeyboardInterrupt:
        return INTERRUPTED
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "hookline"
        say(f"hookline: {error.format_message().rstrip('.')}: see `{path} --help`.")
        return WRONG
    except (SystemExit, OutputLost):
        raise
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        code, sentence = known
        say(f"hookline: {sentence}")
    return code if isinstance(code, int) else 0
