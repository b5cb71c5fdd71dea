"""Storing the content that receive_content took: the same for webhooks and fetched results."""

from __future__ import annotations

import asyncio

from hookline.postgres.engine import Engine
from hookline.postgres.records import Receipt
from hookline.storage.objects import Storage, StorageError

__all__ = ["store_content"]


async def store_content(
    engine: Engine, storage: Storage, receipt: Receipt, content: bytes, *, deadline: float
) -> Receipt:
    """Write the content to the receipt's path within `deadline` seconds, then finish_content.

    A receipt that asks for nothing to be stored is returned as it is. The bytes are already safe in
    Postgres: after StorageError or DatabaseError, the drain or the next try finishes the work.
    """
    if receipt.job_id is None or receipt.ordinal is None or receipt.path is None:
        return receipt
    try:
        async with asyncio.timeout(deadline):
            await storage.write(receipt.path, content)
    except TimeoutError:
        raise StorageError(f"no answer within {deadline:g} s") from None
    return await engine.finish_content(receipt.job_id, receipt.ordinal)
