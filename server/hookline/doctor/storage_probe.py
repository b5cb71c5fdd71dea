"""Check the storage: write an object and delete it."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from hookline.doctor.check import Check
from hookline.settings import ConfigurationError, Settings
from hookline.storage.objects import StorageError
from hookline.storage.opening import open_storage

__all__ = ["check_storage"]


async def check_storage(settings: Settings) -> Check:
    """One row, within HOOKLINE_STORAGE_DEADLINE."""
    try:
        url = settings.require_storage()
    except ConfigurationError as error:
        return Check("storage", "warning", f"{error} `hookline serve` does not start without it.")
    path = f"storage://parsed/doctor/{uuid4()}.md"
    try:
        async with asyncio.timeout(settings.storage_deadline), open_storage(settings) as storage:
            await storage.check()
            await storage.write(path, b"Written by hookline doctor.\n")
            await storage.delete(path)
    except ConfigurationError as error:
        return Check("storage", "fault", str(error))
    except (StorageError, TimeoutError) as error:
        reason = str(error) or f"no answer within {settings.storage_deadline:g} s"
        return Check(
            "storage", "fault", f"An object cannot be written to {url} and deleted: {reason}."
        )
    return Check("storage", "ok", f"An object was written to {url} and deleted.")
