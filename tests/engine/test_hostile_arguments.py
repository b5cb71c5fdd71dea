"""Every argument of every granted function, with values that nobody should pass.

The functions are read from the catalogue, so a new one is tried without being named here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from engine.races.arguments import (
    ERROR,
    Row,
    claim,
    content_delivery,
    event_delivery,
    new_job,
    upload,
)
from support.servers import Server

# The class says whose a refusal is: UP is ours, with a hint. 55P03 is a lock that was not had.
LOCK_NOT_AVAILABLE = "55P03"

FUNCTIONS = """
select p.oid::regproc::text as function,
       coalesce(p.proargnames[1:p.pronargs], '{}') as names,
       array(select format_type(t, null) from unnest(p.proargtypes) with ordinality as a (t, n)
              order by a.n) as types
  from pg_proc as p
 where p.pronamespace in ('upload_pipeline'::regnamespace, to_regnamespace('hookline_api'))
   and p.prorettype <> 'trigger'::regtype
   and exists (select from aclexplode(p.proacl) as a where a.grantee <> p.proowner)
 order by 1, p.pronargs
"""

DEEP = '{"a":' * 500 + "1" + "}" * 500
TEXTS = [
    *("", " ", "x", "x" * 201, "x" * 100_000, "a\nb", "\x7f", "\x01", "é\u200b\U0001f600\u202e"),
    *("'; drop table x; --", "%s %1$s", "storage://", "storage://raw/../x", "storage://raw/a b"),
    *("NULL", "infinity", "parsed", "day", "0" * 64, "pj", "application/pdf", "llamacloud"),
]
VALUES: dict[str, list[str | bytes | None]] = {
    "text": [None, *TEXTS],
    "uuid": [None, str(UUID(int=0)), str(UUID(int=2**128 - 1)), str(UUID(int=1))],
    "boolean": [None, "t", "f"],
    "integer": [None, "0", "-1", "1", "2", "2147483647", "-2147483648"],
    "bigint": [None, "0", "-1", "1", "9223372036854775807", "-9223372036854775808"],
    "numeric": [
        *(None, "0", "-1", "1.5", "NaN", "Infinity", "-Infinity", "1e131071", "-1e131071"),
        *("1e12", "1e-16000"),
    ],
    "timestamp with time zone": [
        *(None, "infinity", "-infinity", "4713-01-01 BC", "294276-12-31", "2026-01-01", "epoch"),
    ],
    "interval": [
        *(None, "0", "-1 day", "1 microsecond", "90", "90 days", "178000000 years"),
        *("-178000000 years", "1 month -30 days"),
    ],
    "jsonb": [
        *(None, "null", "[]", '"x"', "1e400", "{}", '{"code": "a", "error": "b"}', DEEP),
        *(
            '{"code": "", "error": "x"}',
            '{"code": "a b", "error": "x"}',
            '{"code": "a", "error": 1}',
        ),
        *('{"code": {}, "error": []}', '{"code": "a", "error": "' + "x" * 20_000 + '"}'),
    ],
    "bytea": [None, b"", b"\0", b"\xff" * 100_000],
    **{
        kind: [None, "{}", "{NULL}", "[0:0]={NULL}", "{{NULL,NULL},{NULL,NULL}}"]
        for kind in ("uuid[]", "text[]", "jsonb[]", "interval[]", "boolean[]")
    },
    "upload_pipeline.delivery[]": [
        *(None, "{}", "{NULL}", '{"(,,,,,,,,,,)"}', '[0:1]={NULL,"(a,b,,,,,,,,,)"}'),
        "{{NULL,NULL},{NULL,NULL}}",
    ],
}
# Of these a wrong value is another one than of their type's in general.
WORDS: dict[str, list[str]] = {
    "status": ["uploaded", "parse_queued", "complete", "Uploaded"],
    "code": ["parse_ready", "parse_completed", "job_created", "job_retried", "stage_failed"],
    "period": ["hour", "week"],
    "mime": ["application/pdf; a=b", "Application/PDF", "/"],
    "lease": ["1 second", "1 day", "25 hours"],
}


class Function(NamedTuple):
    name: str
    arguments: dict[str, str]


class Refusal(NamedTuple):
    sqlstate: str
    hint: str | None


class World:
    """Jobs in several states; each call is undone."""

    def __init__(self, conn: psycopg.Connection[Row]) -> None:
        self.conn = conn
        self.sane: dict[str, list[object]] = {
            "owner_id": [UUID(int=1)],
            "source": ["llamaparse"],
            "worker": ["w"],
            "code": [],
            "delivery_id": ["d1", "new"],
            "event_type": ["parsed"],
            "body_sha256": ["0" * 64],
            "parse_job_id": ["pj", "parked", "new"],
            "correlation_id": ["c"],
            "ordinal": [1, 2],
            "path": ["storage://parsed/x"],
            "reason": ["why"],
            "period": ["day"],
            "batch": [3],
            "lease": ["60 s"],
            "older_than": ["90 days"],
            "error": [ERROR],
            "attempt": [1],
            "until": ["2026-11-30"],
            "job_id": [],
            "lease_token": [],
            "document_id": [],
        }
        conn.execute(
            "create or replace function upload_pipeline.clock() returns timestamptz"
            " language sql volatile as $$ select '2026-11-26 12:00+00'::timestamptz $$"
        )
        self._make_jobs()

    def do(self, function: str, **arguments: Any) -> Row:
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        query = f"select * from upload_pipeline.{function}({named})"  # noqa: S608 - ours
        row = self.conn.execute(query.encode(), arguments).fetchone()
        assert row is not None
        return row

    def _make_jobs(self) -> None:
        ids = {}
        for name in ("unconfirmed", "waiting", "held", "queued", "kept", "unknown", "parsed"):
            ids[name] = self.do("create_job", **new_job(name))
            if name != "unconfirmed":
                self.do("confirm_upload", job_id=ids[name]["job_id"], **upload(name))
        for name in ("kept", "unknown", "parsed"):
            job_id = ids[name]["job_id"]
            content = content_delivery(f"of {name}", job_id, b"# x", recognised=name != "unknown")
            self.do("receive_content", **content)
        self.do("finish_content", job_id=ids["parsed"]["job_id"], ordinal=1)
        self.do("record_submission", job_id=ids["queued"]["job_id"], attempt=1, parse_job_id="pj")
        self.do("receive_event", **event_delivery("parked", "parse_ready", parse_job_id="parked"))
        for status in ("uploaded", "parsed"):
            self.do("claim_jobs", **claim(status, batch=2))
        query = "select job_id, lease_token from upload_pipeline.upload_jobs order by job_id"
        for row in self.conn.execute(query):
            self.sane["job_id"].append(row["job_id"])
            if row["lease_token"] is not None:
                self.sane["lease_token"].append(row["lease_token"])
        self.sane["document_id"] = [one["document_id"] for one in ids.values()]
        # A token goes with its own job.
        query = "select job_id from upload_pipeline.upload_jobs where lease_token = %s"
        self.held = [
            (self.conn.execute(query, [token]).fetchall()[0]["job_id"], token)
            for token in self.sane["lease_token"]
        ]

    def functions(self) -> list[Function]:
        return [
            Function(row["function"], dict(zip(row["names"], row["types"], strict=True)))
            for row in self.conn.execute(FUNCTIONS.encode())
        ]

    def sane_values(self, function: Function, rng: random.Random) -> Row:
        values: Row = {}
        for name, of_type in function.arguments.items():
            choices: list[Any] = self.sane.get(name) or [*VALUES[of_type]]
            values[name] = rng.choice(choices)
        if "lease_token" in values:
            values["job_id"], values["lease_token"] = rng.choice(self.held)
        return values

    def refusal(self, function: Function, values: Row) -> Refusal | None:
        """What a call is refused with, at once or at commit."""
        named = ", ".join(
            f"{name} => %({name})s::{of_type}" for name, of_type in function.arguments.items()
        )
        query = f"select * from {function.name}({named})"  # noqa: S608 - ours
        with self.undone():
            try:
                self.conn.execute(query.encode(), values)
                self.conn.execute("set constraints all immediate")
            except psycopg.Error as error:
                return Refusal(error.sqlstate or str(error), error.diag.message_hint)
        return None

    @contextmanager
    def undone(self) -> Iterator[None]:
        self.conn.execute("begin")
        try:
            yield
        finally:
            self.conn.execute("rollback")


@pytest.fixture
def world(postgres: Server) -> Iterator[World]:
    with (
        postgres.create(template=postgres.template) as url,
        psycopg.connect(url, autocommit=True, row_factory=dict_row) as conn,
    ):
        for path in ("tests/support/platform.psql", "db/supabase/install.sql"):
            done = postgres.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", path, url)
            assert done.returncode == 0, done.stderr
        yield World(conn)


FIELDS = """
select a.attname as name, format_type(a.atttypid, null) as type
  from pg_attribute as a
 where a.attrelid = 'upload_pipeline.delivery'::regclass
 order by a.attnum
"""


def ours(refusal: Refusal | None) -> bool:
    if refusal is None or refusal.sqlstate == LOCK_NOT_AVAILABLE:
        return True
    return refusal.sqlstate.startswith("UP") and bool(refusal.hint)


def test_no_argument_of_a_granted_function_is_answered_with_an_error_of_postgres(
    world: World,
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    rng = random.Random(seed)
    functions = world.functions()
    assert len(functions) > 35
    calls, wrong = 0, []
    for function in functions:
        for name, of_type in function.arguments.items():
            for value in [*VALUES[of_type], *WORDS.get(name, [])]:
                values = {**world.sane_values(function, rng), name: value}
                refusal = world.refusal(function, values)
                calls += 1
                if not ours(refusal):
                    wrong.append((function.name, name, repr(value)[:60], refusal))
        for _ in range(25):
            values = {
                name: rng.choice([*VALUES[of_type], *WORDS.get(name, []), sane])
                for (name, of_type), sane in zip(
                    function.arguments.items(),
                    world.sane_values(function, rng).values(),
                    strict=True,
                )
            }
            refusal = world.refusal(function, values)
            calls += 1
            if not ours(refusal):
                wrong.append((function.name, "all", repr(values)[:600], refusal))
    assert wrong == [], f"seed {seed}"
    assert calls > 2000


def test_no_part_of_a_delivery_is_answered_with_an_error_of_postgres_or_harms_its_neighbour(
    world: World,
) -> None:
    fields = {row["name"]: row["type"] for row in world.conn.execute(FIELDS)}
    job_id = world.sane["job_id"][0]
    sane = {"payload": "{}", **event_delivery("new", "parse_failed", job_id=job_id)}
    neighbour = {"payload": "{}", **event_delivery("n", "parse_ready", parse_job_id="pj")}
    rows = ", ".join(
        "row({})::upload_pipeline.delivery".format(
            ", ".join(f"%({prefix}_{name})s::{kind}" for name, kind in fields.items())
        )
        for prefix in ("bad", "good")
    )
    query = f"select * from upload_pipeline.receive_events(array[{rows}])"  # noqa: S608 - ours
    for name, kind in fields.items():
        for value in [*VALUES[kind], *WORDS.get(name, [])]:
            bad, good = {**sane, name: value}, neighbour
            values = {f"bad_{field}": bad.get(field) for field in fields}
            values |= {f"good_{field}": good.get(field) for field in fields}
            with world.undone():
                answers = world.conn.execute(query.encode(), values).fetchall()
                world.conn.execute("set constraints all immediate")
            first, second = answers
            refusal = Refusal(first["sqlstate"], first["hint"])
            assert first["outcome"] or ours(refusal), (name, value, first)
            assert [first["number"], second["number"]] == [1, 2]
            assert second["outcome"] == "applied", (name, value, second)
