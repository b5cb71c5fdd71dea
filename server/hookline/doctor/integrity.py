"""Check with check_integrity() that no invariant of the data is violated."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hookline.doctor.check import Check, count
from hookline.doctor.login import NOT_ALLOWED
from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError

__all__ = ["check_integrity"]


async def check_integrity(engine: Engine, unseen: Callable[[str, str], Check]) -> list[Check]:
    """A fault for each kind of violation; `unseen` makes the row of a role that may not look.

    Reads every job and event once. Raises DatabaseError.
    """
    try:
        violations = await engine.check_integrity()
    except DatabaseError as error:
        if error.sqlstate != NOT_ALLOWED:
            raise
        return [unseen("integrity", "hookline_operator")]
    if not violations:
        return [Check("integrity", "ok", "No invariant is violated.")]
    kinds: dict[str, list[Mapping[str, object]]] = {}
    for violation in violations:
        kinds.setdefault(str(violation["violation"]), []).append(violation)
    return [
        Check("integrity", "fault", _sentence(kind, rows)) for kind, rows in sorted(kinds.items())
    ]


def _sentence(kind: str, rows: list[Mapping[str, object]]) -> str:
    found = f"{kind}: {count(len(rows), 'row')}"
    first = rows[0]
    if first["job_id"] is None:
        return (
            f"{found}, the first is {first['detail']}. Put a guard back with `alter table ..."
            " enable always trigger ...`; if the trigger is gone, its file is in db/triggers."
        )
    return (
        f"{found}, the first is job {first['job_id']} ({first['detail']}). Find all with"
        " upload_pipeline.check_integrity(), and restore these jobs from a backup."
    )
