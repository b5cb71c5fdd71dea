"""`hookline url`: the URL to which the provider may push the result of a job."""

from __future__ import annotations

import asyncio
import sys

from hookline.cli.exit_codes import WrongUsage
from hookline.cli.job_id import Id, find_job
from hookline.cli.output import say
from hookline.postgres.connecting import connected
from hookline.postgres.views import JobOverview, Views
from hookline.settings import ConfigurationError, Settings, load
from hookline.sources.llamaparse_push import mint_token
from hookline.sources.routes import push_path

__all__ = ["push_url", "url"]

# LlamaParse v1 takes a `webhook_url` that is shorter than this.
_TOO_LONG = 200


def url(job_id: Id) -> None:
    """Print the push URL of a job's current attempt, to give to LlamaParse as `webhook_url`.

    The URL is a secret: everybody who has it can send a result for the job. A retry makes it
    invalid.

    Example: hookline url 0193a1b2-5c3d-7e4f-8a9b-0c1d2e3f4a5b
    """
    settings = load()
    if settings.public_url is None:
        raise ConfigurationError(
            "HOOKLINE_PUBLIC_URL is not set: set it to where the provider reaches this receiver,"
            " for example to https://hooks.example.com."
        )
    if not settings.push_secrets:
        raise ConfigurationError(
            "HOOKLINE_PUSH_SECRETS is not set: set it to what `hookline serve` has, for example to"
            " a-long-random-secret."
        )
    address = push_url(settings, asyncio.run(_find(settings, job_id)))
    sys.stdout.write(f"{address}\n")
    say("This URL is a secret: everybody who has it can send a result for the job.")


def push_url(settings: Settings, job: JobOverview) -> str:
    """HOOKLINE_PUBLIC_URL and the token of the first secret. Raises WrongUsage if it is too long.

    The settings have a public URL and a push secret.
    """
    secret = settings.push_secrets[0].get_secret_value().encode()
    token = mint_token(secret, job.job_id, job.attempt)
    address = f"{settings.public_url}{push_path(job.job_id, token)}"
    if len(address) >= _TOO_LONG:
        raise WrongUsage(
            f"The push URL would have {len(address)} characters, and LlamaParse takes fewer than"
            f" {_TOO_LONG}. HOOKLINE_PUBLIC_URL has {len(settings.public_url or '')} of them: use a"
            " shorter one."
        )
    return address


async def _find(settings: Settings, job_id: str) -> JobOverview:
    async with connected(settings) as pool:
        return await find_job(Views(pool), job_id)
