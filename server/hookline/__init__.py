"""Hookline: document-parsing webhooks become durable job state, inside Postgres.

The names below are all that a stage of your own needs; hookline.stages explains them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hookline.stages import Advance, Deferred, Failed, HandedOver, Job, Paused, Tools, stage

__version__ = "0.3.0.dev0"

__all__ = [
    "Advance",
    "Deferred",
    "Failed",
    "HandedOver",
    "Job",
    "Paused",
    "Tools",
    "__version__",
    "stage",
]


def __getattr__(name: str) -> object:
    # Imported on first use: the local parser's child imports this package too, and needs no names.
    if name.startswith("_") or name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hookline import stages

    return getattr(stages, name)
