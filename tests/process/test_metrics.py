"""The metrics that a receiver and a worker show are those that server/README.md lists."""

from __future__ import annotations

import re
import subprocess

import psycopg
from prometheus_client.parser import text_string_to_metric_families

from hookline.postgres.pool import open_pool
from hookline.process.postgres_metrics import PostgresMetrics
from hookline.receiver.bodies import BodyBudget
from hookline.receiver.metrics import ReceiverMetrics
from hookline.worker.metrics import WorkerMetrics
from support.servers import ROOT

LISTED = re.compile(r"^\| `(hookline_\w+)(?:\{([\w, ]+)\})?` \|", re.MULTILINE)

FILL = """
select upload_pipeline.count_deliveries('[{"source": "push", "outcome": "applied", "count": 2}]');
select upload_pipeline.set_credit_cap(owner_id => null, period => 'day', credits => 40);
select upload_pipeline.pause_stage('parsed', now() + interval '1 hour', 'a test');
select upload_pipeline.receive_event('push', 'd', repeat('0', 64), 'x');
select upload_pipeline.receive_event(
  'push', 'd2', repeat('0', 64), 'x', 'parse_failed', job_id => j.job_id)
  from upload_pipeline.create_job(
    gen_random_uuid(), 'a.pdf', 'application/pdf', 1, repeat('a', 64), 'storage://raw/a') as j;
"""


def _check(exposition: bytes) -> None:
    done = subprocess.run(["promtool", "check", "metrics"], input=exposition, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


async def _expositions(url: str) -> tuple[bytes, bytes]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILL)
    async with open_pool(url, size=1, prepare_threshold=5, name="test") as pool:
        state = PostgresMetrics(pool)
        await state.read()
        receiver, worker = ReceiverMetrics(state), WorkerMetrics(state)
        receiver.count("push", "applied", 200, 0.01)
        receiver.count_drained("stored")
        receiver.watch_bodies(BodyBudget(1))
        worker.count_claimed("parsed")
        worker.count_ended("parsed", "advanced", 1)
        worker.count_notification("taken")
        return await receiver.exposition(), await worker.exposition()


async def test_each_metric_is_in_the_list_and_each_of_the_list_is_shown(database: str) -> None:
    shown: dict[str, set[str]] = {}
    for exposition in await _expositions(database):
        _check(exposition)
        for family in text_string_to_metric_families(exposition.decode()):
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = {label for sample in family.samples for label in sample.labels}
            if family.samples and not name.endswith("_created"):
                shown[name] = labels - {"le"}
    listed = {
        name: {label.strip() for label in labels.split(",")} - {""}
        for name, labels in LISTED.findall((ROOT / "server" / "README.md").read_text())
    }
    # Of the parent of several receivers only.
    del listed["hookline_processes_ended_total"]
    assert shown == listed


async def test_while_postgres_does_not_answer_the_last_numbers_stay_with_their_age(
    database: str,
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(FILL)
        async with open_pool(database, size=1, prepare_threshold=5, name="test") as pool:
            state = PostgresMetrics(pool)
            await state.read()
            before = {family.name: family.samples for family in state.collect()}
            connection.execute("drop function upload_pipeline.read_metrics()")
            await state.read()
            after = {family.name: family.samples for family in state.collect()}
    assert after["hookline_jobs"] == before["hookline_jobs"]
    [age] = after["hookline_reading_age_seconds"]
    assert age.value > before["hookline_reading_age_seconds"][0].value
