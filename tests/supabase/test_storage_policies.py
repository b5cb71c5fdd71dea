"""The policies that supabase/README.md shows let a user reach their own objects and no others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest

from support.commands import Database
from support.servers import ROOT
from support.supabase_project import SupabaseLike

POLICIES = re.findall(
    r"```sql\n(create policy .+?)```", (ROOT / "supabase/README.md").read_text(), re.DOTALL
)
# The columns that the policies use, and storage.foldername as Supabase Storage defines it.
STORAGE = """
create schema storage;
create table storage.objects (bucket_id text not null, name text not null);
alter table storage.objects enable row level security;
grant usage on schema storage to authenticated;
grant select, insert on storage.objects to authenticated;
create function storage.foldername(name text) returns text[] language sql immutable as $$
  select (string_to_array(name, '/'))[1 : array_length(string_to_array(name, '/'), 1) - 1]
$$;
"""
ADA, BOB = uuid4(), uuid4()


@pytest.fixture
def project_url(supabase18: SupabaseLike) -> Iterator[str]:
    with supabase18.project() as url:
        supabase18.install(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(STORAGE.encode())
            for policy in POLICIES:
                connection.execute(policy.encode())
        yield supabase18.superuser_url(url)


def signed_in(url: str, user: UUID, statement: str, *values: object) -> list[tuple[object, ...]]:
    """Run a statement with the claims of a user, as Supabase Storage does."""
    with psycopg.connect(url) as connection:
        claims = json.dumps({"sub": str(user), "role": "authenticated"})
        connection.execute("select set_config('request.jwt.claims', %s, true)", [claims])
        connection.execute("set local role authenticated")
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def test_both_policies_are_found() -> None:
    assert len(POLICIES) == 3


def test_a_user_reads_the_markdown_of_their_own_jobs_only(project_url: str) -> None:
    database = Database(project_url)
    names = {}
    for owner in (ADA, BOB):
        job_id = database.make_job(owner=owner)
        database.parse(job_id)
        [(path,)] = database.run(
            "select parsed_path from upload_pipeline.upload_jobs where job_id = %(job_id)s",
            job_id=job_id,
        )
        names[owner] = path.removeprefix("storage://parsed/")
    [folder, _] = names[ADA].split("/")
    for name in (*names.values(), f"{folder}/another.md"):
        database.run(
            "insert into storage.objects values ('parsed', %(name)s), ('raw', %(name)s)", name=name
        )
    for owner, name in names.items():
        found = signed_in(project_url, owner, "select bucket_id, name from storage.objects")
        assert found == [("parsed", name)]
    assert signed_in(project_url, uuid4(), "select name from storage.objects") == []


def test_a_user_reads_the_artifacts_of_their_own_jobs_only(project_url: str) -> None:
    database = Database(project_url)
    for owner in (ADA, BOB):
        database.run(
            "insert into upload_pipeline.artifacts"
            " (job_id, kind, attempt, sha256, bytes, path, stored_at) values"
            " (%(job_id)s, 'json', 1, repeat('a', 64), 1, %(path)s, upload_pipeline.clock())",
            job_id=database.make_job(owner=owner),
            path=f"storage://parsed/x/{owner}.json",
        )
        database.run(
            "insert into storage.objects values ('parsed', %(name)s)", name=f"x/{owner}.json"
        )
    for owner in (ADA, BOB):
        found = signed_in(project_url, owner, "select name from storage.objects")
        assert found == [(f"x/{owner}.json",)]


def test_a_user_uploads_into_their_own_folder_only(project_url: str) -> None:
    upload = "insert into storage.objects values (%s, %s)"
    signed_in(project_url, ADA, upload, "raw", f"{ADA}/file")
    for bucket, name in (("raw", f"{BOB}/file"), ("parsed", f"{ADA}/file"), ("raw", "file")):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            signed_in(project_url, ADA, upload, bucket, name)
