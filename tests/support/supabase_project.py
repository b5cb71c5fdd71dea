"""A plain Postgres server with the roles of hosted Supabase, without its image and extensions.

`supabase_admin` is the superuser. `postgres` owns the databases and is not a superuser: it has
CREATEROLE, CREATEDB, BYPASSRLS and REPLICATION. tests/support/platform.psql makes what the platform
adds to a database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from urllib.parse import urlsplit

import psycopg

from support.servers import ROLES, ROOT, Server

# On the platform, supautils lets `postgres` create policies on realtime.messages without owning it.
# Plain Postgres needs membership in the owner for that, as the platform did earlier.
_RIGHTS = """
do $$
begin
  create role supabase_realtime_admin nologin noinherit;
exception
  when duplicate_object then null;
end;
$$;
grant supabase_realtime_admin to postgres;
grant anon, authenticated, service_role to postgres with admin option;
grant usage on schema auth, realtime to postgres with grant option;
grant usage, create on schema realtime to supabase_realtime_admin;
alter table realtime.messages owner to supabase_realtime_admin;
grant all on realtime.messages to postgres;
create schema extensions;
grant usage on schema extensions to public;
alter default privileges for role postgres in schema public
  grant all on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on functions to anon, authenticated, service_role;
"""


class SupabaseLike(Server):
    def __init__(self, major: int) -> None:
        super().__init__(major)
        # A session cannot rename its own role, so a second superuser does it.
        self.execute("create role renamer superuser login password 'renamer'")
        with psycopg.connect(self.url(user="renamer", password="renamer"), autocommit=True) as conn:
            conn.execute("alter role postgres rename to supabase_admin")
        self.superuser = "supabase_admin"
        self.execute(
            "drop role renamer;"
            "create role postgres login createrole createdb bypassrls replication"
            " password 'postgres';"
            'alter role postgres set search_path = "$user", public, extensions'
        )

    @cached_property
    def empty_template(self) -> str:
        """The name of a template with what the platform makes, and nothing of Hookline."""
        self._start_template("supabase_template", "template1")
        with psycopg.connect(self.url("supabase_template"), autocommit=True) as conn:
            conn.execute((ROOT / "tests/support/platform.psql").read_bytes())
            conn.execute(_RIGHTS.encode())
        return "supabase_template"

    @cached_property
    def pgtap_template(self) -> str:
        """A project with Hookline and pgTAP, whose `postgres` is in the roles that files become."""
        name = "supabase_pgtap_template"
        self._start_template(name, self.empty_template)
        self.execute(f"alter database {name} owner to postgres")
        self.install(self.as_postgres(self.url(name)))
        self._mutate(name)
        roles = ", ".join(f"hookline_{role}" for role in ROLES)
        self.execute(
            f"create extension pgtap with schema extensions; grant {roles} to postgres", name
        )
        return name

    @contextmanager
    def project(self, *, plain: bool = False) -> Iterator[str]:
        """An empty database that `postgres` owns; `plain` leaves out what the platform makes."""
        template = "template1" if plain else self.empty_template
        with self.create(template=template, owner="postgres") as url:
            yield self.as_postgres(url)

    def as_postgres(self, database_url: str) -> str:
        return self.url(_database_of(database_url), user="postgres", password="postgres")

    def superuser_url(self, database_url: str) -> str:
        return self.url(_database_of(database_url))

    def as_superuser(self, database_url: str, statement: str) -> None:
        self.execute(statement, _database_of(database_url))


def _database_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")
