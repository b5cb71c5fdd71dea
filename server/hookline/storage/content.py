"""Taking content: Postgres gives out its path, storage gets the bytes, and the job moves.

The same for webhooks, for results that a worker fetches, and for both kinds of storage.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from hookline.postgres.deliveries import Content
from hookline.postgres.engine import Engine
from hookline.postgres.records import Receipt
from hookline.storage.objects import BegunWrite, Storage, StorageError

__all__ = ["hash_of", "take_content"]

# The first part of the paths that receive_content gives out.
_BUCKET = "parsed"
# From this size in bytes on, a thread computes the hash. Below it, the switch to a thread costs
# more.
_LARGE = 2**16


async def take_content(
    engine: Engine,
    storage: Storage,
    source: str,
    body_sha256: str,
    content: Content,
    *,
    deadline: float,
    repeatable: bool,
    first_call: AbstractAsyncContextManager[None] | None = None,
    on_commit: Callable[[Receipt], None] = lambda receipt: None,
) -> Receipt:
    """Take a delivery with content, until its job has moved or its bytes are safe in Postgres.

    The object is written at once, and Postgres gets the bytes only if that fails. If the storage is
    remote, Postgres keeps the bytes first, unless the content is `repeatable`: then it can be
    fetched again after a crash. `deadline` is for the storage, in seconds. `first_call` is held
    during the call that may wait for the row of the job. `on_commit` gets each receipt that means
    the bytes are safe, or that nothing is left to do.

    Raises DatabaseError, and StorageError if the bytes are safe and the drain has to finish.
    """
    sha256 = await hash_of(content.content)
    said = content.content_sha256 or sha256, content.content_bytes or len(content.content)
    # SQL refuses bytes that are not what their sender says, and keeps those of unknown shape.
    as_said = said == (sha256, len(content.content)) and content.recognised
    keep_first = not as_said or (storage.is_remote and not repeatable)
    begun: BegunWrite | None = None
    try:
        async with first_call or nullcontext():
            if keep_first:
                receipt = await engine.receive_content(source, body_sha256, content)
            else:
                begun = storage.begin_write(_BUCKET, content.content)
                # This commit waits for the disk, too. If a crash of Postgres could forget it, the
                # path could be given to another content, which our write would then replace.
                receipt = await engine.expect_content(source, body_sha256, content, sha256)
        if receipt.outcome != "awaited":
            on_commit(receipt)
        if receipt.job_id is None or receipt.ordinal is None or receipt.path is None:
            return receipt
        begun = begun or storage.begin_write(_BUCKET, content.content)
        try:
            await _finish_write(begun, receipt.path, deadline)
        except StorageError:
            if receipt.outcome == "awaited":
                on_commit(
                    await engine.keep_content(receipt.job_id, receipt.ordinal, content.content)
                )
            raise
    finally:
        if begun is not None:
            begun.abandon()
    receipt = await engine.finish_content(receipt.job_id, receipt.ordinal)
    on_commit(receipt)
    return receipt


async def hash_of(content: bytes) -> str:
    """SHA-256 in hex."""
    if len(content) < _LARGE:
        return hashlib.sha256(content).hexdigest()
    return await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())


async def _finish_write(begun: BegunWrite, path: str, deadline: float) -> None:
    try:
        async with asyncio.timeout(deadline):
            await begun.finish(path)
    except TimeoutError:
        raise StorageError(f"no answer within {deadline:g} s") from None
