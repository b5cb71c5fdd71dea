"""Jobs that wait for the same thing are one reason, in the words of the database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hookline.postgres.views import JobOverview
from hookline.submission.waiting_reason import find_reasons

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
JOB = JobOverview(
    job_id=uuid4(),
    document_id=uuid4(),
    owner_id=uuid4(),
    filename="a.pdf",
    status="uploaded",
    version=1,
    attempt=1,
    max_attempts=3,
    upload_confirmed=True,
    terminal=False,
    failed=False,
    has_content=False,
    overdue=False,
    run_after=NOW,
    deadline_at=NOW,
    leased_by=None,
    leased_until=None,
    correlation_id="c",
    provider=None,
    options={},
    metadata={},
    priority=0,
    group_id=None,
    parsed_path=None,
    parsed_sha256=None,
    parsed_bytes=None,
    last_error=None,
    created_at=NOW,
    updated_at=NOW,
    waits_because="backs off until 2026-01-01 12:30:00Z",
)


def sentences(*jobs: JobOverview) -> list[str]:
    return [reason.sentence for reason in find_reasons(jobs, NOW)]


def test_jobs_that_back_off_until_different_times_have_one_reason() -> None:
    later = replace(JOB, waits_because="backs off until 2026-01-01 12:31:00Z")
    assert sentences(JOB, later) == [
        "Nothing moves in uploaded: backs off until 2026-01-01 12:30:00Z."
    ]


def test_the_last_error_is_told_unless_the_reason_names_it() -> None:
    failed = replace(JOB, last_error={"code": "away", "error": "Nobody is at home"})
    assert sentences(failed)[0].endswith(" The last error is away: Nobody is at home")
    paused = replace(failed, waits_because="stage paused because: Nobody is at home")
    assert sentences(paused) == [
        "Nothing moves in uploaded: stage paused because: Nobody is at home."
    ]


def test_a_worker_is_asked_for_where_one_is_missing() -> None:
    waiting = replace(JOB, waits_because="waits for a worker")
    assert sentences(waiting)[0].endswith("Is `hookline work` or `hookline up` running?")


def test_nothing_is_told_while_a_worker_has_a_job() -> None:
    leased = replace(JOB, leased_by="w", leased_until=NOW + timedelta(seconds=1))
    assert sentences(JOB, leased) == []
    expired = replace(leased, leased_until=NOW - timedelta(seconds=1))
    assert len(sentences(expired)) == 1
