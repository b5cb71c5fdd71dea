"""`hookline url`: the URL to which the provider may push the result of a job."""

from __future__ import annotations

import asyncio
import sys

from hookline.cli.ids import Id, find_job
from hookline.cli.output import say
from hookline.client.push_url import push_url, require_push
from hookline.postgres.connecting import connected
from hookline.postgres.views import JobOverview, Views
from hookline.settings import Settings, load

__all__ = ["url"]


def url(job_id: Id) -> None:
    """Print the push URL of a job's current attempt, to give to LlamaParse as `webhook_url`.

    The URL is a secret: everybody who has it can send a result for the job. A retry makes it
    invalid.

    Example: hookline url 0193a1b2-5c3d-7e4f-8a9b-0c1d2e3f4a5b
    """
    settings = load()
    require_push(settings)
    address = push_url(settings, asyncio.run(_find(settings, job_id)))
    sys.stdout.write(f"{address}\n")
    say("This URL is a secret: everybody who has it can send a result for the job.")


async def _find(settings: Settings, job_id: str) -> JobOverview:
    async with connected(settings) as pool:
        return await find_job(Views(pool), job_id)
