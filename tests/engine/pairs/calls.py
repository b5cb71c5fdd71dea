"""One or more calls of each granted function, on the job of a scene.

The functions are read from the catalogue: a new one without a call here fails test_pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from psycopg.types.json import Jsonb

from engine.pairs.scenes import GROUP, OWNER, SENDING, Scene
from engine.races.arguments import (
    ERROR,
    Row,
    awaited_delivery,
    cap,
    claim,
    content_delivery,
    event_delivery,
    new_job,
    under_lease,
    upload,
)

# Functions that the roles may call and that may write. The others only read.
GRANTED = """
select p.proname
  from pg_proc as p
 where p.pronamespace = 'upload_pipeline'::regnamespace
   and p.provolatile = 'v'
   and p.prosecdef
   and p.prorettype <> 'trigger'::regtype
   and exists (
     select
       from aclexplode(p.proacl) as a
       join pg_roles as r on r.oid = a.grantee
      where r.rolname in ('hookline_ingest', 'hookline_worker', 'hookline_operator')
   )
"""


@dataclass(frozen=True)
class Call:
    """A call by its name: `function`, or `function: what is special about it`."""

    name: str
    arguments: Callable[[Scene], Row]

    @property
    def function(self) -> str:
        return self.name.partition(":")[0]


def _job(**more: object) -> Callable[[Scene], Row]:
    return lambda scene: {"job_id": scene.job_id, **more}


def _lease(**more: object) -> Callable[[Scene], Row]:
    return lambda scene: under_lease(scene.job_id, scene.lease_token, **more)


def _content(**more: object) -> Callable[[Scene], Row]:
    return lambda scene: {"job_id": scene.job_id, "ordinal": scene.unrecognised, **more}


def _none(**arguments: object) -> Callable[[Scene], Row]:
    return lambda _: arguments


def _event(delivery_id: str, code: str, **more: object) -> Callable[[Scene], Row]:
    return lambda scene: event_delivery(delivery_id, code, job_id=scene.job_id, **more)


def _received(body: bytes, **more: object) -> Callable[[Scene], Row]:
    return lambda scene: content_delivery(f"of {body!r}", scene.job_id, body, **more)


def _finish(**more: object) -> Callable[[Scene], Row]:
    return lambda scene: {
        "event_ids": [scene.event_id],
        "lease_tokens": [SENDING],
        "errors": [None],
        "pauses": [timedelta(hours=1)],
        "permanent": [False],
        **more,
    }


def _together(*deliveries: Callable[[Scene], Row]) -> Callable[[Scene], Row]:
    """The argument of receive_events: an array of composite values, as Postgres reads it."""

    def written(scene: Scene) -> Row:
        values = [
            ",".join(_quoted(make(scene).get(name)) for name in DELIVERY) for make in deliveries
        ]
        return {"deliveries": "{" + ",".join(f'"({_escaped(value)})"' for value in values) + "}"}

    return written


def _quoted(value: object) -> str:
    return "" if value is None else f'"{value}"'


def _escaped(value: str) -> str:
    return value.replace('"', r"\"")


# The columns of the type delivery.
DELIVERY = [
    *("source", "delivery_id", "body_sha256", "event_type", "code", "job_id", "document_id"),
    *("parse_job_id", "payload", "correlation_id", "attempt"),
]

_ARTIFACTS = [
    {"kind": "text", "name": "", "sha256": "a" * 64, "bytes": 1, "extension": "txt"},
    {"kind": "images", "name": "1.png", "sha256": "b" * 64, "bytes": 2, "extension": "png"},
]
_OTHER_ARTIFACTS = [one | {"sha256": "c" * 64} for one in _ARTIFACTS]
_CANCELLATION = {"provider": "llamacloud", "parse_job_id": "P1", "kind": "cancel"}

CALLS = [
    Call("receive_event: ready", _event("e1", "parse_ready")),
    Call("receive_event: failed", _event("e2", "parse_failed", parse_job_id="P1")),
    Call(
        "receive_event: thin",
        _none(**event_delivery("e3", "parse_ready", parse_job_id="P2")),
    ),
    Call("receive_event: parked before", _event("parse_ready", "parse_ready", parse_job_id="P2")),
    Call(
        "receive_events",
        _together(
            _event("e1", "parse_ready", payload={}),
            lambda _: event_delivery("e4", "parse_ready", parse_job_id="P9", payload={}),
            lambda _: event_delivery("e3", "parse_failed", parse_job_id="P2", payload={}),
        ),
    ),
    Call("receive_content", _received(b"# kept", parse_job_id="P1")),
    Call("receive_content: other", _received(b"# other", parse_job_id="P2")),
    Call(
        "receive_content: awaited",
        lambda scene: awaited_delivery("of b'# kept'", scene.job_id, b"# kept", parse_job_id="P1"),
    ),
    Call("receive_content: of unknown shape", _received(b"??", recognised=False)),
    Call(
        "count_refusals",
        _none(refusals='[{"source": "llamacloud", "reason": "no_match", "count": 2}]'),
    ),
    Call(
        "count_deliveries",
        _none(deliveries='[{"source": "llamacloud", "outcome": "applied", "count": 2}]'),
    ),
    Call("roll_up_activity", _none()),
    Call("recount_statuses", _none()),
    Call(
        "keep_content",
        lambda scene: {"job_id": scene.job_id, "ordinal": scene.ordinal, "content": b"# kept"},
    ),
    Call("abandon_content", lambda scene: {"job_id": scene.job_id, "ordinal": scene.ordinal}),
    Call("finish_content", lambda scene: {"job_id": scene.job_id, "ordinal": scene.ordinal}),
    Call("claim_contents", _none(batch=10)),
    Call("claim_deletions", _none(batch=10)),
    Call("finish_deletion", lambda scene: scene.deletion or {"path": "storage://x/y", "tries": 1}),
    Call("claim_jobs: uploaded", _none(**claim("uploaded"))),
    Call("claim_jobs: of a provider", _none(**claim("uploaded", providers=["llamacloud"]))),
    Call("claim_jobs: asking", _none(**claim("parse_queued"))),
    Call("heartbeat", _lease()),
    Call("release_lease", _lease()),
    Call("advance_job", _lease(code="parse_truncated", keep_lease=True)),
    Call("advance_job: completed", _lease(code="job_completed")),
    Call(
        "advance_jobs",
        lambda scene: {
            "job_ids": [scene.job_id],
            "lease_tokens": [scene.lease_token],
            "codes": ["job_completed"],
            "payloads": [Jsonb({"n": 1})],
        },
    ),
    Call("fail_job", _lease(error=ERROR)),
    Call("fail_job: start over", _lease(error=ERROR, start_over=True)),
    Call("fail_job: permanent", _lease(error=ERROR, permanent=True)),
    Call("defer_job", _lease(error=ERROR)),
    Call(
        "pause_stage",
        lambda _: {
            "status": "uploaded",
            "until": datetime.now(UTC) + timedelta(hours=1),
            "reason": "pairs",
        },
    ),
    Call(
        "pause_stage: of a provider",
        lambda _: {
            "status": "uploaded",
            "until": datetime.now(UTC) + timedelta(hours=1),
            "reason": "pairs",
            "provider": "llamacloud",
        },
    ),
    Call("resume_stage", _none(status="uploaded")),
    Call("apply_parked", _none()),
    Call("reserve_credits", _lease(credits=6)),
    Call("reserve_credits: again", _lease(credits=6, again=True)),
    Call("settle_credits", _job(attempt=1, credits=4)),
    Call("claim_reservations", _none(batch=10)),
    Call("record_submission", _job(attempt=1, parse_job_id="P1")),
    Call("record_submission: of what is parked", _job(attempt=1, parse_job_id="P2")),
    Call("record_submission: of an earlier attempt", _job(attempt=1, parse_job_id="P3")),
    Call("receive_artifacts", _lease(artifacts=Jsonb(_ARTIFACTS))),
    Call("receive_artifacts: other", _lease(artifacts=Jsonb(_OTHER_ARTIFACTS))),
    Call("finish_artifacts", _lease(paths=["storage://parsed/x"])),
    Call("claim_provider_requests", _none(provider="llamacloud", batch=10)),
    Call("finish_provider_request", _none(**_CANCELLATION)),
    Call("fail_provider_request", _none(**_CANCELLATION, tries=1, error="provider_unanswered")),
    Call("settle_provider_requests", _none(provider="llamacloud")),
    Call("start_announcing", _none()),
    Call("stop_announcing", _none()),
    Call("claim_notifications", _none(batch=10)),
    Call("finish_notifications: taken", _finish()),
    Call("finish_notifications: failed", _finish(errors=["answered 500"])),
    Call("retry_notifications", _none()),
    Call("retry_notifications: one", lambda scene: {"event_id": scene.event_id}),
    Call("create_job", _none(**new_job("a", OWNER))),
    Call("create_job: elsewhere", _none(**{**new_job("a", OWNER), "raw_path": "storage://raw/2"})),
    Call(
        "create_job: of the group",
        _none(**new_job("b", OWNER), group_id=GROUP),
    ),
    Call("close_group", _none(group_id=GROUP)),
    Call("confirm_upload", _job(**upload("a"))),
    Call("retry_job", _job()),
    Call("retry_job: another provider", _job(provider="docling")),
    Call("cancel_job", _job()),
    Call("release_job", _job()),
    Call("accept_content", _content(markdown=b"# accepted")),
    Call("discard_content", _content()),
    Call("settle_parked", _none(parse_job_id="P2")),
    Call(
        "settle_parked: of the job",
        lambda scene: {"parse_job_id": "P2", "job_id": scene.job_id},
    ),
    Call("purge", _none(older_than="0", least_age="0")),
    Call("erase_document", lambda scene: {"document_id": scene.document_id}),
    Call("erase_owner", _none(owner_id=UUID(int=OWNER))),
    Call("set_credit_cap", _none(**cap(500))),
    Call("set_fallback", _none(provider="llamacloud", next_provider="docling")),
    Call("set_credit_cap: another provider", _none(**{**cap(500), "provider": "docling"})),
    Call("set_owner", _none(owner_id=UUID(int=OWNER), max_running=3)),
    Call("set_credit_cap: each owner", _none(**{**cap(500), "each_owner": True})),
]

# They pass by what another session has locked. Called once more, they find it.
SKIPPING = {
    "apply_parked",
    "claim_contents",
    "claim_deletions",
    "claim_jobs",
    "claim_notifications",
    "claim_provider_requests",
    "claim_reservations",
    "erase_document",
    "erase_owner",
    "finish_notifications",
    "purge",
    "retry_notifications",
}

# It deletes each old row that nobody holds: of two parked deliveries perhaps one only.
ROW_BY_ROW = {"purge"}

# Content is taken before it is known whether its job may still use it: a newer job of the document
# may be made at the same moment. finish_content decides, and the unique index over unfinished jobs.
DECIDED_LATER = {
    frozenset({"create_job", "receive_content"}),
    frozenset({"create_job", "keep_content"}),
}

# A worker or a drain that waited for one row would leave all the others undone. claim_reservations
# waits for set_credit_cap, which locks the whole table for a moment.
NEVER_WAITING = {
    "claim_contents",
    "claim_deletions",
    "claim_jobs",
    "claim_notifications",
    "claim_provider_requests",
}
