"""What a handler gets beside its job: the engine, the storage, the settings, the job's files."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field

from hookline.postgres.engine import Engine
from hookline.postgres.records import Job
from hookline.settings import Settings
from hookline.stages.outcomes import Deferred, Failed
from hookline.storage.objects import MissingObject, Storage, StorageError

__all__ = ["Tools"]


@dataclass(frozen=True, slots=True)
class Tools:
    """What a handler works with, beside its job."""

    engine: Engine
    storage: Storage
    settings: Settings
    _hand_over: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def expect_hand_over(self) -> None:
        """Say that from now on another process may end the lease because it takes over the job.

        Call it before, for example, sending the job's webhook to the receiver, and return
        HandedOver when it was taken. After this call the worker no longer cancels the handler when
        a heartbeat finds that the lease has ended.
        """
        self._hand_over.set()

    @property
    def hand_over_expected(self) -> bool:
        """Whether the handler has called expect_hand_over."""
        return self._hand_over.is_set()

    async def raw(self, job: Job) -> bytes:
        """The raw file of the job, which is what its sha256 says.

        Raises Failed where it is missing or damaged, Deferred where storage is away: a handler lets
        both pass.
        """
        try:
            content = await self.storage.read(job.raw_path)
        except MissingObject as error:
            raise Failed("raw_file_missing", f"It is not there: {job.raw_path}.") from error
        except StorageError as error:
            raise Deferred("storage_unavailable", f"The storage failed: {error}.") from error
        found = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
        if len(content) != job.bytes_len or found != job.file_sha256:
            raise Failed(
                "raw_file_damaged",
                f"{len(content)} bytes of sha256 {found} are stored; "
                f"{job.bytes_len} of {job.file_sha256} were confirmed.",
                permanent=True,
            )
        return content

    async def markdown(self, job: Job) -> str:
        """The parsed content of the job, which is what its sha256 says.

        Raises Failed where it is missing, damaged or no text, Deferred where storage is away: a
        handler lets both pass.
        """
        if job.parsed_path is None:
            raise Failed("content_missing", f"A job that is {job.status} has no content yet.")
        try:
            content = await self.storage.read(job.parsed_path)
        except MissingObject as error:
            raise Failed(
                "content_missing", f"Its object is not there: {job.parsed_path}."
            ) from error
        except StorageError as error:
            raise Deferred("storage_unavailable", f"The storage failed: {error}.") from error
        if hashlib.sha256(content).hexdigest() != job.parsed_sha256:
            raise Failed("content_damaged", f"It is not what its sha256 says: {job.parsed_path}.")
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            # Not `from error`: that one holds the content.
            position = error.start
        raise Failed("content_not_text", f"Byte {position} is no UTF-8: {job.parsed_path}.")
