"""Two calls in two sessions, in every order that can matter, compared with one after the other.

Three interleavings, in the way of the isolation tests of Postgres (src/test/isolation):

- hold: the first call ends and keeps its transaction open, the second runs into it, the first
  commits;
- undo: the same, and the first rolls back;
- gate: a third session holds a row that the first call needs, so that the first stops in the middle
  with some of its locks; the second starts; then the row is released. Two calls that take locks in
  different orders end in a deadlock here.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from engine.pairs.calls import DECIDED_LATER, NEVER_WAITING, ROW_BY_ROW, SKIPPING, Call
from engine.pairs.scenes import Scene, Stage
from engine.races.arguments import Row

DEADLINE = 20.0
# A receiver or worker answers the sender with "later" after this: see lock_timeout.
BUSY = "55P03"

# What the third session holds in a gate. A row of a status is what a foreign key check locks too.
GATES = {
    "document": "select from upload_pipeline.documents where document_id = %(document)s for update",
    "job": "select from upload_pipeline.upload_jobs where job_id = %(job)s for update",
    "neighbour": "select from upload_pipeline.upload_jobs where job_id = %(neighbour)s for update",
    "content": "select from upload_pipeline.contents for update",
    "delivery": "select from upload_pipeline.webhook_deliveries for update",
    "deletion": "select from upload_pipeline.deletions for update",
    "artifact": "select from upload_pipeline.artifacts for update",
    "provider request": "select from upload_pipeline.provider_requests for update",
    "reservation": "select from upload_pipeline.credit_reservations for update",
    "cap": "select from upload_pipeline.credit_caps for update",
    "refusal": "select from upload_pipeline.refused_deliveries for update",
    "provider job": "select from upload_pipeline.provider_jobs for update",
    "group": "select from upload_pipeline.job_groups for update",
    "notification": "select from upload_pipeline.notifications for update",
}

# What a run leaves behind, without times, tokens and ids that are new.
_LEFT = """
select 'job' as what, j.job_id, jsonb_build_array(
         j.status, j.version, j.attempt, j.max_attempts, j.leased_by, j.upload_confirmed,
         j.parsed_path is not null, j.parsed_bytes, j.last_error ->> 'code') as told
  from upload_pipeline.upload_jobs as j
union all
select 'event', e.job_id, jsonb_build_array(e.version, e.from_status, e.to_status, e.code)
  from upload_pipeline.events as e
union all
select 'group', null, jsonb_build_array(
         g.closed_at is not null, g.announced_at is not null, g.counts)
  from upload_pipeline.job_groups as g
union all
select 'document', null, jsonb_build_array(
         d.filename, d.upload_confirmed, d.raw_path, cardinality(d.purged_paths))
  from upload_pipeline.documents as d
union all
select 'provider job', p.job_id, jsonb_build_array(p.parse_job_id, p.attempt)
  from upload_pipeline.provider_jobs as p
union all
select 'content', c.job_id, jsonb_build_array(
         c.content_sha256, c.attempt, c.path is not null, c.content is not null,
         c.stored_at is not null, c.tries)
  from upload_pipeline.contents as c
union all
select 'delivery', d.job_id, jsonb_build_array(
         d.delivery_id, d.outcome, d.times_seen, d.content_ordinal is not null)
  from upload_pipeline.webhook_deliveries as d
union all
select 'deletion', null, jsonb_build_array(d.path, d.tries)
  from upload_pipeline.deletions as d
union all
select 'artifact', a.job_id, jsonb_build_array(
         a.kind, a.name, a.attempt, a.sha256, a.bytes, a.path, a.stored_at is not null)
  from upload_pipeline.artifacts as a
union all
select 'provider request', null, jsonb_build_array(
         r.provider, r.parse_job_id, r.kind, r.tries, r.run_after is null, r.result, r.last_error)
  from upload_pipeline.provider_requests as r
union all
select 'cap', null, jsonb_build_array(c.scope, c.owner_id, c.period, c.credits, c.used)
  from upload_pipeline.credit_caps as c
union all
select 'reservation', r.job_id, jsonb_build_array(
         r.attempt, r.ordinal, r.owner_id, r.reserved, r.billed, r.settled_at is not null)
  from upload_pipeline.credit_reservations as r
union all
select 'refused', null, jsonb_build_array(r.source, r.reason, sum(r.count))
  from upload_pipeline.refused_deliveries as r
 group by r.source, r.reason
union all
select 'notification', n.job_id, jsonb_build_array(
         n.version, n.tries, n.error, n.lease_token is not null, n.taken_at is not null,
         n.dead_at is not null)
  from upload_pipeline.notifications as n
union all
select 'announced', null, jsonb_build_array(s.status)
  from upload_pipeline.statuses as s
 where s.announced_since is not null
union all
select 'pause', null, jsonb_build_array(s.status, s.paused_because)
  from upload_pipeline.statuses as s
 where s.paused_until is not null
union all
select 'provider pause', null, jsonb_build_array(p.status, p.provider, p.paused_because)
  from upload_pipeline.provider_pauses as p
"""

# Before each violation in what a run leaves behind.
_BROKEN = "BROKEN "


class Result(NamedTuple):
    """What the two calls answered, and what they left behind."""

    first: str
    second: str
    left: str


@dataclass(frozen=True)
class Finding:
    """An interleaving whose result neither order of the two calls gives."""

    scene: str
    first: str
    second: str
    interleaving: str
    result: Result
    why: str

    def __str__(self) -> str:
        return (
            f"{self.scene}: {self.first} | {self.second} ({self.interleaving}): {self.why}\n"
            f"  {self.result.first}\n  {self.result.second}\n  {self.result.left}"
        )


class Session:
    """A connection with one call under way at most, in a thread of its own."""

    def __init__(self, url: str) -> None:
        self.conn = psycopg.connect(url, row_factory=dict_row)
        self._thread = ThreadPoolExecutor(1)

    def close(self) -> None:
        self.conn.cancel()
        self._thread.shutdown()
        self.conn.close()

    def start(self, call: Call, scene: Scene) -> Future[str]:
        arguments = call.arguments(scene)
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        query = f"select * from upload_pipeline.{call.function}({named})"  # noqa: S608 - ours
        return self._thread.submit(self._answer, query.encode(), arguments)

    def _answer(self, query: bytes, arguments: Row) -> str:
        try:
            return _shown(self.conn.execute(query, arguments).fetchall())
        except psycopg.Error as error:
            return error.sqlstate or str(error)

    def end(self, *, commit: bool = True) -> str:
        """End the transaction; returns the SQLSTATE of a refused commit, or an empty text."""
        try:
            self.conn.commit() if commit else self.conn.rollback()
        except psycopg.Error as error:
            return f" at commit {error.sqlstate}"
        return ""


def _shown(rows: list[Row]) -> str:
    """An answer without its times, tokens and ids."""
    told = [
        {
            name: value
            for name, value in row.items()
            if isinstance(value, str | int | bool) and not isinstance(value, UUID)
        }
        for row in rows
    ]
    return json.dumps(told, sort_keys=True)


class Pairs:
    """Runs pairs of calls in one database, of which it needs the superuser's URL."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self._watcher = stack.enter_context(
            psycopg.connect(url, autocommit=True, row_factory=dict_row)
        )
        # A deadlock is looked for after this pause. One that is there stays there.
        name = self._watcher.info.dbname
        self._watcher.execute(f'alter database "{name}" set deadlock_timeout = 20'.encode())
        self.stage = Stage(self._watcher)
        self._sessions = [Session(url) for _ in range(3)]
        for session in self._sessions:
            stack.callback(session.close)
        self._alone: dict[tuple[str, ...], Result] = {}
        # Gates that a first call goes through without stopping.
        self._open: set[tuple[str, str, str]] = set()
        self._broken_before: dict[str, Counter[str]] = {}
        self.runs = 0

    def findings(self, scene: Scene, first: Call, second: Call) -> Iterator[Finding]:
        """Run one call into the other in each way. Returns the findings."""
        for interleaving, result in self._results(scene, first, second):
            self.runs += 1
            why = self._fault(scene, first, second, interleaving, result)
            if why:
                yield Finding(scene.name, first.name, second.name, interleaving, result, why)

    def _results(self, scene: Scene, first: Call, second: Call) -> Iterator[tuple[str, Result]]:
        # A call that is refused leaves no lock behind. It holds some only while it runs.
        if not is_refusal(self._serially(scene, first).first):
            yield "hold", self._run(scene, first, second)
            yield "undo", self._run(scene, first, second, undo=True)
        for gate in GATES:
            if (scene.name, first.name, gate) not in self._open:
                result = self._through(gate, scene, first, second)
                if result is not None:
                    yield f"gate: {gate}", result

    def _run(self, scene: Scene, first: Call, second: Call, *, undo: bool = False) -> Result:
        self.stage.put_back(scene)
        one, two, _ = self._sessions
        answer = one.start(first, scene).result(DEADLINE)
        waiting = two.start(second, scene)
        waited = self._until_blocked(two, waiting)
        answer += one.end(commit=not undo and not is_refusal(answer))
        late = waiting.result(DEADLINE)
        late += two.end(commit=not is_refusal(late))
        if waited and second.function in NEVER_WAITING:
            late += " waited"
        return Result(answer, late, self._left(scene, second))

    def _through(self, gate: str, scene: Scene, first: Call, second: Call) -> Result | None:
        """Stop the first call at a row. None if it does not need that row."""
        self.stage.put_back(scene)
        one, two, keeper = self._sessions
        ids = {
            "document": scene.document_id,
            "job": scene.job_id,
            "neighbour": scene.neighbour_id,
        }
        keeper.conn.execute(GATES[gate].encode(), ids)
        calls = {one: one.start(first, scene)}
        if not self._until_blocked(one, calls[one]):
            keeper.end(commit=False)
            one.end(commit=False)
            self._open.add((scene.name, first.name, gate))
            return None
        calls[two] = two.start(second, scene)
        self._until_blocked(two, calls[two])
        keeper.end(commit=False)
        answers: dict[Session, str] = {}
        until = time.monotonic() + DEADLINE
        while len(answers) < 2:
            assert time.monotonic() < until, "neither call ends"
            for session, future in calls.items():
                if session not in answers and future.done():
                    answer = future.result()
                    answers[session] = answer + session.end(commit=not is_refusal(answer))
            time.sleep(0.0005)
        return Result(answers[one], answers[two], self._left(scene, second))

    def _until_blocked(self, session: Session, future: Future[str]) -> bool:
        """Wait until a call is done or waits for a lock; returns whether it waits."""
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until:
            if future.done():
                return False
            row = self._watcher.execute(
                "select cardinality(pg_blocking_pids(%s)) > 0 as blocked",
                [session.conn.info.backend_pid],
            ).fetchone()
            if row and row["blocked"]:
                return True
            time.sleep(0.0005)
        raise AssertionError("a call neither ends nor waits for a lock")

    def _serially(self, scene: Scene, *calls: Call) -> Result:
        """One call after the other, each committed."""
        key = (scene.name, *(call.name for call in calls))
        if key not in self._alone:
            self.stage.put_back(scene)
            answers = []
            for call, session in zip(calls, self._sessions, strict=False):
                answer = session.start(call, scene).result(DEADLINE)
                answers.append(answer + session.end(commit=not is_refusal(answer)))
            first, second = [*answers, ""][:2]
            self._alone[key] = Result(first, second, self._left(scene, calls[-1]))
        return self._alone[key]

    def _broken_in(self, scene: Scene) -> Counter[str]:
        """The violations in a scene before any call."""
        if scene.name not in self._broken_before:
            self.stage.put_back(scene)
            self._broken_before[scene.name] = Counter(self._violations())
        return self._broken_before[scene.name]

    def _violations(self) -> list[str]:
        rows = self._watcher.execute(
            "select violation from upload_pipeline.check_integrity()"
        ).fetchall()
        return [row["violation"] for row in rows]

    def _left(self, scene: Scene, last: Call) -> str:
        """What is left, and what is broken. Calls that skip locked rows are repeated first."""
        if last.function in SKIPPING:
            again = self._sessions[2]
            answer = again.start(last, scene).result(DEADLINE)
            again.end(commit=not is_refusal(answer))
        broken = self._violations()
        known = {scene.job_id: "job", scene.neighbour_id: "neighbour"}
        rows = self._watcher.execute(_LEFT.encode()).fetchall()
        left = sorted(
            f"{row['what']} {known.get(row['job_id'], 'new') if row['job_id'] else ''}"
            f" {json.dumps(row['told'])}"
            for row in rows
        )
        return "; ".join([*(f"{_BROKEN}{violation}" for violation in broken), *left])

    def _fault(
        self, scene: Scene, first: Call, second: Call, interleaving: str, result: Result
    ) -> str | None:
        """What is wrong with a result, or None."""
        for answer in (result.first, result.second):
            if is_refusal(answer) and not answer.startswith("UP") and answer != BUSY:
                return f"SQLSTATE {answer}"
        if result.second.endswith(" waited"):
            return "it waits"
        if interleaving == "undo" and not is_refusal(result.first):
            alone = self._serially(scene, second)
            allowed = [Result(result.first, alone.first, alone.left)]
        else:
            there = self._serially(scene, first, second)
            back = self._serially(scene, second, first)
            allowed = [there, Result(back.second, back.first, back.left)]
        is_busy = any(BUSY in answer for answer in (result.first, result.second))
        # What is broken in the scene stays so, if the call that would mend it was busy.
        excused = [self._broken_in(scene)] if is_busy else []
        excused += [_broken(one.left) for one in allowed]
        if not any(_broken(result.left) <= one for one in excused):
            return "check_integrity finds something"
        functions = frozenset({first.function, second.function})
        if is_busy or functions & ROW_BY_ROW or functions in DECIDED_LATER:
            return None
        if functions & SKIPPING:
            return None if any(result.left == one.left for one in allowed) else "left otherwise"
        return None if result in allowed else "no order of the two gives this"


def _broken(left: str) -> Counter[str]:
    """The violations in what a run left behind."""
    told = left.split("; ")
    return Counter(one.removeprefix(_BROKEN) for one in told if one.startswith(_BROKEN))


def is_refusal(answer: str) -> bool:
    """Whether an answer is an SQLSTATE, and not rows."""
    return not answer.startswith("[")
