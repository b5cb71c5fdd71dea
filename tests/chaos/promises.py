"""What has to be true at the end, whatever happened: each promise yields what breaks it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

from chaos.world import World, still_running

Broken = Iterator[str]

# Errors of our own code, which no fault of others excuses.
_BUGS: Final = frozenset(
    {
        *("handler_failed", "handler_result_wrong", "execution_failed", "periodic_task_failed"),
        *("failure_not_recorded", "stage_not_paused"),
        *("webhook_failed", "drain_failed", "claim_refused", "handler_resists_cancellation"),
    }
)
# How the provider's deliveries may end: forged ones by 401, others while we were away.
_ANSWERS: Final = frozenset({200, 401, 503})


def _every_document_ends_as_it_has_to(world: World) -> Broken:
    for document in world.documents:
        if not world.has_job(document):
            yield f"{document.name} has not one job"
            continue
        job = world.job_of(document)
        code = (job["last_error"] or {}).get("code")
        expected = (
            ("parsed", None) if document.failure is None else ("failed_parse", document.failure)
        )
        found = (job["status"], code if job["failed"] else None)
        if found != expected:
            yield (
                f"{document.name} ({job['job_id']}) is {found} and not {expected}:"
                f" {', '.join(world.codes_of(document))}; {job['last_error']}"
            )


def _each_ends_once(world: World) -> Broken:
    for document in filter(world.has_job, world.documents):
        codes = Counter(world.codes_of(document))
        ends = codes["parse_completed"], codes["parse_failed"] + codes["parse_cancelled"]
        if ends != ((0, 1) if document.failure else (1, 0)):
            yield f"{document.name} ended {ends} times: {', '.join(world.codes_of(document))}"


def _what_is_stored_is_what_was_parsed(world: World) -> Broken:
    known = set()
    for document in filter(world.has_job, world.documents):
        job = world.job_of(document)
        if job["status"] != "parsed":
            continue
        known.add(job["parsed_path"])
        content = world.files.get(job["parsed_path"])
        if content is None:
            yield f"{document.name} is not stored: {job['parsed_path']}"
        elif content != document.markdown:
            yield f"{document.name} is stored as {content[:200]!r}"
        elif hashlib.sha256(content).hexdigest() != job["parsed_sha256"]:
            yield f"{document.name} has another sha256 in the database"
        elif len(content) != job["parsed_bytes"]:
            yield f"{document.name} has another size in the database"
    yield from (f"{path} is nobody's" for path in world.files.keys() - known)


def _what_is_cut_or_partial_says_so(world: World) -> Broken:
    for document in filter(world.has_job, world.documents):
        warned = "parse_truncated" in world.codes_of(document)
        if warned != document.content.startswith((b"%LONG", b"%PARTIAL")):
            yield f"{document.name} has {'a' if warned else 'no'} warning"


def _no_attempt_is_paid_twice(world: World) -> Broken:
    for (job_id, attempt), orders in world.orders().items():
        paid = [order["id"] for order in orders if order["usage"]["credits"]]
        if len(paid) > 1:
            yield f"attempt {attempt} of {job_id} is paid {len(paid)} times: {', '.join(paid)}"


def _every_order_is_known_and_settled(world: World) -> Broken:
    known = {row["parse_job_id"] for row in world.provider_jobs}
    settled = {(str(row["job_id"]), row["attempt"]): row for row in world.reservations}
    billed = {
        key: sum(Decimal(str(order["usage"]["credits"] or 0)) for order in orders)
        for key, orders in world.orders().items()
    }
    for key, orders in world.orders().items():
        yield from (
            f"{order['id']} of {key} is not known" for order in orders if order["id"] not in known
        )
        if key not in settled:
            yield f"{key} is ordered and not reserved"
    running = set(still_running(world.cloud))
    for key, row in settled.items():
        if row["billed"] is not None:
            if row["billed"] != billed.get(key, 0):
                yield f"{key} is settled at {row['billed']}, billed are {billed.get(key, 0)}"
        elif key not in running:
            # One that runs for ever is settled when the provider forgets it.
            yield f"{key} is not settled, reserved at {row['reserved_at']}"
    ours = sum(row["billed"] or 0 for row in world.reservations)
    theirs = Decimal(str(world.cloud["billed"]["credits"]))
    if ours != theirs:
        yield f"{ours} credits are settled, {theirs} are billed"


def _what_was_acknowledged_is_known(world: World) -> Broken:
    known = {row["delivery_id"] for row in world.deliveries}
    for delivery in world.cloud["deliveries"]:
        outcome = delivery["outcome"]
        if outcome == 200 and delivery["event_id"] not in known:
            yield f"delivery {delivery['event_id']} was acknowledged and is not known"
        elif isinstance(outcome, int) and outcome not in _ANSWERS:
            yield f"delivery {delivery['event_id']} was answered {outcome}"


def _nothing_is_left(world: World) -> Broken:
    for rows in world.jobs.values():
        yield from (f"{row['job_id']} is leased" for row in rows if row["lease_token"])
    for content in world.contents:
        if content["stored_at"] is None:
            yield f"content {content['ordinal']} of {content['job_id']} is not stored"
    orders = {order["id"] for order in world.cloud["jobs"]}
    for row in world.deliveries:
        if row["outcome"] == "kept":
            yield f"delivery {row['delivery_id']} is still kept"
        elif row["outcome"] == "parked" and row["parse_job_id"] in orders:
            yield f"delivery {row['delivery_id']} is parked, of an order of ours"


def _the_database_is_whole(world: World) -> Broken:
    yield from (f"{row['violation']}: {row['detail']}" for row in world.integrity)
    yield from (
        f"doctor: {check['sentence']}" for check in world.doctor if check["state"] == "fault"
    )


def _no_bug_shows(world: World) -> Broken:
    yield from world.wrong_ends
    for line in world.log:
        if line["event"] in _BUGS or "Traceback" in line.get("text", ""):
            yield f"in a log: {line}"


_PROMISES: Final[tuple[Callable[[World], Broken], ...]] = (
    _every_document_ends_as_it_has_to,
    _each_ends_once,
    _what_is_stored_is_what_was_parsed,
    _what_is_cut_or_partial_says_so,
    _no_attempt_is_paid_twice,
    _every_order_is_known_and_settled,
    _what_was_acknowledged_is_known,
    _nothing_is_left,
    _the_database_is_whole,
    _no_bug_shows,
)


def broken_promises(world: World) -> Broken:
    """A sentence for each promise and each that breaks it; nothing where all are kept."""
    for promise in _PROMISES:
        name = promise.__name__.strip("_").replace("_", " ")
        yield from (f"{name}: {sentence}" for sentence in promise(world))
