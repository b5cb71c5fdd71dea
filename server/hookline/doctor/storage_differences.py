"""The rows of `hookline doctor --storage`: each difference, and how many were compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime

from hookline.doctor.check import Check, State, count
from hookline.doctor.login import NO_VIEW, NOT_ALLOWED
from hookline.doctor.storage_comparison import Comparison, Difference
from hookline.postgres.connecting import Unreachable, connected
from hookline.postgres.errors import DatabaseError
from hookline.postgres.views import Views
from hookline.settings import ConfigurationError, Settings
from hookline.storage.objects import StorageError
from hookline.storage.opening import open_storage

__all__ = ["compare_storage"]

_COMPARED = "comparison"


async def compare_storage(
    settings: Settings, progress: Callable[[str], None]
) -> AsyncGenerator[Check, None]:
    found: Counter[str] = Counter()
    try:
        async with connected(settings) as pool, open_storage(settings) as storage:
            comparison = Comparison(storage, Views(pool), datetime.now(UTC), progress)
            async with aclosing(comparison.differences()) as differences:
                async for difference in differences:
                    found[difference.kind] += 1
                    yield _different(difference)
    except (ConfigurationError, Unreachable) as error:
        yield Check(_COMPARED, "fault", f"Not compared: {error}")
        return
    except StorageError as error:
        yield Check(_COMPARED, "fault", f"Not compared to the end: {error}.")
        return
    except DatabaseError as error:
        yield _uncompared(error)
        return
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(found.items()))
    orphaned_alone = set(found) <= {"orphaned"}
    state: State = "ok" if not found else "warning" if orphaned_alone else "fault"
    yield Check(
        _COMPARED,
        state,
        f"{count(comparison.objects, 'object')} in storage compared with {comparison.jobs:,} in"
        f" the database: {kinds or 'no difference'}.",
    )


def _different(difference: Difference) -> Check:
    path, job_id, detail = difference.path, difference.job_id, difference.detail
    match difference.kind:
        case "orphaned":
            return Check(
                "orphaned",
                "warning",
                f"{path} ({detail}) is of no job that the database knows: delete it, if no other"
                " database has it.",
            )
        case "missing":
            advice = "restore it from a backup, or have the document parsed again"
            return Check("missing", "fault", f"{path} of job {job_id} is not there: {advice}.")
        case "different":
            return Check(
                "different",
                "fault",
                f"{path} of job {job_id} is not what was stored ({detail}): restore it from a"
                " backup, or have the document parsed again.",
            )


def _uncompared(error: DatabaseError) -> Check:
    if error.sqlstate == NOT_ALLOWED:
        return Check(
            _COMPARED,
            "fault",
            "Not compared, since this role may not look: run `hookline doctor --storage` as a"
            " login role in hookline_reader.",
        )
    if error.sqlstate == NO_VIEW:
        return Check(
            _COMPARED, "fault", "Not compared, the database is older: run `hookline migrate`."
        )
    return Check(_COMPARED, "fault", f"Not compared to the end, Postgres failed: {error}.")
