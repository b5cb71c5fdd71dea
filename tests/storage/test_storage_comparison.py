"""`hookline doctor --storage` finds objects that only the storage or only the database has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from fakes.supabase_storage import Bucket, Object, SupabaseImitation, jwt
from hookline.doctor.check import Check
from hookline.doctor.report import examine
from hookline.doctor.storage_comparison import GRACE, Comparison
from hookline.postgres.pool import open_pool
from hookline.postgres.views import KnownObject, Views
from hookline.settings import Settings
from hookline.storage.files import FileStorage
from hookline.storage.opening import open_storage
from support.servers import ROOT

OLD = datetime.now(UTC) - 2 * GRACE


class Jobs:
    """Parsed jobs, in the database and in Supabase."""

    def __init__(self, database: str, supabase: SupabaseImitation) -> None:
        self._database = database
        self._supabase = supabase

    def run(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._database, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def kept(self, content: bytes = b"# x") -> tuple[str, str]:
        """The id and the path of a job whose content waits for storage."""
        [(job_id,)] = self.run(
            "select job_id from upload_pipeline.create_job(owner_id => %(owner)s, mime => 'a/b',"
            " filename => 'a', bytes_len => 3, file_sha256 => repeat('a', 64),"
            " raw_path => 'storage://raw/a')",
            owner=uuid4(),
        )
        [(path,)] = self.run(
            "select path from upload_pipeline.receive_content(source => 'llamaparse',"
            " delivery_id => %(job_id)s::text, body_sha256 => repeat('0', 64),"
            " event_type => 'parsed', job_id => %(job_id)s, content => %(content)s)",
            job_id=job_id,
            content=content,
        )
        return str(job_id), path

    def parsed(self, content: bytes = b"# x") -> tuple[str, str]:
        """The id and the path of a job whose content is stored."""
        job_id, path = self.kept(content)
        self.put(path, content)
        self.run("select upload_pipeline.finish_content(%(job_id)s, 1)", job_id=job_id)
        return job_id, path

    def put(self, path: str, content: bytes, modified: datetime = OLD) -> None:
        key = path.removeprefix("storage://parsed/")
        self._supabase.objects["parsed", key] = Object(content, "text/markdown", modified)

    def lose(self, path: str) -> None:
        del self._supabase.objects["parsed", path.removeprefix("storage://parsed/")]


@pytest.fixture
def jobs(database: str, supabase: SupabaseImitation) -> Jobs:
    return Jobs(database, supabase)


@pytest.fixture
def examined(supabase: SupabaseImitation, login: Callable[[str], str]) -> Any:
    async def examined(role: str = "reader", **changes: Any) -> dict[str, list[Check]]:
        settings = supabase.settings(database_url=login(role), **changes)
        checks: dict[str, list[Check]] = {}
        async for check in examine(settings, integrity=False, compare=True):
            checks.setdefault(check.name, []).append(check)
        return checks

    return examined


async def test_without_differences_it_says_how_much_was_compared(
    jobs: Jobs, examined: Any, supabase: SupabaseImitation
) -> None:
    for number in range(3):
        jobs.parsed(b"%d" % number)
    checks = await examined()
    assert checks["storage"][0].state == "ok"
    assert checks["comparison"] == [
        Check(
            "comparison",
            "ok",
            "3 objects in storage compared with 3 in the database: no difference.",
        )
    ]
    assert len(supabase.objects) == 3, "the probe was deleted"


async def test_an_object_of_no_job_is_a_warning(jobs: Jobs, examined: Any) -> None:
    jobs.parsed()
    jobs.put("storage://parsed/nobody/s object.md", b"lost")
    checks = await examined()
    [orphan] = checks["orphaned"]
    assert orphan.state == "warning"
    assert orphan.sentence.startswith("storage://parsed/nobody/s object.md (4 bytes) belongs to no")
    assert [(one.state, one.sentence) for one in checks["comparison"]] == [
        ("warning", "2 objects in storage compared with 1 in the database: 1 orphaned.")
    ]


async def test_an_object_younger_than_the_grace_period_is_not_reported(
    jobs: Jobs, examined: Any
) -> None:
    jobs.put("storage://parsed/doctor/probe.md", b"x", datetime.now(UTC))
    assert "orphaned" not in await examined()


async def test_objects_of_purged_and_erased_jobs_are_known(jobs: Jobs, examined: Any) -> None:
    jobs.parsed()
    _, erased = jobs.parsed()
    jobs.run("select upload_pipeline.erase_document(%(id)s)", id=erased.split("/")[3])
    job_id, _ = jobs.parsed()
    jobs.run("select upload_pipeline.cancel_job(%(job_id)s)", job_id=job_id)
    jobs.run("select upload_pipeline.purge(interval '0', least_age => '0')")
    checks = await examined()
    assert [one.state for one in checks["comparison"]] == ["ok"]


async def test_a_missing_object_of_a_job_is_a_fault(jobs: Jobs, examined: Any) -> None:
    job_id, path = jobs.parsed()
    jobs.parsed()
    jobs.lose(path)
    checks = await examined()
    [missing] = checks["missing"]
    assert missing.state == "fault"
    assert missing.sentence.startswith(f"{path} of job {job_id} is not there. Restore it")
    assert checks["comparison"][0].sentence.endswith("2 in the database: 1 missing.")


async def test_content_that_waits_for_storage_is_not_missing(jobs: Jobs, examined: Any) -> None:
    _, path = jobs.kept(b"whole")
    jobs.kept(b"not there at all")
    jobs.put(path, b"of an earlier try")
    checks = await examined()
    assert checks["comparison"][0].sentence == (
        "1 object in storage compared with 0 in the database: no difference."
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"# longer", "8 bytes instead of 3"), (b"# y", "SHA-256 ")],
)
async def test_an_object_with_other_bytes_than_stored_is_a_fault(
    jobs: Jobs, examined: Any, content: bytes, told: str
) -> None:
    job_id, path = jobs.parsed(b"# x")
    jobs.put(path, content)
    [different] = (await examined())["different"]
    assert different.state == "fault"
    assert f"{path} of job {job_id} is not what was stored ({told}" in different.sentence


async def test_only_objects_of_the_right_size_are_downloaded(
    jobs: Jobs, examined: Any, supabase: SupabaseImitation
) -> None:
    _, right = jobs.parsed(b"# x")
    _, wrong = jobs.parsed(b"# y")
    jobs.put(wrong, b"# longer")
    jobs.put("storage://parsed/orphan.md", b"# z")
    await examined()
    read = [one for one in supabase.requests if one.startswith("GET /object/")]
    assert read == [f"GET /object/parsed/{right.removeprefix('storage://parsed/')}"]


async def test_an_object_stored_or_erased_during_the_comparison_is_no_difference(
    jobs: Jobs, supabase: SupabaseImitation, login: Callable[[str], str]
) -> None:
    class Meanwhile(Views):
        """The database of a busy receiver: it changes after the storage was listed."""

        async def stored_after(self, path: str, *, limit: int) -> list[KnownObject]:
            if path:
                return await super().stored_after(path, limit=limit)
            jobs.parsed(b"stored meanwhile")
            _, erased = jobs.parsed(b"erased meanwhile")
            rows = await super().stored_after(path, limit=limit)
            jobs.run("select upload_pipeline.erase_document(%(id)s)", id=erased.split("/")[3])
            jobs.lose(erased)
            return rows

    pool = open_pool(login("reader"), size=1, prepare_threshold=5, name="test")
    async with open_storage(supabase.settings()) as storage, pool:
        comparison = Comparison(storage, Meanwhile(pool), datetime.now(UTC), lambda told: None)
        assert [one async for one in comparison.differences()] == []
    assert (comparison.objects, comparison.jobs) == (0, 2)


async def test_more_than_a_batch_is_compared_on_both_sides(
    database: str, login: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookline.doctor.storage_comparison._BATCH", 7)
    jobs = Jobs(database, SupabaseImitation())
    storage = FileStorage(tmp_path)
    paths = []
    for number in range(30):
        job_id, path = jobs.parsed(b"%d" % number)
        paths.append((path, job_id))
        if number % 10:
            await storage.write(path, b"%d" % number)
    told: list[str] = []
    async with open_pool(login("reader"), size=1, prepare_threshold=5, name="test") as pool:
        comparison = Comparison(storage, Views(pool), datetime.now(UTC), told.append)
        found = [one async for one in comparison.differences()]
    assert {(one.kind, one.path, str(one.job_id)) for one in found} == {
        ("missing", path, job_id) for path, job_id in paths[::10]
    }
    assert (comparison.objects, comparison.jobs) == (27, 30)
    assert "Comparing storage: 27 objects read" in told


async def test_a_storage_that_cannot_be_compared_is_reported(
    examined: Any, jobs: Jobs, supabase: SupabaseImitation
) -> None:
    [told] = (await examined("ingest"))["comparison"]
    assert told.state == "fault"
    assert "`hookline doctor --storage` as a login role in hookline_reader" in told.sentence

    jobs.run("drop view upload_pipeline.stored_objects")
    jobs.put("storage://parsed/a.md", b"x")
    [told] = (await examined())["comparison"]
    assert (told.state, told.sentence) == (
        "fault",
        "Not compared: the database is older. Run `hookline migrate`.",
    )


async def test_the_storage_row_shows_what_the_storage_check_found(
    examined: Any, supabase: SupabaseImitation
) -> None:
    checks = await examined(supabase_service_role_key=jwt(role="anon"))
    [told] = checks["storage"]
    assert told.state == "fault"
    assert told.sentence.startswith("An object cannot be written to supabase://parsed and deleted:")
    assert "is a key of role anon" in told.sentence
    assert "comparison" not in checks, "it would repeat the same error"

    supabase.buckets["parsed"] = Bucket(["image/png"])
    [told] = (await examined())["storage"]
    assert "bucket parsed does not take text/markdown" in told.sentence


async def test_what_an_interrupted_write_left_is_a_warning(
    jobs: Jobs, login: Callable[[str], str], tmp_path: Path
) -> None:
    left = tmp_path / "parsed/~hookline/of-another-boot.0"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"a text")
    os.utime(left, (OLD.timestamp(), OLD.timestamp()))
    given: Any = {"database_url": login("reader"), "storage_url": tmp_path.as_uri()}
    settings = Settings(**given)
    checks = {one.name: one async for one in examine(settings, integrity=False, compare=True)}
    assert checks["unfinished"].state == "warning"
    assert checks["unfinished"].sentence.startswith(f"{left} (6 bytes of ")
    assert checks["comparison"].state == "warning"
    assert checks["comparison"].sentence.endswith("0 in the database: 1 unfinished.")


def test_the_table_is_bounded_and_json_is_not(login: Callable[[str], str], tmp_path: Path) -> None:
    directory = tmp_path / "objects/parsed/nobody"
    directory.mkdir(parents=True)
    for number in range(25):
        file = directory / f"{number}.md"
        file.touch()
        os.utime(file, (OLD.timestamp(), OLD.timestamp()))

    def doctor(*options: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "hookline", "doctor", "--quick", "--storage", *options],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT / "server"),
                "DATABASE_URL": login("reader"),
                "HOOKLINE_STORAGE_URL": (tmp_path / "objects").as_uri(),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
        return done

    table = [line.split() for line in doctor().stdout.splitlines()]
    assert sum(words[:2] == ["orphaned", "warning"] for words in table) == 20
    assert "orphaned 5 more: `hookline doctor --json` prints all." in map(" ".join, table)
    found = [json.loads(line) for line in doctor("--json").stdout.splitlines()]
    assert sum(check["name"] == "orphaned" for check in found) == 25
