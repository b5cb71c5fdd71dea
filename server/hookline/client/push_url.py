"""The URL to which the provider may push the result of a job's current attempt."""

from __future__ import annotations

from hookline.postgres.views import JobOverview
from hookline.settings import ConfigurationError, Settings
from hookline.sources.llamaparse_push import mint_token
from hookline.sources.routes import push_path

__all__ = ["push_url", "require_push"]

# LlamaParse v1 takes a `webhook_url` that is shorter than this.
_TOO_LONG = 200


def require_push(settings: Settings) -> tuple[str, str]:
    """HOOKLINE_PUBLIC_URL and the first push secret. Raises ConfigurationError."""
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
    return settings.public_url, settings.push_secrets[0].get_secret_value()


def push_url(settings: Settings, job: JobOverview) -> str:
    """HOOKLINE_PUBLIC_URL with a token of the first secret.

    Raises ConfigurationError if one of the two is not set, or the URL is too long for LlamaParse.
    """
    base, secret = require_push(settings)
    token = mint_token(secret.encode(), job.job_id, job.attempt)
    address = f"{base}{push_path(job.job_id, token)}"
    if len(address) >= _TOO_LONG:
        raise ConfigurationError(
            f"The push URL would have {len(address)} characters, and LlamaParse takes fewer than"
            f" {_TOO_LONG}. HOOKLINE_PUBLIC_URL has {len(base)} of them: use a shorter one."
        )
    return address
