"""The login role that is connected: its memberships, and what it may not look at."""

from __future__ import annotations

from typing import NamedTuple

from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from hookline.doctor.check import Check
from hookline.postgres.pool import transaction

__all__ = ["NOT_ALLOWED", "NO_VIEW", "Login", "process_of", "unseen", "who"]

# SQLSTATEs: insufficient_privilege, undefined_table.
NOT_ALLOWED = "42501"
NO_VIEW = "42P01"
_WHO = """
with recursive membership (role) as (
  select m.roleid from pg_catalog.pg_auth_members as m
    join pg_catalog.pg_roles as r on r.oid = m.member
   where r.rolname = session_user
  union
  select m.roleid from pg_catalog.pg_auth_members as m
    join membership on m.member = membership.role
)
select session_user::text as name,
       pg_catalog.current_database()::text as database,
       pg_catalog.current_setting('server_version') as version,
       pg_catalog.current_setting('server_version_num')::integer as version_number,
       pg_catalog.current_setting('server_encoding') as encoding,
       pg_catalog.current_setting('transaction_read_only')::boolean as read_only,
       pg_catalog.pg_is_in_recovery() as standby,
       exists (
         select from pg_catalog.pg_namespace as n where n.nspname = 'upload_pipeline'
       ) as has_schema,
       r.rolsuper as superuser,
       r.rolbypassrls as bypassrls,
       r.rolcreaterole as createrole,
       array(
         select h.rolname::text from membership
           join pg_catalog.pg_roles as h on h.oid = membership.role
          where h.rolname like 'hookline\\_%'
          order by h.rolname
       ) as roles
  from pg_catalog.pg_roles as r
 where r.rolname = session_user
"""


class Login(NamedTuple):
    """The role and its server. `roles` are the hookline roles that it is in, indirectly too."""

    name: str
    database: str
    version: str
    version_number: int
    encoding: str
    read_only: bool
    standby: bool
    has_schema: bool
    superuser: bool
    bypassrls: bool
    createrole: bool
    roles: list[str]


async def who(pool: AsyncConnectionPool) -> Login:
    """The role that is connected. Raises DatabaseError."""
    async with transaction(pool) as connection:
        cursor = connection.cursor(row_factory=class_row(Login))
        await cursor.execute(_WHO)
        login = await cursor.fetchone()
    assert login is not None  # noqa: S101 - every role that connects is in pg_roles
    return login


def process_of(login: Login) -> str | None:
    """The hookline role of a receiver's or a worker's login, which may read no view; else None."""
    if login.roles == ["hookline_ingest"]:
        return "hookline_ingest"
    if set(login.roles) == {"hookline_ingest", "hookline_worker"}:
        return "hookline_worker"
    return None


def unseen(login: Login, name: str, role: str) -> Check:
    """The row of a check that this login may not do. Members of `role` may."""
    if process := process_of(login):
        return Check(
            name,
            "ok",
            f"Not checked: {process} may not read this, and need not. To check it, run"
            f" `hookline doctor` as a login role in {role}.",
        )
    return Check(
        name,
        "warning",
        f"Not checked: role {login.name} may not read this. Run `hookline doctor` as a login role"
        f" in {role}.",
    )
