"""The result of a run as a table, always with the same rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from rich.table import Table

from chaos.run import FAULTS, Outcome

# Left out when it never occurs: our hooks ask only for the end of a job, which comes once.
_NEVER = frozenset({"webhook_reordered"})


def report(outcome: Outcome) -> Table:
    """The documents, kills, faults and their outcome."""
    table = Table("", "", title=f"chaos, seed {outcome.plan.seed}", show_header=False)
    for name, value in _rows(outcome):
        table.add_row(name, str(value))
    return table


def _rows(outcome: Outcome) -> Iterator[tuple[str, object]]:
    state = outcome.state
    jobs = [job for jobs in state.jobs.values() for job in jobs]
    codes = Counter(event["code"] for events in state.events.values() for event in events)
    cloud_jobs = state.cloud_jobs()
    yield "documents", len(state.documents)
    yield "parsed", sum(job["status"] == "parsed" for job in jobs)
    yield (
        "failed, by code",
        _counted(
            (job["last_error"]["code"] for job in jobs if job["failed"]),
            {one.failure for one in state.documents if one.failure},
        ),
    )
    yield from outcome.kills.items()
    yield (
        "faults that occurred",
        _counted(Counter(state.cloud["occurred"]).elements(), {*FAULTS, "http_402"} - _NEVER),
    )
    yield (
        "deliveries, by outcome",
        _counted(
            (row["outcome"] for row in state.deliveries), ("applied", "stale", "ignored", "parked")
        ),
    )
    yield (
        "answers to the provider",
        _counted((str(one["outcome"]) for one in state.cloud["deliveries"]), ("200", "401", "503")),
    )
    yield "steps told", len({one.event_id for one in state.told if one.acknowledged})
    yield "told again", len(state.told) - len({one.event_id for one in state.told})
    yield "retries", codes["stage_retried"] + codes["parse_restarted"]
    yield "deferrals", codes["stage_deferred"]
    yield "leases expired", codes["lease_expired"]
    yield "jobs at the provider", sum(map(len, cloud_jobs.values()))
    yield "found after silence", sum(line["event"] == "submission_found" for line in state.log)
    yield "credits billed", f"{state.cloud['billed']['credits']:g}"
    yield (
        "attempts paid twice",
        sum(
            sum(bool(cloud_job["usage"]["credits"]) for cloud_job in attempt) > 1
            for attempt in cloud_jobs.values()
        ),
    )
    yield "promises broken", len(outcome.broken)
    yield "seconds", f"{outcome.seconds:.1f}"
    yield "seed", outcome.plan.seed


def _counted(values: Iterable[str], always: Iterable[str]) -> str:
    """A line with its count for each value, and for each name in `always`."""
    counts = Counter(values)
    names = sorted({*always, *counts})
    return "\n".join(f"{counts[name]:>5} {name}" for name in names)
