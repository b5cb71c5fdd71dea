"""What an operator changes stands in the history of a job or in operator_actions."""

from __future__ import annotations

from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from engine.pairs.calls import CALLS
from engine.pairs.scenes import SCENES, Scene, Stage
from support.servers import Server

GRANTED = """
select p.proname
  from pg_proc as p
  cross join lateral aclexplode(p.proacl) as granted
 where p.pronamespace = 'upload_pipeline'::regnamespace
   and granted.grantee = 'hookline_operator'::regrole
   and p.provolatile = 'v'
"""
TABLES = """
select relname from pg_class
 where relnamespace = 'upload_pipeline'::regnamespace and relkind = 'r' order by relname
"""
CONTENTS: LiteralString = (
    "select {name} as name, md5(string_agg(t::text, ',' order by t::text)) as contents"
    " from upload_pipeline.{table} as t"
)
# Applications and processes call these. A new job has an event; a file that is described again
# before its upload has only its document, and a closed group has closed_at. The last one only adds
# up counts.
RECORDED_ELSEWHERE = {"close_group", "create_job", "roll_up_activity"}
# No scene has what these change.
BEFORE = {
    "recount_statuses": "update upload_pipeline.activity_counts set count = count + 1",
    "resume_stage": "select upload_pipeline.pause_stage('uploaded', now() + interval '1 h', 'x')",
    "retry_notifications": "update upload_pipeline.notifications"
    " set run_after = null, lease_token = null, dead_at = now()",
}


def test_every_change_by_an_operator_stands_in_a_history(postgres18: Server) -> None:
    with (
        postgres18.create(template=postgres18.template) as url,
        psycopg.connect(url, autocommit=True, row_factory=dict_row) as conn,
    ):
        granted = {row["proname"] for row in conn.execute(GRANTED)} - RECORDED_ELSEWHERE
        reading = sql.SQL(" union all ").join(
            sql.SQL(CONTENTS).format(
                name=sql.Literal(row["relname"]), table=sql.Identifier(row["relname"])
            )
            for row in conn.execute(TABLES)
        )

        def contents() -> dict[str, str]:
            return {row["name"]: row["contents"] for row in conn.execute(reading)}

        stage = Stage(conn)
        unchanging, unrecorded = set(granted), set()
        for call in (call for call in CALLS if call.function in granted):
            for name in SCENES:
                scene: Scene = stage.scene(name)
                stage.put_back(scene)
                with conn.transaction(force_rollback=True):
                    if call.function in BEFORE:
                        conn.execute(BEFORE[call.function].encode())
                    before = contents()
                    try:
                        stage.call(call.function, **call.arguments(scene))
                    except psycopg.Error:
                        continue
                    after = contents()
                changed = {table for table in before if before[table] != after[table]}
                if not changed:
                    continue
                unchanging.discard(call.function)
                if not changed & {"events", "operator_actions"}:
                    unrecorded.add((call.name, name))
                break
    assert not unrecorded
    # Otherwise the test says nothing about them.
    assert not unchanging
