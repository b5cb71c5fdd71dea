"""Check storage against the database: a row for each difference, and one for the totals."""

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

_TOTALS = "comparison"


async def compare_storage(
    settings: Settings, progress: Callable[[str], None]
) -> AsyncGenerator[Check, None]:
    """Every difference as it is found, then the totals. `progress` gets a sentence now and then."""
    found: Counter[str] = Counter()
    try:
        async with connected(settings) as pool, open_storage(settings) as storage:
            comparison = Comparison(storage, Views(pool), datetime.now(UTC), progress)
            async with aclosing(comparison.differences()) as differences:
                async for difference in differences:
                    found[difference.kind] += 1
                    yield _row(difference)
    except (ConfigurationError, Unreachable) as error:
        yield Check(_TOTALS, "fault", f"Not compared: {error}")
        return
    except StorageError as error:
        yield Check(_TOTALS, "fault", f"The comparison stopped: {error}.")
        return
    except DatabaseError as error:
        yield _failed(error)
        return
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(found.items()))
    harmless = set(found) <= {"orphaned", "unfinished"}
    state: State = "ok" if not found else "warning" if harmless else "fault"
    yield Check(
        _TOTALS,
        state,
        f"{count(comparison.objects, 'object')} in storage compared with {comparison.jobs:,} in"
        f" the database: {kinds or 'no difference'}.",
    )


def _row(difference: Difference) -> Check:
    path, job_id, detail = difference.path, difference.job_id, difference.detail
    match difference.kind:
        case "unfinished":
            return Check(
                "unfinished",
                "warning",
                f"{path} ({detail}) was left by an interrupted write, and may hold the text of a"
                " document. A running receiver removes it within a minute.",
            )
        case "orphaned":
            return Check(
                "orphaned",
                "warning",
                f"{path} ({detail}) belongs to no job of this database. Delete it, unless another"
                " database uses this storage.",
            )
        case "missing":
            advice = "Restore it from a backup, or parse the document again."
            return Check("missing", "fault", f"{path} of job {job_id} is not there. {advice}")
        case "different":
            return Check(
                "different",
                "fault",
                f"{path} of job {job_id} is not what was stored ({detail}). Restore it from a"
                " backup, or parse the document again.",
            )


def _failed(error: DatabaseError) -> Check:
    if error.sqlstate == NOT_ALLOWED:
        return Check(
            _TOTALS,
            "fault",
            "Not compared: this role may not read the view. Run `hookline doctor --storage` as a"
            " login role in hookline_reader.",
        )
    if error.sqlstate == NO_VIEW:
        return Check(
            _TOTALS, "fault", "Not compared: the database is older. Run `hookline migrate`."
        )
    return Check(_TOTALS, "fault", f"The comparison stopped, because Postgres failed: {error}.")
