"""The check of the data's integrity, by check_integrity()."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hookline.doctor.check import Check, count
from hookline.doctor.login import NOT_ALLOWED
from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError

__all__ = ["check_integrity"]


async def check_integrity(engine: Engine, unseen: Callable[[str, str], Check]) -> list[Check]:
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
        Check("integrity", "fault", _violated(kind, rows)) for kind, rows in sorted(kinds.items())
    ]


def _violated(kind: str, rows: list[Mapping[str, object]]) -> str:
    found = f"{kind}: {count(len(rows), 'row')}"
    first = rows[0]
    if first["job_id"] is None:
        return (
            f"{found}, {first['detail']} first. `alter table ... enable always trigger ...` puts"
            " a guard back; db/triggers has it if it is gone."
        )
    return (
        f"{found}, job {first['job_id']} first ({first['detail']})."
        " upload_pipeline.check_integrity() names all: restore these jobs from a backup."
    )
