"""`hookline credits`: the caps of the provider's credits, and what is left of each."""

from __future__ import annotations

import asyncio
from decimal import Decimal, InvalidOperation
from typing import Annotated
from uuid import UUID

import typer

from hookline.cli.exit_codes import WrongUsage
from hookline.cli.formats import credits_of, printable, timestamp
from hookline.cli.ids import find_owner
from hookline.cli.output import print_json, print_rows, say
from hookline.cli.pause import Reason
from hookline.postgres.connecting import connected
from hookline.postgres.engine import Engine
from hookline.postgres.records import CreditStatus
from hookline.postgres.views import Views
from hookline.settings import Settings, load

__all__ = ["credits"]

_SCOPES = {"all": "all owners together", "owner": "owner", "each": "each owner"}


def credits(  # noqa: A001 - the name of the command
    owner: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only the caps that this owner has to keep, or sets one."),
    ] = None,
    amount: Annotated[
        str | None,
        typer.Option(
            "--set",
            metavar="CREDITS",
            help="Set a cap: a number, `unlimited` to exempt an owner, or `none` to remove it.",
        ),
    ] = None,
    period: Annotated[
        str | None,
        typer.Option("--per", metavar="PERIOD", help="With --set: hour, day or month, in UTC."),
    ] = None,
    provider: Annotated[
        str, typer.Option(metavar="NAME", help="With --set: whose credits they are.")
    ] = "llamacloud",
    each_owner: Annotated[
        bool,
        typer.Option(
            "--each-owner", help="With --set: a cap for every owner who has none of their own."
        ),
    ] = False,
    reason: Reason = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each cap.")
    ] = False,
) -> None:
    """Show the caps of credits: what is used (reserved or billed), what is left, and until when.

    Each provider has credits of its own. With --set it sets a cap first: of all owners together, of
    one --owner, or for --each-owner. That needs a login role in hookline_operator.

    Example: hookline credits --set 5000 --per day
    """
    if (amount is None) != (period is None) or (each_owner and (amount is None or owner)):
        raise WrongUsage(
            "To set a cap, give --set and --per, for example --set 5000 --per day; --owner or"
            " --each-owner says whose it is."
        )
    found = asyncio.run(_credits(load(), owner, amount, period, each_owner, provider, reason))
    if as_json:
        for one in found:
            print_json(one._asdict())
    elif found:
        print_rows(
            ["whose", "provider", "per", ">cap", ">used", ">left", "until (UTC)"],
            [
                (
                    str(one.owner_id or _SCOPES[one.scope]),
                    one.provider,
                    one.period,
                    credits_of(one.credits),
                    credits_of(one.used),
                    credits_of(one.remaining),
                    timestamp(one.resets_at).removesuffix("Z"),
                )
                for one in found
            ],
        )
    else:
        say("There is no cap.")


async def _credits(
    settings: Settings,
    owner: str | None,
    amount: str | None,
    period: str | None,
    each_owner: bool,
    provider: str,
    reason: str | None,
) -> list[CreditStatus]:
    async with connected(settings) as pool:
        views = Views(pool)
        owner_id: UUID | None = None if owner is None else await find_owner(views, owner)
        if amount is not None and period is not None:
            await Engine(pool).set_credit_cap(
                owner_id,
                period,
                _amount(amount),
                each_owner=each_owner,
                provider=provider,
                reason=reason,
            )
        return await views.credit_status(owner_id)


def _amount(text: str) -> Decimal | None:
    if text == "none":
        return None
    try:
        return Decimal("Infinity" if text == "unlimited" else text.replace(",", ""))
    except InvalidOperation:
        raise WrongUsage(
            f"--set {printable(text)} is wrong. Right values: 5000, unlimited, or none."
        ) from None
