"""Objects in storage, read as exactly the bytes that the database names."""

from __future__ import annotations

from uuid import UUID

from hookline.client.errors import DamagedContent
from hookline.storage.content import hash_of
from hookline.storage.objects import Storage

__all__ = ["read_object"]


async def read_object(storage: Storage, path: str, sha256: str | None, job_id: UUID) -> bytes:
    """The bytes at this path, which belong to a job. Raises DamagedContent, StorageError."""
    content = await storage.read(path)
    if await hash_of(content) != sha256:
        raise DamagedContent(
            f"The object {path} of job {job_id} is not what was stored: it has"
            f" {len(content):,} bytes and another hash. Restore it from a backup, or parse the"
            " document again."
        )
    return content
