"""Where a provider reports the end of a job."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Callback"]


@dataclass(frozen=True, slots=True)
class Callback:
    """The URL to which the provider reports the end of a job, and the secret that proves it."""

    url: str
    secret: str = field(repr=False)
