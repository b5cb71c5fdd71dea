"""Check whether Postgres lets this process do its work: before it starts, and for readiness."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
import structlog

from hookline.postgres.connecting import Unreachable, first_connection
from hookline.postgres.pool import CALL_TIMEOUT
from hookline.settings import ConfigurationError

__all__ = ["Needs", "require_login"]

log = structlog.get_logger("hookline.process")

_QUESTION = """
select pg_catalog.current_database(), session_user::text,
  pg_catalog.to_regnamespace('upload_pipeline') is not null,
  array(
    select name from pg_catalog.unnest(%(functions)s::text[]) as name
     where not exists (
       select from pg_catalog.pg_proc as p
        where p.pronamespace = pg_catalog.to_regnamespace('upload_pipeline') and p.proname = name
     )
  ),
  array(
    select p.proname::text from pg_catalog.pg_proc as p
     where p.pronamespace = pg_catalog.to_regnamespace('upload_pipeline')
       and p.proname = any(%(functions)s::text[])
       and not (
         pg_catalog.has_schema_privilege(p.pronamespace, 'usage')
         and pg_catalog.has_function_privilege(p.oid, 'execute')
       )
     order by p.proname
  ),
  array(
    select name from pg_catalog.unnest(%(views)s::text[]) as name
     where pg_catalog.to_regclass('upload_pipeline.' || name) is null
  ),
  coalesce(pg_catalog.pg_has_role(session_user, pg_catalog.to_regrole(%(role)s), 'member'), false)
"""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a process needs of schema upload_pipeline: functions that members of `role` may call.

    With `views` it reads these, and the login has to be a member of `role`. `who` is the word for
    the process in sentences, `command` what starts it, `variable` has its login.
    """

    who: str
    command: str
    role: str
    functions: Sequence[str] = ()
    views: Sequence[str] = ()
    variable: str = "DATABASE_URL"

    async def fault(self, connection: psycopg.AsyncConnection) -> str | None:
        """A sentence about what is missing in this database or to this login role, or None."""
        cursor = await connection.execute(
            _QUESTION,
            {
                "functions": list(self.functions),
                "views": list(self.views),
                "role": self.role,
            },
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - an aggregate without a group
        database, login, has_schema, absent, refused, unseen, is_member = row
        if not has_schema:
            return f"Database {database} does not have Hookline: run `hookline migrate`."
        if absent or unseen:
            kind = "function" if absent else "view"
            return (
                f"Database {database} has another version of Hookline, without the {kind}"
                f" {(absent or unseen)[0]}: run `hookline migrate`, or the `{self.command}` of that"
                " version."
            )
        if refused:
            return (
                f"The login role {login} of {self.variable} may not call {refused[0]}, which"
                f" `{self.command}` needs: as an administrator, run"
                f" `grant {self.role} to {login}`."
            )
        if self.views and not is_member:
            return (
                f"The login role {login} of {self.variable} may not read the views: as an"
                f" administrator, run `grant {self.role} to {login}`, or grant hookline_operator"
                " to it, whose members may also act."
            )
        return None


async def require_login(conninfo: str, needs: Needs) -> None:
    """Connect once, before the start. Raises ConfigurationError if the process could never work.

    Returns if Postgres is away or hangs: then the process starts, and works once Postgres is back.
    """
    try:
        async with (
            asyncio.timeout(CALL_TIMEOUT),
            await first_connection(conninfo, f"hookline-{needs.who}") as connection,
        ):
            fault = await needs.fault(connection)
    except (Unreachable, psycopg.Error, TimeoutError) as error:
        log.warning("postgres_away", reason=str(error) or type(error).__name__)
        return
    if fault is not None:
        raise ConfigurationError(fault)
