"""Hookline: document-parsing webhooks become durable job state, inside Postgres.

`Client` and `AsyncClient` are for your application. The other names are what a stage of your own
needs (hookline.stages explains them), and the errors.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from hookline.version import __version__

if TYPE_CHECKING:
    from hookline.client.async_client import AsyncClient, JobReceipt
    from hookline.client.client import Client
    from hookline.client.errors import (
        DamagedContent,
        JobCancelled,
        JobFailed,
        NotParsed,
        StillRunning,
        UnknownArtifact,
        WaitTimeout,
    )
    from hookline.error import HooklineError
    from hookline.postgres.errors import DatabaseError, IllegalTransition, Unavailable, UnknownJob
    from hookline.postgres.views import Artifact, JobOverview
    from hookline.settings import ConfigurationError
    from hookline.stages import Advance, Deferred, Failed, HandedOver, Job, Paused, Tools, stage
    from hookline.storage.objects import StorageError
    from hookline.submission.files import Unreadable

# Imported on first use: the local parser's child imports this package too, and needs no names.
_MODULES = {
    "client.async_client": ("AsyncClient", "JobReceipt"),
    "client.client": ("Client",),
    "client.errors": (
        *("DamagedContent", "JobCancelled", "JobFailed"),
        *("NotParsed", "StillRunning", "UnknownArtifact", "WaitTimeout"),
    ),
    "error": ("HooklineError",),
    "postgres.errors": ("DatabaseError", "IllegalTransition", "Unavailable", "UnknownJob"),
    "postgres.views": ("Artifact", "JobOverview"),
    "settings": ("ConfigurationError",),
    "stages": (
        *("Advance", "Deferred", "Failed", "HandedOver"),
        *("Job", "Paused", "Tools", "stage"),
    ),
    "storage.objects": ("StorageError",),
    "submission.files": ("Unreadable",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Advance",
    "Artifact",
    "AsyncClient",
    "Client",
    "ConfigurationError",
    "DamagedContent",
    "DatabaseError",
    "Deferred",
    "Failed",
    "HandedOver",
    "HooklineError",
    "IllegalTransition",
    "Job",
    "JobCancelled",
    "JobFailed",
    "JobOverview",
    "JobReceipt",
    "NotParsed",
    "Paused",
    "StillRunning",
    "StorageError",
    "Tools",
    "Unavailable",
    "UnknownArtifact",
    "UnknownJob",
    "Unreadable",
    "WaitTimeout",
    "__version__",
    "stage",
]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"hookline.{_MODULE_OF[name]}"), name)
