"""The states in which two calls meet: one job, and all other rows about it.

A scene is made once with the functions themselves, saved, and put back before each run. So its ids
are the same in every run, and two runs can be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from engine.races.arguments import (
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

OWNER = 1
# An open group, of the other job; and a closed one, of the job.
GROUP, CLOSED = UUID(int=2**125), UUID(int=2**124)
# The lease of a notification that is being sent.
SENDING = UUID(int=2**126)
TABLES = (
    "documents",
    "job_groups",
    "upload_jobs",
    "events",
    "provider_jobs",
    "contents",
    "artifacts",
    "webhook_deliveries",
    "deletions",
    "provider_requests",
    "credit_caps",
    "credit_reservations",
    "owner_settings",
    "provider_pauses",
    "refused_deliveries",
    "notifications",
)

# Everything that can be due is due, so that claims and purges find it.
_DUE = """
update upload_pipeline.contents set run_after = run_after - interval '1 day';
update upload_pipeline.deletions set run_after = run_after - interval '1 day';
update upload_pipeline.credit_reservations set check_after = check_after - interval '1 day';
update upload_pipeline.notifications set run_after = run_after - interval '1 day';
update upload_pipeline.job_groups set check_after = check_after - interval '1 day';
update upload_pipeline.webhook_deliveries set check_after = check_after - interval '1 day';
update upload_pipeline.upload_jobs
   set run_after = run_after - interval '1 day', deadline_at = deadline_at - interval '1 day'
"""

CLEAR = """
delete from upload_pipeline.documents;
delete from upload_pipeline.job_groups;
delete from upload_pipeline.webhook_deliveries;
delete from upload_pipeline.deletions;
delete from upload_pipeline.provider_requests;
delete from upload_pipeline.credit_caps;
delete from upload_pipeline.credit_reservations;
delete from upload_pipeline.owner_settings;
delete from upload_pipeline.provider_pauses;
delete from upload_pipeline.refused_deliveries;
update upload_pipeline.statuses
   set paused_until = null, paused_because = null, paused_by = null
 where paused_until is not null;
update upload_pipeline.statuses set announced_since = '2026-01-01' where announced
"""


@dataclass
class Scene:
    """One job (and its document), another job of the same owner, and what calls need of them."""

    name: str
    job_id: UUID
    document_id: UUID
    neighbour_id: UUID
    lease_token: UUID
    ordinal: int = 1
    unrecognised: int = 1
    deletion: Row = field(default_factory=dict)
    event_id: UUID = SENDING


class Stage:
    """A database in which scenes are made and put back. It holds one scene at a time."""

    def __init__(self, conn: psycopg.Connection[Row]) -> None:
        self._conn = conn
        self._scenes: dict[str, Scene] = {}

    def scene(self, name: str) -> Scene:
        """One of SCENES, made when it is first asked for."""
        if name not in self._scenes:
            self._scenes[name] = self._make(name, SCENES[name])
        return self._scenes[name]

    def call(self, function: str, **arguments: Any) -> Row:
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        query = f"select * from upload_pipeline.{function}({named})"  # noqa: S608 - ours
        row = self._conn.execute(query.encode(), arguments).fetchone()
        assert row is not None, function
        return row

    def put_back(self, scene: Scene) -> None:
        """Leave nothing of the last run, and make the scene as it was."""
        self._conn.execute(f"call put_back_{scene.name}()".encode())

    def _make(self, name: str, make: Callable[[Stage, Scene], None]) -> Scene:
        self._conn.execute(CLEAR.encode())
        # The neighbour is older, so that its row comes first in some orders and last in others.
        neighbour = self.call("create_job", **new_job("neighbour", OWNER), group_id=GROUP)
        self.call("confirm_upload", job_id=neighbour["job_id"], **upload("neighbour"))
        refused = '[{"source": "llamaparse", "reason": "no_header", "count": 1}]'
        self.call("count_refusals", refusals=refused)
        self.call("set_credit_cap", **cap(1000))
        self.call("set_credit_cap", **{**cap(900), "owner_id": UUID(int=OWNER)})
        self._conn.execute(
            "insert into upload_pipeline.notifications (event_id, job_id, version)"
            " select event_id, job_id, version from upload_pipeline.events where version = 1"
        )
        made = self.call("create_job", **new_job("a", OWNER), group_id=CLOSED)
        self.call("close_group", group_id=CLOSED)
        scene = Scene(
            name, made["job_id"], made["document_id"], neighbour["job_id"], UUID(int=2**127)
        )
        make(self, scene)
        self._conn.execute(_DUE.encode())
        self._conn.execute(self._saved(name).encode())
        self.put_back(scene)
        return scene

    def _saved(self, name: str) -> str:
        copies = "".join(
            f"create table saved_{name}_{table} as table upload_pipeline.{table};\n"
            for table in TABLES
        )
        inserts = "".join(
            f"insert into upload_pipeline.{table} table saved_{name}_{table};\n" for table in TABLES
        )
        return (
            f"{copies} create procedure put_back_{name}() language sql as $$ {CLEAR}; {inserts} $$"
        )

    # What the scenes are made of.

    def confirm(self, scene: Scene) -> None:
        self.call("confirm_upload", job_id=scene.job_id, **upload("a"))

    def lease(self, scene: Scene, status: str = "uploaded") -> None:
        # Only the job of the scene: the neighbour stays free.
        self._conn.execute(
            "update upload_pipeline.upload_jobs set run_after = '2001-01-01' where job_id = %s",
            [scene.job_id],
        )
        claimed = self.call("claim_jobs", **claim(status, batch=1, lease="1 hour"))
        assert claimed["job_id"] == scene.job_id
        scene.lease_token = claimed["lease_token"]

    def reserve(self, scene: Scene) -> None:
        self.call("reserve_credits", **under_lease(scene.job_id, scene.lease_token, credits=6))

    def send(self, scene: Scene) -> None:
        row = self._conn.execute(
            "update upload_pipeline.notifications"
            " set lease_token = %s, run_after = run_after + interval '2 days'"
            " where job_id = %s returning event_id",
            [SENDING, scene.job_id],
        ).fetchone()
        assert row is not None
        scene.event_id = row["event_id"]

    def submit(self, scene: Scene) -> None:
        self.call("record_submission", job_id=scene.job_id, attempt=1, parse_job_id="P1")

    def park(self) -> None:
        for code in ("parse_started", "parse_ready"):
            self.call("receive_event", **event_delivery(code, code, parse_job_id="P2"))

    def keep(self, scene: Scene, *, recognised: bool = True) -> int:
        body = b"# kept" if recognised else b"?"
        content = content_delivery(
            f"of {body!r}", scene.job_id, body, parse_job_id="P1", recognised=recognised
        )
        ordinal: int = self.call("receive_content", **content)["ordinal"]
        return ordinal

    def report(self, scene: Scene, code: str) -> None:
        self.call("receive_event", **event_delivery(f"first {code}", code, job_id=scene.job_id))


def _unconfirmed(_: Stage, __: Scene) -> None:
    pass


def _uploaded(stage: Stage, scene: Scene) -> None:
    stage.confirm(scene)
    stage.park()


def _leased(stage: Stage, scene: Scene) -> None:
    _uploaded(stage, scene)
    stage.lease(scene)
    stage.reserve(scene)


def _expired(stage: Stage, scene: Scene) -> None:
    _leased(stage, scene)
    stage._conn.execute(
        "update upload_pipeline.upload_jobs set leased_until = leased_until - interval '1 day'"
        " where lease_token is not null"
    )


def _queued(stage: Stage, scene: Scene) -> None:
    _leased(stage, scene)
    stage.submit(scene)


def _missed(stage: Stage, scene: Scene) -> None:
    """A report is parked although its provider job is known, as apply_parked expects."""
    _queued(stage, scene)
    stage._conn.execute(
        "insert into upload_pipeline.provider_jobs (parse_job_id, job_id, attempt)"
        " values ('P2', %s, 1)",
        [scene.job_id],
    )


def _ready(stage: Stage, scene: Scene) -> None:
    _queued(stage, scene)
    stage.report(scene, "parse_ready")
    stage.lease(scene, "parse_ready")


def _kept(stage: Stage, scene: Scene) -> None:
    _queued(stage, scene)
    scene.unrecognised = stage.keep(scene, recognised=False)
    scene.ordinal = stage.keep(scene)
    stage._conn.execute(
        "insert into upload_pipeline.artifacts (job_id, kind, attempt, sha256, bytes, path)"
        " values (%s, 'text', 1, repeat('a', 64), 1, 'storage://parsed/a.txt')",
        [scene.job_id],
    )
    stage._conn.execute(
        "insert into upload_pipeline.provider_requests (provider, parse_job_id, kind)"
        " values ('llamacloud', 'P1', 'cancel')"
    )


def _awaited(stage: Stage, scene: Scene) -> None:
    _queued(stage, scene)
    content = awaited_delivery("of b'# kept'", scene.job_id, b"# kept", parse_job_id="P1")
    scene.ordinal = stage.call("receive_content", **content)["ordinal"]


def _parsed(stage: Stage, scene: Scene) -> None:
    _kept(stage, scene)
    stage.call("finish_content", job_id=scene.job_id, ordinal=scene.ordinal)
    stage.lease(scene, "parsed")
    stage.send(scene)


def _complete(stage: Stage, scene: Scene) -> None:
    _queued(stage, scene)
    stage.keep(scene)
    stage.call("finish_content", job_id=scene.job_id, ordinal=1)
    stage.lease(scene, "parsed")
    token = under_lease(scene.job_id, scene.lease_token)
    stage.call("advance_job", **token, code="job_completed")


def _failed(stage: Stage, scene: Scene) -> None:
    _queued(stage, scene)
    stage.report(scene, "parse_failed")


def _followed(stage: Stage, scene: Scene) -> None:
    """The job failed before its upload was confirmed, and its document has a newer one."""
    stage.report(scene, "parse_failed")
    stage.call("create_job", **new_job("a", OWNER))


def _erased(stage: Stage, scene: Scene) -> None:
    _kept(stage, scene)
    stage.call("erase_document", document_id=scene.document_id)
    path = new_job("a", OWNER)["raw_path"]
    scene.deletion = {"path": path, "tries": 0}


SCENES: dict[str, Callable[[Stage, Scene], None]] = {
    "unconfirmed": _unconfirmed,
    "uploaded": _uploaded,
    "leased": _leased,
    "expired": _expired,
    "queued": _queued,
    "missed": _missed,
    "ready": _ready,
    "awaited": _awaited,
    "kept": _kept,
    "parsed": _parsed,
    "complete": _complete,
    "failed": _failed,
    "followed": _followed,
    "erased": _erased,
}
