"""The way of content from receive_content to parsed, the same for whoever brought it."""

from __future__ import annotations

import asyncio

from hookline.postgres.engine import Engine
from hookline.postgres.records import Receipt
from hookline.storage.objects import Storage, StorageError

__all__ = ["store_content"]


async def store_content(
    engine: Engine, storage: Storage, receipt: Receipt, content: bytes, *, deadline: float
) -> Receipt:
    """Write what receive_content has kept, within `deadline` seconds, and say so.

    The receipt of anything but kept content comes back as it is. The bytes are safe in Postgres
    from here on: on StorageError, or DatabaseError, the drain or the next try finishes it.
    """
    if receipt.job_id is None or receipt.ordinal is None or receipt.path is None:
        return receipt
    try:
        async with asyncio.timeout(deadline):
            await storage.write(receipt.path, content)
    except TimeoutError:
        raise StorageError(f"no answer within {deadline:g} s") from None
    return await engine.finish_content(receipt.job_id, receipt.ordinal)
