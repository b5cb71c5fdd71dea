"""The markdown of a job, from storage, as exactly the bytes that the job names."""

from __future__ import annotations

from hookline.client.errors import why_not_parsed
from hookline.client.stored_objects import read_object
from hookline.postgres.views import JobOverview
from hookline.storage.objects import Storage

__all__ = ["read_markdown"]


async def read_markdown(storage: Storage, job: JobOverview) -> bytes:
    """The bytes of a job's content. They have the hash that the job names.

    Raises NotParsed, DamagedContent, StorageError.
    """
    if not job.has_content or job.parsed_path is None:
        raise why_not_parsed(job)
    return await read_object(storage, job.parsed_path, job.parsed_sha256, job.job_id)
