"""A question before a command changes what cannot be changed back."""

from __future__ import annotations

import sys

import typer

from hookline.cli.exit_codes import FAILED, WrongUsage
from hookline.cli.output import errors, say

__all__ = ["confirm"]


def confirm(sentence: str, word: str, *, yes: bool) -> None:
    """Say what will happen, and let a person type `word`. With `yes`, do not ask.

    Ends the command if another word comes. Raises WrongUsage if nobody can be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongUsage(f"{sentence} Nothing was changed: --yes confirms it.")
    say(sentence)
    errors().print(f'To do it, type "{word}": ', end="")
    if sys.stdin.readline().strip() != word:
        say("Nothing was changed.")
        raise typer.Exit(FAILED)
