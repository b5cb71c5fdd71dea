"""Adopting Hookline takes minutes, and here is where they go."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import psycopg
import pytest
from versions import Hookline

from support.sender import envelope_of
from support.servers import ROOT
from support.supabase_cli import SupabaseCli
from support.supabase_project import SupabaseLike


class Stopwatch:
    def __init__(self) -> None:
        self.steps: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        start = perf_counter()
        yield
        self.steps[name] = perf_counter() - start

    def __str__(self) -> str:
        rows = [*self.steps.items(), ("all of it", sum(self.steps.values()))]
        return "\n".join(f"{name:<44}{seconds:6.1f} s" for name, seconds in rows)


async def test_a_webhook_is_applied_minutes_after_the_migrations_are_copied(
    supabase18: SupabaseLike, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = Stopwatch()
    today = Hookline(ROOT / "server", tmp_path)
    with supabase18.project() as url:
        with watch.step("supabase/ copied into a project"):
            cli = SupabaseCli(tmp_path / "project")
        with watch.step("supabase db push"):
            cli.run("db", "push", url=url)
        with watch.step("login for the receiver"), psycopg.connect(url, autocommit=True) as conn:
            name = f"endpoint_{conn.info.dbname}"
            conn.execute(f"create role {name} login password 'e' in role hookline_ingest".encode())
            database = conn.info.dbname
        start = perf_counter()
        login = supabase18.url(database, user=name, password="e")
        async with today.receiving(login, superuser=supabase18.url(database)) as sender:
            watch.steps["hookline serve"] = perf_counter() - start
            with watch.step("first job, first webhook: applied"):
                job = sender.new_job()
                code, answer = await sender.send_envelope(envelope_of(job))
            assert (code, answer["outcome"]) == (200, "applied")
            assert sender.job(job)["status"] == "parsed"
    with capsys.disabled():
        sys.stdout.write(f"\n{watch}\n")
    assert sum(watch.steps.values()) < 300
