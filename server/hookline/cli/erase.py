"""`hookline erase`: delete a document, or everything of an owner."""

from __future__ import annotations

import asyncio
from typing import Annotated, NamedTuple
from uuid import UUID

import typer
from psycopg_pool import AsyncConnectionPool

from hookline.cli.completion import complete_jobs
from hookline.cli.confirmation import confirm
from hookline.cli.exit_codes import WrongUsage
from hookline.cli.formats import printable
from hookline.cli.ids import find_document, find_job, find_owner
from hookline.cli.output import print_json, print_line, say
from hookline.cli.pause import Reason
from hookline.doctor.check import count
from hookline.postgres.connecting import connected
from hookline.postgres.engine import Engine
from hookline.postgres.views import DocumentOverview, Views
from hookline.settings import Settings, load

__all__ = ["erase"]

# Documents of an owner that are counted before the question.
_COUNTED = 100_000
_POLL_INTERVAL = 1.0


class _Erased(NamedTuple):
    documents: int
    jobs: int
    objects: int


def erase(
    document: Annotated[
        str | None,
        typer.Argument(
            metavar="DOCUMENT",
            help="The id of a document, or its first digits.",
            show_default=False,
        ),
    ] = None,
    job: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Erase the document of this job.", autocompletion=complete_jobs
        ),
    ] = None,
    owner: Annotated[
        str | None, typer.Option(metavar="ID", help="Erase everything of this owner.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Also wait until storage has deleted the objects.")
    ] = False,
    reason: Reason = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Delete a document with its jobs, histories, deliveries and content. This is final.

    The rows are gone at once. The receiver deletes the objects from storage, after a minute in
    which a write may still be under way. The command needs a login role in hookline_operator.

    Example: hookline erase --job 0193a1b2-5c3d --wait
    """
    if sum(one is not None for one in (document, job, owner)) != 1:
        raise WrongUsage("Give the id of a document, or --job ID, or --owner ID.")
    settings = load()
    erased = asyncio.run(_erase(settings, document, job, owner, yes, reason))
    if as_json:
        print_json(erased._asdict())
    else:
        print_line(
            f"Erased: {count(erased.documents, 'document')} with {count(erased.jobs, 'job')}."
        )
    if erased.objects and not wait:
        say(
            f"{count(erased.objects, 'object')} will be deleted from storage by the receiver, after"
            " a minute or later. --wait waits for that."
        )
    if wait:
        asyncio.run(_wait(settings))
        say("Storage has no more objects to delete.")


async def _erase(
    settings: Settings,
    document: str | None,
    job: str | None,
    owner: str | None,
    yes: bool,
    reason: str | None,
) -> _Erased:
    async with connected(settings) as pool:
        views = Views(pool)
        if owner is not None:
            return await _erase_owner(pool, await find_owner(views, owner), yes, reason)
        if job is not None:
            document = str((await find_job(views, job)).document_id)
        assert document is not None  # noqa: S101 - one of the three is given
        return await _erase_document(pool, await find_document(views, document), yes, reason)


async def _erase_document(
    pool: AsyncConnectionPool, found: DocumentOverview, yes: bool, reason: str | None
) -> _Erased:
    confirm(
        f"This deletes document {found.document_id} ({printable(found.filename)}) with"
        f" {count(len(found.job_ids), 'job')}, for good.",
        "erase",
        yes=yes,
    )
    jobs, objects = await Engine(pool).erase_document(found.document_id, reason)
    return _Erased(1, jobs, objects)


async def _erase_owner(
    pool: AsyncConnectionPool, owner_id: UUID, yes: bool, reason: str | None
) -> _Erased:
    number = await Views(pool).count_documents(owner_id, at_most=_COUNTED + 1)
    counted = (
        f"more than {_COUNTED:,} documents" if number > _COUNTED else count(number, "document")
    )
    confirm(
        f"This deletes everything of owner {owner_id}: {counted} with all jobs, and the caps, for"
        " good.",
        "erase",
        yes=yes,
    )
    return _Erased(*await Engine(pool).erase_owner(owner_id, reason))


async def _wait(settings: Settings) -> None:
    """Return once no object of any erased document is left to delete."""
    async with connected(settings) as pool:
        views = Views(pool)
        before = None
        while waiting := await views.objects_to_delete():
            if waiting != before:
                say(f"Storage still has {count(waiting, 'object')} to delete.")
                before = waiting
            await asyncio.sleep(_POLL_INTERVAL)
