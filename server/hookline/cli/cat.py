"""`hookline cat`: print the markdown of a job, or an artifact."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from hookline.cli.ids import Id, find_job
from hookline.client.artifacts import read_artifact
from hookline.client.markdown import read_markdown
from hookline.postgres.connecting import connected
from hookline.postgres.views import Views
from hookline.settings import Settings, load
from hookline.storage.opening import open_storage

__all__ = ["cat"]


def cat(
    job_id: Id,
    artifact: Annotated[
        str | None,
        typer.Option(
            metavar="KIND[/NAME]",
            help="Print this artifact instead, such as json; with NAME if there are several.",
        ),
    ] = None,
) -> None:
    """Print the markdown of a job: exactly the bytes in storage, if they have the job's hash.

    The exit code is 1 if the job has no markdown, or the object in storage was changed. The command
    needs HOOKLINE_STORAGE_URL and a login role in hookline_reader. `hookline job` lists artifacts.

    Example: hookline cat 0193a1b2-5c3d > report.md
    """
    content = asyncio.run(_read(load(), job_id, artifact))
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    if sys.stdout.isatty() and not content.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


async def _read(settings: Settings, text: str, artifact: str | None) -> bytes:
    async with open_storage(settings) as storage, connected(settings) as pool:
        views = Views(pool)
        job = await find_job(views, text)
        if artifact is None:
            return await read_markdown(storage, job)
        kind, _, name = artifact.partition("/")
        return await read_artifact(storage, await views.artifacts(job.job_id), kind, name)
