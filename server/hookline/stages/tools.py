"""The tools of a handler: the job's files, the engine, the storage and the settings."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field

from hookline.postgres.engine import Engine
from hookline.postgres.records import Job
from hookline.settings import Settings
from hookline.stages.outcomes import Failed
from hookline.stages.storage_outcomes import outcome_of_storage_error
from hookline.storage.objects import MissingObject, Storage, StorageError

__all__ = ["Tools"]


@dataclass(frozen=True, slots=True)
class Tools:
    """What a handler gets together with its job."""

    engine: Engine
    storage: Storage
    settings: Settings
    _hand_over: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)

    def expect_hand_over(self) -> None:
        """Say that another process is about to take over the job, and to end its lease.

        Call it, for example, before you send the job's webhook to the receiver, and return
        HandedOver when the receiver has taken it. After this call the worker no longer cancels the
        handler when a heartbeat finds that the lease has ended.
        """
        self._hand_over.set()

    @property
    def hand_over_expected(self) -> bool:
        """Whether the handler has called expect_hand_over."""
        return self._hand_over.is_set()

    async def raw(self, job: Job) -> bytes:
        """The raw file of the job, checked against its size and sha256.

        Raises Failed if the file is missing or damaged, and Deferred if the storage fails. Let both
        pass through your handler.
        """
        try:
            content = await self.storage.read(job.raw_path)
        except MissingObject as error:
            raise Failed("raw_file_missing", f"There is no object at {job.raw_path}.") from error
        except StorageError as error:
            raise outcome_of_storage_error(error) from error
        found = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
        if len(content) != job.bytes_len or found != job.file_sha256:
            raise Failed(
                "raw_file_damaged",
                f"{job.raw_path} holds {len(content)} bytes with sha256 {found}, but the confirmed"
                f" upload had {job.bytes_len} bytes with sha256 {job.file_sha256}.",
                permanent=True,
            )
        return content

    async def markdown(self, job: Job) -> str:
        """The parsed content of the job, checked against its sha256.

        Raises Failed if the content is missing, damaged or not UTF-8, and Deferred if the storage
        fails. Let both pass through your handler.
        """
        if job.parsed_path is None:
            raise Failed("content_missing", f"The job is {job.status} and has no content yet.")
        try:
            content = await self.storage.read(job.parsed_path)
        except MissingObject as error:
            raise Failed("content_missing", f"There is no object at {job.parsed_path}.") from error
        except StorageError as error:
            raise outcome_of_storage_error(error) from error
        if hashlib.sha256(content).hexdigest() != job.parsed_sha256:
            raise Failed("content_damaged", f"{job.parsed_path} does not match its sha256.")
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            # Without `from error`, since that error holds the content.
            position = error.start
        raise Failed("content_not_text", f"{job.parsed_path} is not UTF-8 at byte {position}.")
