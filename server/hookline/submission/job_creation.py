"""Make the job of a file, with its raw object in storage."""

from __future__ import annotations

from typing import Unpack
from uuid import UUID

from hookline.postgres.records import JobRequest, Receipt
from hookline.storage.objects import Storage
from hookline.submission.files import RawFile
from hookline.submission.job_functions import JobFunctions, JobReader

__all__ = ["make_job"]


async def make_job(
    engine: JobFunctions,
    views: JobReader,
    storage: Storage,
    raw: RawFile,
    owner_id: UUID,
    **request: Unpack[JobRequest],
) -> Receipt:
    """Create the job of a file, store its raw object and confirm the upload.

    The outcome is `duplicate` if the document has an unfinished job already; that job is returned.
    The job is created before the object is stored, so that no object is without a job.
    Raises DatabaseError, StorageError.
    """
    raw_path = raw.path_for(owner_id)
    receipt = await engine.create_job(
        owner_id=owner_id,
        filename=raw.filename,
        mime=raw.mime,
        bytes_len=len(raw.content),
        file_sha256=raw.sha256,
        raw_path=raw_path,
        **request,
    )
    assert receipt.job_id is not None  # noqa: S101 - every outcome of create_job has a job
    if receipt.outcome == "duplicate":
        [job] = await views.jobs_of([receipt.job_id])
        if job.upload_confirmed:
            return receipt
    await storage.write(raw_path, raw.content)
    await engine.confirm_upload(receipt.job_id, len(raw.content), raw.sha256)
    return receipt
