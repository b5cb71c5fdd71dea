"""What a job wants beside its markdown: fetched and stored before the markdown moves the job.

An artifact that cannot be had is tried some times, and then the job goes on without it, with the
event artifact_failed. A storage that is away puts the job off, as for the markdown.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

import structlog

from hookline.postgres.errors import DeletionUnderWay
from hookline.postgres.records import NewArtifact
from hookline.providers.client import Artifact
from hookline.providers.errors import ProviderError, Refused, UnknownParseJob, code_of_error
from hookline.sources.strict_json import replace_unstorable
from hookline.stages import Deferred, Job, Tools
from hookline.stages.storage_outcomes import outcome_of_storage_error
from hookline.storage.content import hash_of
from hookline.storage.objects import ObjectRefused, StorageError, TypeNotAllowed

__all__ = ["Artifacts"]

log = structlog.get_logger("hookline.worker")

# Seconds between the rounds. The provider may need some time to show everything.
PAUSES: Final = (2.0, 10.0, 30.0)
# Of one job. The SQL function has the same numbers for count and names.
MOST: Final = 1000
LONGEST_NAME: Final = 200
MOST_BYTES: Final = 512 * 2**20
# Seconds for reading all of one job, well within the time-out of its stage. A slow host of files
# costs the artifacts and not the markdown.
MOST_SECONDS: Final = 900.0
# So much is held in memory, then it is recorded and stored together.
_BATCH_BYTES: Final = 16 * 2**20
_BATCH: Final = 50
# Artifacts that the event names.
_NAMED: Final = 50
_EXTENSION: Final = re.compile(r"[a-z0-9]{1,5}")

_Key = tuple[str, str]


@dataclass(slots=True)
class _Progress:
    """What one job has by now: what is stored, and why what is missing failed last.

    `until` is when reading ends, in the time of the event loop.
    """

    until: float
    stored: set[_Key] = field(default_factory=set)
    failed: dict[_Key, str] = field(default_factory=dict)
    # Those that no other round can get.
    hopeless: set[_Key] = field(default_factory=set)
    bytes: int = 0

    def fail(self, key: _Key, error: ProviderError) -> None:
        self.failed[key] = code_of_error(error)
        if (isinstance(error, Refused) and error.permanent) or isinstance(error, UnknownParseJob):
            self.hopeless.add(key)

    def give_up(self, key: _Key, code: str) -> None:
        self.failed[key] = code
        self.hopeless.add(key)


class _Offer(Protocol):
    """What a parser may give beside the markdown: a part of ProviderClient."""

    @property
    def artifact_kinds(self) -> Collection[str]: ...
    async def artifacts(self, parse_job_id: str, kinds: Collection[str]) -> Sequence[Artifact]: ...


class Artifacts:
    """Fetches and stores the artifacts of jobs."""

    def __init__(self, offer: _Offer) -> None:
        self._offer = offer

    async def store(
        self,
        job: Job,
        tools: Tools,
        kinds: Sequence[str],
        parse_job_id: str,
        held: Sequence[Artifact],
    ) -> dict[str, int]:
        """Store what the job wants: these kinds. Returns how many of each are stored.

        `held` came with the result. Raises Failed, Deferred, Paused, and StaleLease if the job was
        taken away.
        """
        if not kinds:
            return {}
        progress = _Progress(asyncio.get_running_loop().time() + MOST_SECONDS)
        for pause in (*PAUSES, None):
            progress.failed = {key: progress.failed[key] for key in progress.hopeless}
            listed = await self._listed(parse_job_id, held, kinds, progress)
            await _one_round(job, tools, listed, progress)
            if pause is None or not progress.failed.keys() - progress.hopeless:
                break
            await asyncio.sleep(pause)
        if progress.failed:
            await tools.engine.advance_job(
                job.job_id,
                job.lease_token,
                "artifact_failed",
                _what_failed(parse_job_id, progress.failed),
                keep_lease=True,
            )
        return dict(sorted(Counter(kind for kind, _ in progress.stored).items()))

    async def _listed(
        self,
        parse_job_id: str,
        held: Sequence[Artifact],
        kinds: Sequence[str],
        progress: _Progress,
    ) -> dict[_Key, Artifact]:
        """All artifacts of these kinds, each with a name of its own."""
        found = [one for one in held if one.kind in kinds]
        rest = [kind for kind in kinds if kind not in {one.kind for one in found}]
        offered = [kind for kind in rest if kind in self._offer.artifact_kinds]
        for kind in set(rest).difference(offered):
            progress.give_up((kind, ""), "not_offered")
        if offered:
            try:
                found += await self._offer.artifacts(parse_job_id, offered)
            except ProviderError as error:
                for kind in offered:
                    progress.fail((kind, ""), error)
        named: dict[_Key, Artifact] = {}
        for artifact in found:
            if len(named) == MOST:
                progress.give_up((artifact.kind, ""), "too_many")
                break
            named[_key_of(artifact, named)] = artifact
        return named


async def _one_round(
    job: Job, tools: Tools, listed: Mapping[_Key, Artifact], progress: _Progress
) -> None:
    """Try everything that is not stored yet, and note what fails."""
    batch: list[tuple[Artifact, _Key, bytes]] = []
    for key, artifact in listed.items():
        if key in progress.stored or key in progress.hopeless:
            continue
        content = await _read(artifact, key, progress)
        if content is None:
            continue
        batch.append((artifact, key, content))
        if len(batch) == _BATCH or sum(len(one) for *_, one in batch) > _BATCH_BYTES:
            await _store(job, tools, batch, progress)
            batch = []
    if batch:
        await _store(job, tools, batch, progress)


def _key_of(artifact: Artifact, taken: Mapping[_Key, Artifact]) -> _Key:
    name = replace_unstorable(artifact.name)[:LONGEST_NAME]
    unique, number = name, 1
    while (artifact.kind, unique) in taken:
        number += 1
        unique = f"{name[: LONGEST_NAME - 10]} ({number})"
    return artifact.kind, unique


async def _read(artifact: Artifact, key: _Key, progress: _Progress) -> bytes | None:
    """The bytes of an artifact; None if it failed, which is noted."""
    if progress.bytes >= MOST_BYTES:
        progress.give_up(key, "too_many_bytes")
        return None
    try:
        async with asyncio.timeout_at(progress.until):
            content = await artifact.read()
    except TimeoutError:
        progress.give_up(key, "too_slow")
        return None
    except ProviderError as error:
        progress.fail(key, error)
        return None
    if not content:
        progress.give_up(key, "empty")
        return None
    progress.bytes += len(content)
    return content


async def _store(
    job: Job,
    tools: Tools,
    batch: Sequence[tuple[Artifact, _Key, bytes]],
    progress: _Progress,
) -> None:
    contents = {key: content for _, key, content in batch}
    new = [
        NewArtifact(
            *key,
            sha256=await hash_of(content),
            bytes=len(content),
            extension=artifact.extension if _EXTENSION.fullmatch(artifact.extension) else "bin",
        )
        for artifact, key, content in batch
    ]
    try:
        places = await tools.engine.receive_artifacts(job.job_id, job.lease_token, new)
    except DeletionUnderWay as error:
        # Content that came, went and came back: the object of its first time is being deleted.
        raise Deferred(
            "deletion_under_way", "An object of this job is being deleted.", timedelta(minutes=1)
        ) from error
    stored = [place for place in places if place.stored]
    for place in places:
        if place.stored:
            continue
        try:
            async with asyncio.timeout(tools.settings.storage_deadline):
                await tools.storage.write(place.path, contents[place.kind, place.name])
        except (ObjectRefused, TypeNotAllowed) as error:
            log.error("artifact_refused", path=place.path, reason=str(error))
            progress.give_up((place.kind, place.name), "storage_refused")
            continue
        except StorageError as error:
            raise outcome_of_storage_error(error) from error
        except TimeoutError as error:
            raise outcome_of_storage_error(StorageError("it gave no answer in time")) from error
        stored.append(place)
    await tools.engine.finish_artifacts(
        job.job_id, job.lease_token, [place.path for place in stored if not place.stored]
    )
    progress.stored.update((place.kind, place.name) for place in stored)


def _what_failed(parse_job_id: str, failed: Mapping[_Key, str]) -> dict[str, object]:
    return {
        "parse_job_id": parse_job_id,
        "failed": len(failed),
        "artifacts": [
            {"kind": kind, "name": name, "code": code}
            for (kind, name), code in [*failed.items()][:_NAMED]
        ],
    }
