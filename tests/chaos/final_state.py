"""The final state of a run: in Postgres, on disk, at the provider and in the logs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg.rows import DictRow

from chaos.documents import Document
from chaos.endpoint import Arrival
from chaos.system import System


@dataclass(frozen=True)
class FinalState:
    """Everything, read once after the run. Rows are those of the tables."""

    documents: Sequence[Document]
    jobs: Mapping[tuple[UUID, str], Sequence[DictRow]]
    """By owner and sha256 of the file."""
    events: Mapping[UUID, Sequence[DictRow]]
    reservations: Sequence[DictRow]
    provider_jobs: Sequence[DictRow]
    deliveries: Sequence[DictRow]
    contents: Sequence[DictRow]
    notifications: Sequence[DictRow]
    """The rows of notification_log."""
    told: Sequence[Arrival]
    """The messages that the application's endpoint got, in their order."""
    forged: int
    """How many of them were not proven."""
    integrity: Sequence[DictRow]
    cloud: Mapping[str, Any]
    objects: Path = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)
    """The stored objects below `parsed`, by their paths."""
    doctor: Sequence[Mapping[str, str]]
    log: Sequence[Mapping[str, Any]] = field(repr=False)
    """The log lines of all processes. A line that is not JSON has the event `unparsed`."""
    wrong_ends: Sequence[str]

    def job_of(self, document: Document) -> DictRow:
        [job] = self.jobs[document.owner_id, document.sha256]
        return job

    def codes_of(self, document: Document) -> list[str]:
        """The history of its job, as the codes of the events."""
        return [event["code"] for event in self.events[self.job_of(document)["job_id"]]]

    def has_job(self, document: Document) -> bool:
        return len(self.jobs.get((document.owner_id, document.sha256), ())) == 1

    def cloud_jobs(self) -> dict[tuple[str, int], list[Mapping[str, Any]]]:
        """The provider's jobs, by our job and attempt."""
        found: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
        for cloud_job in self.cloud["jobs"]:
            found.setdefault(_job_and_attempt(cloud_job), []).append(cloud_job)
        return found

    def explain(self, job_id: str) -> Iterator[str]:
        """Everything that is known of a job, in the order of time."""
        told: list[tuple[str, str]] = []
        for event in self.events[UUID(job_id)]:
            told.append((event["ts"].isoformat(), f"{event['code']} {event['payload']}"))
        for row in self.reservations:
            if str(row["job_id"]) == job_id:
                told.append((row["reserved_at"].isoformat(), f"reserved {row}"))
        for row in self.provider_jobs:
            if str(row["job_id"]) == job_id:
                told.append((row["recorded_at"].isoformat(), f"recorded {row['parse_job_id']}"))
        for cloud_job in self.cloud["jobs"]:
            if cloud_job["user_metadata"]["hookline_job_id"] == job_id:
                told.append(
                    (cloud_job["created_at"].replace("Z", "+00:00"), f"submitted {cloud_job}")
                )
        for line in self.log:
            if line.get("job_id") == job_id:
                told.append((line["timestamp"].replace("Z", "+00:00"), f"logged {line}"))
        yield from (f"{at} {what}" for at, what in sorted(told))


def still_running(cloud: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Our job and attempt of each provider job that has not ended."""
    return (
        _job_and_attempt(one) for one in cloud["jobs"] if one["status"] in ("PENDING", "RUNNING")
    )


def _job_and_attempt(cloud_job: Mapping[str, Any]) -> tuple[str, int]:
    metadata = cloud_job["user_metadata"]
    return metadata["hookline_job_id"], int(metadata["attempt"])


async def look(system: System, documents: Sequence[Document]) -> FinalState:
    """Read the state after all processes have ended."""

    async def table(name: str, order: str) -> list[DictRow]:
        return await system.query(f"table upload_pipeline.{name} order by {order}")

    jobs: dict[tuple[UUID, str], list[DictRow]] = {}
    for row in await system.query(
        "select d.owner_id, d.file_sha256, j.* from upload_pipeline.upload_jobs as j"
        " join upload_pipeline.documents as d using (document_id)"
    ):
        jobs.setdefault((row["owner_id"], row["file_sha256"]), []).append(row)
    events: dict[UUID, list[DictRow]] = {}
    for row in await table("events", "job_id, version"):
        events.setdefault(row["job_id"], []).append(row)
    parsed = system.objects / "parsed"
    files = {
        f"storage://{file.relative_to(system.objects)}": file.read_bytes()
        for file in parsed.rglob("*.md")
    }
    return FinalState(
        documents=documents,
        jobs=jobs,
        events=events,
        reservations=await table("credit_reservations", "job_id, attempt"),
        provider_jobs=await table("provider_jobs", "recorded_at"),
        deliveries=await table("webhook_deliveries", "first_seen"),
        contents=await table("contents", "job_id, ordinal"),
        notifications=await table("notification_log", "job_id, version"),
        told=system.endpoint.arrivals,
        forged=system.endpoint.forged,
        integrity=await system.query("select * from upload_pipeline.check_integrity()"),
        cloud=await system.provider(),
        objects=system.objects,
        files=files,
        doctor=await system.doctor(),
        log=[line for process in system.processes for line in _lines(process.name, process.log)],
        wrong_ends=[end for process in system.processes for end in process.wrong_ends],
    )


def _lines(name: str, log: Path) -> list[dict[str, Any]]:
    lines = []
    for text in log.read_text().splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            line = {"event": "unparsed", "text": text}
        lines.append({"process": name, **line})
    return lines
