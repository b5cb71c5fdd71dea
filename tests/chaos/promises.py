"""The promises that must hold at the end of a run. Each yields a sentence for each violation."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

from psycopg.rows import DictRow

from chaos.final_state import FinalState, still_running

Broken = Iterator[str]

# Log events that are bugs of ours: no kill and no fault of the provider explains them.
_BUGS: Final = frozenset(
    {
        *("handler_failed", "handler_result_wrong", "execution_failed", "periodic_task_failed"),
        *("failure_not_recorded", "stage_not_paused"),
        *("announcement_failed", "announcing_refused", "loop_failed"),
        *("webhook_failed", "drain_failed", "claim_refused", "handler_resists_cancellation"),
    }
)
# The statuses of which the application is told.
_ANNOUNCED: Final = frozenset({"parsed", "complete", "failed_parse", "failed_stage", "cancelled"})
# The answers to the provider's deliveries: 401 to forged ones, 503 while Postgres is down.
_ANSWERS: Final = frozenset({200, 401, 503})


def _every_document_ends_as_expected(state: FinalState) -> Broken:
    for document in state.documents:
        if not state.has_job(document):
            yield f"{document.name} does not have exactly one job"
            continue
        job = state.job_of(document)
        code = (job["last_error"] or {}).get("code")
        expected = (
            ("parsed", None) if document.failure is None else ("failed_parse", document.failure)
        )
        found = (job["status"], code if job["failed"] else None)
        if found != expected:
            yield (
                f"{document.name} ({job['job_id']}) is {found} and not {expected}:"
                f" {', '.join(state.codes_of(document))}; {job['last_error']}"
            )


def _every_document_ends_once(state: FinalState) -> Broken:
    for document in filter(state.has_job, state.documents):
        codes = Counter(state.codes_of(document))
        ends = codes["parse_completed"], codes["parse_failed"] + codes["parse_cancelled"]
        if ends != ((0, 1) if document.failure else (1, 0)):
            yield f"{document.name} ended {ends} times: {', '.join(state.codes_of(document))}"


def _stored_content_is_the_parsed_content(state: FinalState) -> Broken:
    known = set()
    for document in filter(state.has_job, state.documents):
        job = state.job_of(document)
        if job["status"] != "parsed":
            continue
        known.add(job["parsed_path"])
        content = state.files.get(job["parsed_path"])
        if content is None:
            yield f"{document.name} is not stored: {job['parsed_path']}"
        elif content != document.markdown:
            yield f"{document.name} is stored as {content[:200]!r}"
        elif hashlib.sha256(content).hexdigest() != job["parsed_sha256"]:
            yield f"{document.name} has another sha256 in the database"
        elif len(content) != job["parsed_bytes"]:
            yield f"{document.name} has another size in the database"
    yield from (f"{path} belongs to no job" for path in state.files.keys() - known)


def _truncated_or_partial_content_has_a_warning(state: FinalState) -> Broken:
    for document in filter(state.has_job, state.documents):
        warned = "parse_truncated" in state.codes_of(document)
        if warned != document.content.startswith((b"%LONG", b"%PARTIAL")):
            yield f"{document.name} has {'a' if warned else 'no'} warning"


def _no_attempt_is_paid_twice(state: FinalState) -> Broken:
    for (job_id, attempt), cloud_jobs in state.cloud_jobs().items():
        paid = [cloud_job["id"] for cloud_job in cloud_jobs if cloud_job["usage"]["credits"]]
        if len(paid) > 1:
            yield f"attempt {attempt} of {job_id} is paid {len(paid)} times: {', '.join(paid)}"


def _every_provider_job_is_known_and_settled(state: FinalState) -> Broken:
    known = {row["parse_job_id"] for row in state.provider_jobs}
    # An attempt that was submitted again has a reservation for each submission.
    reserved: dict[tuple[str, int], list[DictRow]] = {}
    for row in state.reservations:
        reserved.setdefault((str(row["job_id"]), row["attempt"]), []).append(row)
    billed = {
        key: sum(Decimal(str(cloud_job["usage"]["credits"] or 0)) for cloud_job in cloud_jobs)
        for key, cloud_jobs in state.cloud_jobs().items()
    }
    for key, cloud_jobs in state.cloud_jobs().items():
        yield from (
            f"{cloud_job['id']} of {key} is not known"
            for cloud_job in cloud_jobs
            if cloud_job["id"] not in known
        )
        if key not in reserved:
            yield f"{key} was submitted without a reservation"
    running = set(still_running(state.cloud))
    for key, rows in reserved.items():
        open_ = [row for row in rows if row["billed"] is None]
        settled = sum(row["billed"] for row in rows if row["billed"] is not None)
        if not open_ and settled != billed.get(key, 0):
            yield f"{key} is settled at {settled}, billed are {billed.get(key, 0)}"
        elif open_ and key not in running:
            # A job that runs for ever is settled only when the provider forgets it.
            yield f"{key} is not settled, reserved at {open_[0]['reserved_at']}"
    ours = sum(row["billed"] or 0 for row in state.reservations)
    theirs = Decimal(str(state.cloud["billed"]["credits"]))
    if ours != theirs:
        yield f"{ours} credits are settled, {theirs} are billed"


def _every_acknowledged_delivery_is_recorded(state: FinalState) -> Broken:
    known = {row["delivery_id"] for row in state.deliveries}
    for delivery in state.cloud["deliveries"]:
        outcome = delivery["outcome"]
        if outcome == 200 and delivery["event_id"] not in known:
            yield f"delivery {delivery['event_id']} was acknowledged and is not known"
        elif isinstance(outcome, int) and outcome not in _ANSWERS:
            yield f"delivery {delivery['event_id']} was answered {outcome}"


def _every_announced_step_is_told_in_order(state: FinalState) -> Broken:
    announced: dict[str, list[DictRow]] = {}
    for events in state.events.values():
        for event in events:
            if event["to_status"] in _ANNOUNCED and event["to_status"] != event["from_status"]:
                announced.setdefault(str(event["job_id"]), []).append(event)
    states = {row["event_id"]: row["state"] for row in state.notifications}
    acknowledged: set[str] = set()
    for arrival in state.told:
        before = [
            str(event["event_id"])
            for event in announced.get(arrival.job_id, ())
            if event["version"] < arrival.version
        ]
        if not acknowledged.issuperset(before):
            yield f"version {arrival.version} of {arrival.job_id} came before an earlier one"
        if arrival.acknowledged:
            acknowledged.add(arrival.event_id)
    for job_id, events in announced.items():
        for event in events:
            if str(event["event_id"]) not in acknowledged:
                yield f"version {event['version']} of {job_id} was not told"
            if states.get(event["event_id"]) != "taken":
                yield f"the notification of version {event['version']} of {job_id} is not taken"
    known = {str(event["event_id"]) for events in announced.values() for event in events}
    yield from (
        f"{arrival} tells of no step" for arrival in state.told if arrival.event_id not in known
    )
    if state.forged:
        yield f"{state.forged} messages were not proven"


def _no_work_is_left_over(state: FinalState) -> Broken:
    for rows in state.jobs.values():
        yield from (f"{row['job_id']} is leased" for row in rows if row["lease_token"])
    for content in state.contents:
        if content["stored_at"] is None:
            yield f"content {content['ordinal']} of {content['job_id']} is not stored"
    cloud_jobs = {cloud_job["id"] for cloud_job in state.cloud["jobs"]}
    for row in state.deliveries:
        if row["outcome"] == "kept":
            yield f"delivery {row['delivery_id']} is still kept"
        elif row["outcome"] == "parked" and row["parse_job_id"] in cloud_jobs:
            yield f"delivery {row['delivery_id']} of a provider job of ours is parked"


def _database_is_consistent(state: FinalState) -> Broken:
    yield from (f"{row['violation']}: {row['detail']}" for row in state.integrity)
    yield from (
        f"doctor: {check['sentence']}" for check in state.doctor if check["state"] == "fault"
    )


def _no_process_reports_a_bug(state: FinalState) -> Broken:
    yield from state.wrong_ends
    for line in state.log:
        if line["event"] in _BUGS or "Traceback" in line.get("text", ""):
            yield f"in a log: {line}"


_PROMISES: Final[tuple[Callable[[FinalState], Broken], ...]] = (
    _every_document_ends_as_expected,
    _every_document_ends_once,
    _stored_content_is_the_parsed_content,
    _truncated_or_partial_content_has_a_warning,
    _no_attempt_is_paid_twice,
    _every_provider_job_is_known_and_settled,
    _every_acknowledged_delivery_is_recorded,
    _every_announced_step_is_told_in_order,
    _no_work_is_left_over,
    _database_is_consistent,
    _no_process_reports_a_bug,
)


def broken_promises(state: FinalState) -> Broken:
    """A sentence for each violation of a promise; nothing when all are kept."""
    for promise in _PROMISES:
        name = promise.__name__.strip("_").replace("_", " ")
        yield from (f"{name}: {sentence}" for sentence in promise(state))
