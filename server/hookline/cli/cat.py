"""`hookline cat`: print the markdown of a job."""

from __future__ import annotations

import asyncio
import sys

from hookline.cli.ids import Id, find_job
from hookline.client.markdown import read_markdown
from hookline.postgres.connecting import connected
from hookline.postgres.views import Views
from hookline.settings import Settings, load
from hookline.storage.opening import open_storage

__all__ = ["cat"]


def cat(job_id: Id) -> None:
    """Print the markdown of a job: exactly the bytes in storage, if they have the job's hash.

    The exit code is 1 if the job has no markdown, or the object in storage was changed. The command
    needs HOOKLINE_STORAGE_URL and a login role in hookline_reader.

    Example: hookline cat 0193a1b2-5c3d > report.md
    """
    content = asyncio.run(_read(load(), job_id))
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    if sys.stdout.isatty() and not content.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


async def _read(settings: Settings, text: str) -> bytes:
    async with open_storage(settings) as storage, connected(settings) as pool:
        return await read_markdown(storage, await find_job(Views(pool), text))
