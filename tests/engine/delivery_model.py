"""The rules of deliveries without content, as a small model of the default pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Delivery", "Job", "Model"]

# Each code that is used: the type of its event, and the status that it leads to.
CODES = {
    "parse_started": ("stage_started", "parse_queued"),
    "parse_ready": ("stage_done", "parse_ready"),
    "parse_ended": ("stage_error", "parse_ready"),
    "parse_failed": ("stage_error", "failed_parse"),
    "parse_cancelled": ("stage_error", "failed_parse"),
}
_STEPS = {
    ("uploaded", "stage_started", "parse_queued"),
    ("uploaded", "stage_done", "parse_ready"),
    ("uploaded", "stage_error", "parse_ready"),
    ("uploaded", "stage_error", "failed_parse"),
    ("parse_queued", "stage_done", "parse_ready"),
    ("parse_queued", "stage_error", "parse_ready"),
    ("parse_queued", "stage_error", "failed_parse"),
    ("parse_ready", "stage_error", "failed_parse"),
    ("failed_parse", "stage_done", "parse_ready"),
}


@dataclass(frozen=True)
class Delivery:
    """`job` and `document` are names of jobs; the document is that of the named job."""

    delivery_id: str
    event_type: str
    body: str
    code: str | None
    job: str | None
    document: str | None
    parse_job_id: str | None


@dataclass
class Job:
    document: str
    status: str
    version: int
    attempt: int


@dataclass
class _Seen:
    delivery: Delivery
    outcome: str
    job: str | None
    times: int


@dataclass
class Model:
    """Jobs by name; provider jobs, with the job and attempt of each; and deliveries by id."""

    jobs: dict[str, Job]
    links: dict[str, tuple[str, int]]
    seen: dict[str, _Seen] = field(default_factory=dict)

    def deliver(self, d: Delivery) -> tuple[str, str | None, int | None]:
        """The outcome or the SQLSTATE, and the status and version of the job."""
        if d.code is not None and (d.code not in CODES or not (d.job or d.parse_job_id)):
            return "UP006", None, None
        if d.code is None:
            return self._record(d, "ignored", None)
        linked = self.links.get(d.parse_job_id or "", (None, 0))[0]
        name = d.job or linked
        if name is None:
            return self._record(d, "parked", None)
        if name not in self.jobs:
            return "UP001", None, None
        job = self.jobs[name]
        if d.document and self.jobs[d.document].document != job.document:
            return "UP004", None, None
        if linked and linked != name:
            return "UP004", None, None
        before = self.seen.get(d.delivery_id)
        if before and before.outcome == "applied" and before.job == name:
            first = before.delivery
            same = first.event_type == d.event_type and first.parse_job_id == d.parse_job_id
            if first.body == d.body or (same and d.parse_job_id):
                before.times += 1
                return "duplicate", job.status, job.version
        if self._conflicts(d, name):
            return "UP007", None, None
        outcome = "applied" if self._report(name, d.code, d.parse_job_id) else "stale"
        answer = self._record(d, outcome, name)
        if outcome == "applied" and d.parse_job_id:
            self.links.setdefault(d.parse_job_id, (name, job.attempt))
            for parked in self.seen.values():
                if parked.outcome == "parked" and parked.delivery.parse_job_id == d.parse_job_id:
                    code = parked.delivery.code or ""
                    moved = self._report(name, code, d.parse_job_id)
                    parked.outcome, parked.job = ("applied" if moved else "stale"), name
        return answer

    def _conflicts(self, d: Delivery, name: str | None) -> bool:
        before = self.seen.get(d.delivery_id)
        return before is not None and (
            before.outcome == "applied" or (before.job is not None and before.job != name)
        )

    def _record(
        self, d: Delivery, outcome: str, name: str | None
    ) -> tuple[str, str | None, int | None]:
        if self._conflicts(d, name):
            return "UP007", None, None
        times = self.seen[d.delivery_id].times + 1 if d.delivery_id in self.seen else 1
        self.seen[d.delivery_id] = _Seen(d, outcome, name, times)
        if name is None:
            return outcome, None, None
        return outcome, self.jobs[name].status, self.jobs[name].version

    def _report(self, name: str, code: str, parse_job_id: str | None) -> bool:
        job = self.jobs[name]
        kind, to_status = CODES[code]
        if (job.status, kind, to_status) not in _STEPS:
            return False
        if parse_job_id in self.links:
            if self.links[parse_job_id][1] < job.attempt:
                return False
        elif parse_job_id and to_status == "failed_parse" and self._is_recorded(name):
            return False
        if job.status == "failed_parse":
            for seen in self.seen.values():
                if (
                    (seen.outcome, seen.job) == ("applied", name)
                    and parse_job_id is not None
                    and seen.delivery.parse_job_id == parse_job_id
                    and CODES[seen.delivery.code or ""][1] == to_status
                ):
                    return False
            others = [one for other, one in self.jobs.items() if other != name]
            if any(o.document == job.document and o.status != "failed_parse" for o in others):
                return False
        job.status, job.version = to_status, job.version + 1
        return True

    def _is_recorded(self, name: str) -> bool:
        return (name, self.jobs[name].attempt) in self.links.values()
