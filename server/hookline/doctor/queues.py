"""Check the view queue_health: work that waits, and for how long."""

from __future__ import annotations

from collections.abc import Callable

from hookline.doctor.check import Check, count
from hookline.doctor.login import NOT_ALLOWED
from hookline.postgres.errors import DatabaseError
from hookline.postgres.views import Views

__all__ = ["ADVICE", "check_queues"]

# What to do about a queue for which there is no alert.
ADVICE = {
    "delivery: parked": "Their provider jobs are not recorded: call"
    " upload_pipeline.settle_parked. Deliveries for another application expire by themselves.",
    "object: to delete": "The storage refuses to delete them: see the row storage here, and"
    " storage_failed in the receiver's log.",
}


async def check_queues(views: Views, unseen: Callable[[str, str], Check]) -> list[Check]:
    """A warning for each queue that is too old; `unseen` makes the row of a role that may not look.

    Raises DatabaseError.
    """
    try:
        queues = await views.queue_health()
    except DatabaseError as error:
        if error.sqlstate != NOT_ALLOWED:
            raise
        return [unseen("queues", "hookline_reader")]
    # For the other queues there are alerts.
    late = [queue for queue in queues if queue.overdue and queue.queue in ADVICE]
    if not late:
        # A job that waits for a source is also counted by its status.
        waiting = sum(one.waiting for one in queues if not one.queue.startswith("source: "))
        return [Check("queues", "ok", f"{count(waiting, 'item')} of work waiting.")]
    return [
        Check(
            "queues",
            "warning",
            f"{queue.queue}: {count(queue.overdue, 'item')} waiting for too long."
            f" {ADVICE[queue.queue]}",
        )
        for queue in late
    ]
