"""What thin deliveries cost Postgres, counted: so that no statement, key check or lock creeps in.

auto_explain reports every statement that a call runs, those of its triggers and keys included.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Json

from engine.races.arguments import new_job, sha
from support.servers import Server

_MAKE = """
select upload_pipeline.record_submission(j.job_id, 1, %(parse_job_id)s)
  from upload_pipeline.create_job(
    owner_id => %(owner_id)s, filename => %(filename)s, mime => %(mime)s,
    bytes_len => %(bytes_len)s, file_sha256 => %(file_sha256)s,
    raw_path => %(raw_path)s
  ) as j
"""
_UPLOAD = """
select upload_pipeline.confirm_upload(j.job_id, %(bytes_len)s, %(file_sha256)s)
  from upload_pipeline.create_job(
    owner_id => %(owner_id)s, filename => %(filename)s, mime => %(mime)s,
    bytes_len => %(bytes_len)s, file_sha256 => %(file_sha256)s,
    raw_path => %(raw_path)s
  ) as j
"""
_CLAIM = b"select job_id, lease_token from upload_pipeline.claim_jobs('uploaded', 'w', 4)"
_CALL = b"""
select outcome from upload_pipeline.receive_events(array(
  select d from json_populate_recordset(null::upload_pipeline.delivery, %s::json) as d))
"""
_REPORT = """
load 'auto_explain';
set auto_explain.log_min_duration = 0;
set auto_explain.log_nested_statements = on;
set client_min_messages = log;
"""

# Key checks of one applied delivery, by the table whose row is locked `for key share`.
KEY_CHECKS = {"event_codes": 2, "statuses": 1, "transitions": 1, "upload_jobs": 2}
# The statements of two triggers: the event leads to the status, and the status to the event.
TRIGGERS = 2
# The call; its isolation; the jobs; what is judged; the steps, their events and jobs; deliveries;
# the counts of the steps.
FOR_EACH_CALL = 9
# Which deliveries share a document, asked only of several.
FOR_SEVERAL = 1


class World:
    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn
        self.made = 0
        self.statements: list[str] = []
        conn.add_notice_handler(lambda notice: self.statements.append(notice.message_primary or ""))

    def deliveries(self, count: int) -> Json:
        """Deliveries that each apply to a new job."""
        rows = []
        for _ in range(count):
            self.made += 1
            provider_job = f"p-{self.made}"
            arguments = new_job(f"file-{self.made}")
            self.conn.execute(_MAKE.encode(), {**arguments, "parse_job_id": provider_job})
            rows.append(
                {
                    "source": "llamacloud",
                    "delivery_id": f"d-{self.made}",
                    "body_sha256": sha("x"),
                    "event_type": "parse.success",
                    "code": "parse_ready",
                    "parse_job_id": provider_job,
                    "payload": {},
                }
            )
        return Json(rows)

    def receive(self, deliveries: Json) -> list[str]:
        return [outcome for (outcome,) in self.conn.execute(_CALL, [deliveries])]

    def count(self, deliveries: Json) -> Counter[str]:
        """Statements of one call by kind: the key checks by table, and all others."""
        self.conn.execute(_REPORT)
        self.statements.clear()
        assert set(self.receive(deliveries)) == {"applied"}
        counted: Counter[str] = Counter()
        for statement in self.statements:
            if "plan:" not in statement:
                continue
            _, locks, rest = statement.partition('SELECT 1 FROM ONLY "upload_pipeline"."')
            counted[rest.partition('"')[0] if locks else "other"] += 1
        self.conn.execute("set auto_explain.log_min_duration = -1")
        return counted


@pytest.fixture
def world(postgres: Server) -> Iterator[World]:
    with (
        postgres.create(template=postgres.template) as url,
        psycopg.connect(url, autocommit=True) as conn,
    ):
        yield World(conn)


@pytest.mark.parametrize("announcing", [False, True])
@pytest.mark.parametrize("count", [1, 8])
def test_a_call_runs_few_statements_and_a_delivery_few_key_checks(
    world: World, count: int, announcing: bool
) -> None:
    """The status of these deliveries is not announced, so announcements cost them nothing."""
    if announcing:
        world.conn.execute("select upload_pipeline.start_announcing()")
    world.receive(world.deliveries(count))
    counted = world.count(world.deliveries(count))
    for_call = FOR_EACH_CALL + (FOR_SEVERAL if count > 1 else 0)
    assert counted == {
        "other": for_call + TRIGGERS * count,
        **{table: checks * count for table, checks in KEY_CHECKS.items()},
    }


def test_an_announced_delivery_adds_one_key_check(world: World) -> None:
    world.conn.execute("select upload_pipeline.start_announcing()")
    failures = Json([{**row, "code": "parse_failed"} for row in world.deliveries(8).obj])
    world.receive(Json([{**row, "code": "parse_failed"} for row in world.deliveries(8).obj]))
    counted = world.count(failures)
    assert counted == {
        "other": FOR_EACH_CALL + FOR_SEVERAL + TRIGGERS * 8,
        "events": 8,
        **{table: checks * 8 for table, checks in KEY_CHECKS.items()},
    }
    assert world.conn.execute("select count(*) from upload_pipeline.notifications").fetchall() == [
        (16,)
    ]


def test_a_delivery_writes_little_wal_and_one_row_of_each_table(world: World) -> None:
    world.receive(world.deliveries(8))
    deliveries = world.deliveries(64)
    [(before,)] = world.conn.execute("select pg_current_wal_insert_lsn()")
    world.receive(deliveries)
    [(written,)] = world.conn.execute(
        "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)", [before]
    )
    print(f"{written / 64:.0f} bytes of WAL a delivery")  # noqa: T201
    assert written / 64 < 1800, f"{written / 64:.0f} bytes a delivery"


def test_no_call_scans_a_table_however_small_it_was_when_the_session_began(world: World) -> None:
    """A plan that was made for an empty table would scan a full one."""
    world.conn.execute("vacuum analyze")
    world.receive(world.deliveries(8))
    scans = (
        b"select relname, seq_scan from pg_stat_xact_user_tables where relname in"
        b" ('webhook_deliveries', 'upload_jobs', 'events', 'provider_jobs', 'documents')"
    )
    deliveries = world.deliveries(8)
    with world.conn.transaction():
        # Those of earlier transactions are not reported to the server yet.
        before = world.conn.execute(scans).fetchall()
        world.receive(deliveries)
        assert world.conn.execute(scans).fetchall() == before


def test_no_plan_is_so_expensive_that_postgres_compiles_it(world: World) -> None:
    """A plan that needs what its function switches off has a cost of 10^10 before Postgres 18.

    Above jit_above_cost Postgres compiles a statement, which takes longer than running it.
    """
    deliveries = world.deliveries(8)
    for n in range(4):
        world.conn.execute(_UPLOAD.encode(), new_job(f"claimed-{n}"))
    world.conn.execute(_REPORT)
    world.statements.clear()
    world.receive(deliveries)
    claimed = world.conn.execute(_CLAIM).fetchall()
    assert claimed
    job_ids, tokens = zip(*claimed, strict=True)
    world.conn.execute(
        "select * from upload_pipeline.advance_jobs(%s, %s, %s, %s::jsonb[])",
        [list(job_ids), list(tokens), ["parse_started"] * len(claimed), [Json({})] * len(claimed)],
    )
    plans = "".join(world.statements)
    costs = [float(cost) for cost in re.findall(r"cost=[0-9.]+[.][.]([0-9.]+)", plans)]
    assert len(costs) > 50
    assert max(costs) < 100_000
