"""The markdown of a job, from storage, as exactly the bytes that the job names."""

from __future__ import annotations

from hookline.client.errors import DamagedContent, why_not_parsed
from hookline.postgres.views import JobOverview
from hookline.storage.content import hash_of
from hookline.storage.objects import Storage

__all__ = ["read_markdown"]


async def read_markdown(storage: Storage, job: JobOverview) -> bytes:
    """The bytes of a job's content. They have the hash that the job names.

    Raises NotParsed, DamagedContent, StorageError.
    """
    if not job.has_content or job.parsed_path is None:
        raise why_not_parsed(job)
    content = await storage.read(job.parsed_path)
    if await hash_of(content) != job.parsed_sha256:
        raise DamagedContent(
            f"The object {job.parsed_path} of job {job.job_id} is not what was stored: it has"
            f" {len(content):,} bytes and another hash. Restore it from a backup, or parse the"
            " document again."
        )
    return content
