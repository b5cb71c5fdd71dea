"""Count the work that waits, by the view queue_health. What waits too long is an alert."""

from __future__ import annotations

from collections.abc import Callable

from hookline.doctor.check import Check, count
from hookline.doctor.login import NOT_ALLOWED
from hookline.postgres.errors import DatabaseError
from hookline.postgres.views import Views

__all__ = ["check_queues"]


async def check_queues(views: Views, unseen: Callable[[str, str], Check]) -> list[Check]:
    """How much work waits; `unseen` makes the row of a role that may not look.

    Raises DatabaseError.
    """
    try:
        queues = await views.queue_health()
    except DatabaseError as error:
        if error.sqlstate != NOT_ALLOWED:
            raise
        return [unseen("queues", "hookline_reader")]
    # A job that waits for a source is also counted by its status.
    waiting = sum(one.waiting for one in queues if not one.queue.startswith("source: "))
    return [Check("queues", "ok", f"{count(waiting, 'item')} of work waiting.")]
