"""A run in one table, always with the same rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from rich.table import Table

from chaos.storm import FAULTS, Outcome

# It comes between two events of a job, and a job ends once: there is nothing to reorder.
_NEVER = frozenset({"webhook_reordered"})


def report(outcome: Outcome) -> Table:
    """What happened and what came of it."""
    table = Table("", "", title=f"chaos, seed {outcome.plan.seed}", show_header=False)
    for name, value in _rows(outcome):
        table.add_row(name, str(value))
    return table


def _rows(outcome: Outcome) -> Iterator[tuple[str, object]]:
    world = outcome.world
    jobs = [job for jobs in world.jobs.values() for job in jobs]
    codes = Counter(event["code"] for events in world.events.values() for event in events)
    orders = world.orders()
    yield "documents", len(world.documents)
    yield "parsed", sum(job["status"] == "parsed" for job in jobs)
    yield (
        "failed, by code",
        _counted(
            (job["last_error"]["code"] for job in jobs if job["failed"]),
            {one.failure for one in world.documents if one.failure},
        ),
    )
    yield from outcome.kills.items()
    yield (
        "faults that occurred",
        _counted(Counter(world.cloud["occurred"]).elements(), {*FAULTS, "http_402"} - _NEVER),
    )
    yield (
        "deliveries, by outcome",
        _counted(
            (row["outcome"] for row in world.deliveries), ("applied", "stale", "ignored", "parked")
        ),
    )
    yield (
        "answers to the provider",
        _counted((str(one["outcome"]) for one in world.cloud["deliveries"]), ("200", "401", "503")),
    )
    yield "retries", codes["stage_retried"] + codes["parse_restarted"]
    yield "deferrals", codes["stage_deferred"]
    yield "leases expired", codes["lease_expired"]
    yield "orders at the provider", sum(map(len, orders.values()))
    yield "found after silence", sum(line["event"] == "submission_found" for line in world.log)
    yield "credits billed", f"{world.cloud['billed']['credits']:g}"
    yield (
        "attempts paid twice",
        sum(
            sum(bool(order["usage"]["credits"]) for order in attempt) > 1
            for attempt in orders.values()
        ),
    )
    yield "promises broken", len(outcome.broken)
    yield "seconds", f"{outcome.seconds:.1f}"
    yield "seed", outcome.plan.seed


def _counted(values: Iterable[str], always: Iterable[str]) -> str:
    """A line for each value, and for those that might have been among them."""
    counts = Counter(values)
    names = sorted({*always, *counts})
    return "\n".join(f"{counts[name]:>5} {name}" for name in names)
