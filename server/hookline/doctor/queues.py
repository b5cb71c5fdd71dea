"""The check of the queues: work that waits, and how long."""

from __future__ import annotations

from collections.abc import Callable

from hookline.doctor.check import Check, count
from hookline.doctor.login import NOT_ALLOWED
from hookline.postgres.errors import DatabaseError
from hookline.postgres.views import Views

__all__ = ["ADVICE", "check_queues"]

# What to do about a queue that no alert is about.
ADVICE = {
    "delivery: parked": "Nobody has recorded its provider job: call"
    " upload_pipeline.record_submission, or let it expire if it is another application's.",
    "object: to delete": "Storage refuses it: see the row storage, and storage_failed in the"
    " receiver's log.",
}


async def check_queues(views: Views, unseen: Callable[[str, str], Check]) -> list[Check]:
    try:
        queues = await views.queue_health()
    except DatabaseError as error:
        if error.sqlstate != NOT_ALLOWED:
            raise
        return [unseen("queues", "hookline_reader")]
    # All other queues are the alerts' to judge.
    late = [queue for queue in queues if queue.overdue and queue.queue in ADVICE]
    if not late:
        # The jobs that a source waits for stand in a status, too.
        waiting = sum(one.waiting for one in queues if not one.queue.startswith("source: "))
        return [Check("queues", "ok", f"{count(waiting, 'piece')} of work waiting.")]
    return [
        Check(
            "queues",
            "warning",
            f"{queue.queue}: {count(queue.overdue, 'piece')} of work too long here."
            f" {ADVICE[queue.queue]}",
        )
        for queue in late
    ]
