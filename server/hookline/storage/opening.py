"""Open the storage that HOOKLINE_STORAGE_URL names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

from hookline.settings import ConfigurationError, Settings
from hookline.storage.files import FileStorage
from hookline.storage.objects import Storage

__all__ = ["open_storage"]


@asynccontextmanager
async def open_storage(settings: Settings) -> AsyncIterator[Storage]:
    """The storage that HOOKLINE_STORAGE_URL names. Asks no server. Raises ConfigurationError."""
    url = settings.require_storage()
    if url.startswith("file:"):
        yield FileStorage(unquote(urlsplit(url).path))
        return

    try:
        from hookline.storage.supabase import open_supabase
    except ImportError as error:
        raise ConfigurationError(
            "HOOKLINE_STORAGE_URL is supabase://, which needs the official client of Supabase:"
            " pip install '.[supabase]' in the checkout of Hookline."
        ) from error
    async with open_supabase(settings) as storage:
        yield storage
