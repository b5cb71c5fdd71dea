"""Ids that people type: a whole id, or its first digits where no other id has the same."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Annotated, NamedTuple
from uuid import UUID

import typer

from hookline.cli.completion import complete_jobs
from hookline.cli.exit_codes import WrongUsage
from hookline.cli.formats import printable
from hookline.postgres.errors import UnknownJob
from hookline.postgres.views import DocumentOverview, JobOverview, Views

__all__ = ["Id", "find_document", "find_job", "find_owner"]

# How many ids an error names that begin alike.
_SHOWN = 5
_PREFIX = re.compile(r"[0-9a-f]{4,32}")
Id = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="The id of a job, or its first digits: at least 4 hex digits.",
        autocompletion=complete_jobs,
    ),
]


class _Kind(NamedTuple):
    name: str
    shown_by: str


_JOB = _Kind("job", "`hookline jobs`")
_DOCUMENT = _Kind("document", "`hookline job`")
_OWNER = _Kind("owner", "`hookline job`")


async def find_job(views: Views, text: str) -> JobOverview:
    """The one job whose id is `text` or starts with it. Raises WrongUsage, UnknownJob."""
    first, last = _range(_JOB, text)
    found = await views.jobs_between(first, last, limit=_SHOWN + 1)
    _require_one(_JOB, text, [(one.job_id, one.filename) for one in found])
    return found[0]


async def find_document(views: Views, text: str) -> DocumentOverview:
    """The one document whose id is `text` or starts with it. Raises WrongUsage, UnknownJob."""
    first, last = _range(_DOCUMENT, text)
    found = await views.documents_between(first, last, limit=_SHOWN + 1)
    _require_one(_DOCUMENT, text, [(one.document_id, one.filename) for one in found])
    return found[0]


async def find_owner(views: Views, text: str) -> UUID:
    """The owner whose id is `text`, or the one with documents whose id starts with it.

    Raises WrongUsage, UnknownJob.
    """
    first, last = _range(_OWNER, text)
    if first == last:
        # An owner may have a cap and no document.
        return first
    found = await views.owners_between(first, last, limit=_SHOWN + 1)
    _require_one(_OWNER, text, [(owner_id, None) for owner_id in found])
    return found[0]


def _range(kind: _Kind, text: str) -> tuple[UUID, UUID]:
    """The first and the last id that begin with `text`."""
    digits = text.strip().lower().replace("-", "")
    if not _PREFIX.fullmatch(digits):
        raise WrongUsage(
            f"{printable(text)} is not {_a(kind)} id: give at least the first 4 hex digits of an id"
            f" that {kind.shown_by} shows."
        )
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def _require_one(kind: _Kind, text: str, found: Sequence[tuple[UUID, str | None]]) -> None:
    if not found:
        raise UnknownJob(
            f"no {kind.name} has an id that is or begins with {text}",
            hint=f"{kind.shown_by} shows the ids.",
        )
    if len(found) > 1:
        raise WrongUsage(
            f"{text} is the beginning of more than one {kind.name} id. Give"
            f" {', '.join(_choices(found)[:_SHOWN])}"
            f"{', or more digits of another one' if len(found) > _SHOWN else ''}."
        )


def _a(kind: _Kind) -> str:
    return f"{'an' if kind.name[0] in 'aeiou' else 'a'} {kind.name}"


def _choices(found: Sequence[tuple[UUID, str | None]]) -> list[str]:
    """For each id: the shortest beginning that no other one has, and the name of its file.

    `found` is in the order of the ids. An id begins with the time, so jobs of the same second
    share most of the digits that people read first.
    """
    ids = [str(one) for one, _ in found]
    shared = [
        next(place for place, pair in enumerate(zip(*both, strict=True)) if pair[0] != pair[1])
        for both in itertools.pairwise(ids)
    ]
    return [
        f"{text[: max(before, after) + 1]}{'' if name is None else f' for {printable(name)}'}"
        for (_, name), text, before, after in zip(
            found, ids, [0, *shared], [*shared, 0], strict=True
        )
    ]
