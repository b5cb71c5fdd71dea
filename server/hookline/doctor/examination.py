"""What is wrong, or soon will be, with a configuration, a database and a storage.

Each check is a row: its name, how it stands, and a sentence that says what to do. Nothing is
changed, but for a probe object that is written to the storage and deleted.
"""

from __future__ import annotations

import asyncio
import difflib
import functools
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Literal, NamedTuple
from uuid import uuid4

import psycopg
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from hookline.doctor.comparison import Comparison, Difference
from hookline.postgres import migrations
from hookline.postgres.connecting import CONNECT_TIMEOUT, Unreachable, connected
from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError
from hookline.postgres.migrations import MigrationError
from hookline.postgres.pool import transaction
from hookline.postgres.views import Alert, Views
from hookline.providers.configured_parser import choose_parser
from hookline.providers.local.parser import PARSER
from hookline.settings import ConfigurationError, Settings
from hookline.storage.objects import StorageError
from hookline.storage.opening import open_storage

__all__ = ["Check", "examine", "unknown_variables"]

State = Literal["ok", "warning", "fault"]

_NOT_ALLOWED = "42501"
_NO_VIEW = "42P01"
_COMPARED = "comparison"

# Each implies the roles on its right.
_IMPLIED = {
    "hookline_ingest": (),
    "hookline_worker": ("hookline_ingest",),
    "hookline_reader": (),
    "hookline_operator": ("hookline_reader",),
}
_USE = {
    "hookline_ingest": "`hookline serve`",
    "hookline_worker": "`hookline work`",
    "hookline_reader": "looking",
    "hookline_operator": "an operator",
}

# What to do about a queue that no alert is about.
_ADVICE = {
    "delivery: parked": "Nobody has recorded its provider job: call"
    " upload_pipeline.record_submission, or let it expire if it is another application's.",
    "object: to delete": "Storage refuses it: see the row storage, and storage_failed in the"
    " receiver's log.",
}
# What to do about an alert.
_REMEDIES = {
    "stage_paused": "upload_pipeline.resume_stage ends the pause, once its reason is gone.",
    "credits_spent": "upload_pipeline.set_credit_cap raises it.",
    "stage_incomplete": "Add the rows to upload_pipeline.transitions.",
    "lease_unswept": "Any `hookline work`, whatever its stages are, takes them back.",
    "jobs_overdue": "See `hookline jobs --overdue`: is a worker running? `hookline retry` sends a"
    " job back.",
    "source_silent": "Do its webhooks reach this receiver? See upload_pipeline.delivery_log.",
    "content_unstored": "Storage refuses it: see the row storage, and storage_failed in the"
    " receiver's log. Nothing is lost meanwhile.",
    "content_undecided": "Look with upload_pipeline.read_content, then accept_content or"
    " discard_content.",
}

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


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the report."""

    name: str
    state: State
    sentence: str


class _Login(NamedTuple):
    name: str
    database: str
    version: str
    version_number: int
    has_schema: bool
    superuser: bool
    bypassrls: bool
    createrole: bool
    roles: list[str]


async def examine(
    settings: Settings,
    *,
    integrity: bool = True,
    compare: bool = False,
    progress: Callable[[str], None] = lambda sentence: None,
) -> AsyncGenerator[Check, None]:
    """Every check in turn, each as soon as it is known.

    `integrity` reads every job and event once, which takes minutes where there are millions;
    `compare` reads every object of parsed content, and says by `progress` how far it is.
    """
    for check in _configuration(settings):
        yield check
    try:
        async with (
            connected(settings) as pool,
            aclosing(_database(settings, pool, integrity)) as checks,
        ):
            async for check in checks:
                yield check
    except (ConfigurationError, Unreachable) as error:
        yield Check("database", "fault", str(error))
    except DatabaseError as error:
        yield Check("database", "fault", f"Postgres failed while it was asked: {error}.")
    storage = await _storage(settings)
    yield storage
    if compare and storage.state == "ok":
        async with aclosing(_comparison(settings, progress)) as checks:
            async for check in checks:
                yield check


def unknown_variables(environment: Mapping[str, str]) -> Iterator[Check]:
    """A warning for each HOOKLINE_ variable that no setting reads: most are misspelled."""
    known = [str(field.alias) for field in Settings.model_fields.values()]
    for name in sorted(environment):
        if name.startswith("HOOKLINE_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f": did you mean {near[0]}?" if near else ": remove it."
            yield Check("configuration", "warning", f"{name} is not a setting{meant}")


def _configuration(settings: Settings) -> Iterator[Check]:
    yield Check("configuration", "ok", "Every value is valid.")
    sources = {
        f"llamaparse ({settings.llamaparse_scheme})": settings.llamaparse_secrets,
        "llamacloud": settings.llamacloud_secrets,
        "push": settings.push_secrets,
    }
    if any(sources.values()):
        counts = ", ".join(
            f"{name}: {_count(len(secrets), 'secret') if secrets else 'none, answers 401'}"
            for name, secrets in sources.items()
        )
        if settings.push_secrets and settings.public_url is None:
            counts += "; `hookline url` needs HOOKLINE_PUBLIC_URL, too"
        yield Check("sources", "ok", f"{counts}.")
    else:
        yield Check(
            "sources",
            "warning",
            "No source has a secret, so that `hookline serve` does not start: set"
            " HOOKLINE_LLAMAPARSE_SECRETS, HOOKLINE_LLAMACLOUD_SECRETS or HOOKLINE_PUSH_SECRETS.",
        )
    yield _parser(settings)


def _parser(settings: Settings) -> Check:
    """Who parses, if these are a worker's settings; and what it lacks for that."""
    choice = choose_parser(settings)
    lacks = {
        "llamacloud": [
            ("pip install 'hookline[llamacloud]'", find_spec("llama_cloud") is None),
            ("set LLAMA_CLOUD_API_KEY", settings.llama_cloud_api_key is None),
        ],
        "local": [
            (f"pip install 'hookline[local]', which brings {PARSER}", find_spec(PARSER) is None),
            ("set HOOKLINE_LLAMAPARSE_SECRETS to sign with", not settings.llamaparse_secrets),
        ],
        "none": [],
    }[choice.parser]
    if remedies := " and ".join(remedy for remedy, lacking in lacks if lacking):
        return Check(
            "parser",
            "fault",
            f"{choice.sentence} `hookline work` does not start like this: {remedies}.",
        )
    return Check("parser", "ok", choice.sentence)


async def _database(
    settings: Settings, pool: AsyncConnectionPool, integrity: bool
) -> AsyncGenerator[Check, None]:
    login = await _who(pool)
    try:
        migrations.require_supported(login.version_number)
    except MigrationError as error:
        yield Check("database", "fault", str(error))
        return
    if not login.has_schema:
        yield Check(
            "database",
            "fault",
            f"Database {login.database} (PostgreSQL {login.version}) does not have Hookline:"
            " run `hookline migrate`.",
        )
        return
    yield Check("database", "ok", f"Hookline is in {login.database}, PostgreSQL {login.version}.")
    unseen = functools.partial(_unseen, login)
    yield await asyncio.to_thread(_migrations, settings.require_database(), login)
    for check in _rights(login, receives=_receives(settings)):
        yield check
    for check in await _queues(Views(pool), unseen):
        yield check
    for check in await _alerts(Views(pool), unseen):
        yield check
    if integrity:
        for check in await _integrity(Engine(pool), unseen):
            yield check


async def _who(pool: AsyncConnectionPool) -> _Login:
    async with transaction(pool) as connection:
        cursor = connection.cursor(row_factory=class_row(_Login))
        await cursor.execute(_WHO)
        login = await cursor.fetchone()
    assert login is not None  # noqa: S101 - whoever is connected has a row in pg_roles
    return login


def _migrations(conninfo: str, login: _Login) -> Check:
    try:
        with psycopg.connect(
            conninfo, connect_timeout=CONNECT_TIMEOUT, prepare_threshold=None
        ) as connection:
            pending = migrations.pending(connection)
    except MigrationError as error:
        # A newer database is a fault; not being allowed to look is not.
        unread = isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege)
        if unread and _process_of(login):
            return _unseen(login, "migrations", "hookline_operator")
        return Check("migrations", "warning" if unread else "fault", str(error))
    except psycopg.Error as error:
        return Check("migrations", "fault", f"The history cannot be read: {type(error).__name__}.")
    if pending:
        return Check(
            "migrations",
            "fault",
            f"{_count(len(pending), 'migration')} to apply, {pending[0].version}_{pending[0].name}"
            " first: run `hookline migrate`.",
        )
    return Check("migrations", "ok", "The database is of this version of Hookline.")


def _rights(login: _Login, *, receives: bool) -> Iterator[Check]:
    chosen = [role for role in login.roles if role in _IMPLIED]
    implied = {under for role in chosen for under in _IMPLIED[role]}
    chosen = [role for role in chosen if role not in implied]

    excess = [
        words
        for words, has in (
            ("is a superuser", login.superuser),
            ("bypasses row security", login.bypassrls and not login.superuser),
            ("may create roles", login.createrole and not login.superuser),
            ("is in hookline_owner", "hookline_owner" in login.roles),
            (f"is in {' and '.join(chosen)}", len(chosen) > 1),
        )
        if has
    ]
    if excess:
        right = "hookline_ingest" if receives else "the one that its process needs"
        yield Check(
            "rights",
            "warning",
            f"Role {login.name} has rights in excess: it {', '.join(excess)}. Give each process a"
            f" login role of its own, in one hookline role alone: {right}.",
        )
    elif not chosen:
        yield Check(
            "rights",
            "fault",
            f"Role {login.name} is in no hookline role and may do nothing: as an administrator,"
            f" `grant hookline_ingest to {login.name}` for `hookline serve`, or another of"
            f" {', '.join(_IMPLIED)}.",
        )
    else:
        # A worker has the receiver's secrets, too: the local parser signs, LlamaCloud is told.
        serve = "" if chosen == ["hookline_ingest"] else "; `hookline serve` needs hookline_ingest"
        yield Check(
            "rights",
            "ok",
            f"Role {login.name} is in {chosen[0]} alone: right for {_USE[chosen[0]]}"
            f"{serve if receives else ''}.",
        )


async def _queues(views: Views, unseen: Callable[[str, str], Check]) -> list[Check]:
    try:
        queues = await views.queue_health()
    except DatabaseError as error:
        if error.sqlstate != _NOT_ALLOWED:
            raise
        return [unseen("queues", "hookline_reader")]
    # All other queues are the alerts' to judge.
    late = [queue for queue in queues if queue.overdue and queue.queue in _ADVICE]
    if not late:
        # The jobs that a source waits for stand in a status, too.
        waiting = sum(one.waiting for one in queues if not one.queue.startswith("source: "))
        return [Check("queues", "ok", f"{_count(waiting, 'piece')} of work waiting.")]
    return [
        Check(
            "queues",
            "warning",
            f"{queue.queue}: {_count(queue.overdue, 'piece')} of work too long here."
            f" {_ADVICE[queue.queue]}",
        )
        for queue in late
    ]


async def _alerts(views: Views, unseen: Callable[[str, str], Check]) -> list[Check]:
    try:
        alerts = await views.alerts()
    except DatabaseError as error:
        if error.sqlstate == _NO_VIEW:
            return [Check("alerts", "fault", "The database is older: run `hookline migrate`.")]
        if error.sqlstate != _NOT_ALLOWED:
            raise
        return [unseen("alerts", "hookline_reader")]
    if not alerts:
        return [Check("alerts", "ok", "None: no stage is paused, no job overdue.")]
    return [Check("alerts", "warning", _alerted(alert)) for alert in alerts]


def _alerted(alert: Alert) -> str:
    since = f" (since {alert.since:%Y-%m-%d %H:%M}Z)" if alert.since else ""
    remedy = _REMEDIES.get(alert.alert, "")
    return f"{alert.alert}, {alert.subject}{since}: {alert.detail}. {remedy}".rstrip()


async def _integrity(engine: Engine, unseen: Callable[[str, str], Check]) -> list[Check]:
    try:
        violations = await engine.check_integrity()
    except DatabaseError as error:
        if error.sqlstate != _NOT_ALLOWED:
            raise
        return [unseen("integrity", "hookline_operator")]
    if not violations:
        return [Check("integrity", "ok", "No invariant is violated.")]
    kinds: dict[str, list[Mapping[str, object]]] = {}
    for violation in violations:
        kinds.setdefault(str(violation["violation"]), []).append(violation)
    return [
        Check("integrity", "fault", _violated(kind, rows)) for kind, rows in sorted(kinds.items())
    ]


def _violated(kind: str, rows: list[Mapping[str, object]]) -> str:
    found = f"{kind}: {_count(len(rows), 'row')}"
    first = rows[0]
    if first["job_id"] is None:
        return (
            f"{found}, {first['detail']} first. `alter table ... enable always trigger ...` puts"
            " a guard back; db/triggers has it if it is gone."
        )
    return (
        f"{found}, job {first['job_id']} first ({first['detail']})."
        " upload_pipeline.check_integrity() names all: restore these jobs from a backup."
    )


async def _storage(settings: Settings) -> Check:
    try:
        url = settings.require_storage()
    except ConfigurationError as error:
        return Check("storage", "warning", f"{error} `hookline serve` does not start without it.")
    path = f"storage://parsed/doctor/{uuid4()}.md"
    try:
        async with asyncio.timeout(settings.storage_deadline), open_storage(settings) as storage:
            await storage.check()
            await storage.write(path, b"Written by hookline doctor.\n")
            await storage.delete(path)
    except ConfigurationError as error:
        return Check("storage", "fault", str(error))
    except (StorageError, TimeoutError) as error:
        reason = str(error) or f"no answer within {settings.storage_deadline:g} s"
        return Check(
            "storage", "fault", f"An object cannot be written to {url} and deleted: {reason}."
        )
    return Check("storage", "ok", f"An object was written to {url} and deleted.")


async def _comparison(
    settings: Settings, progress: Callable[[str], None]
) -> AsyncGenerator[Check, None]:
    found: Counter[str] = Counter()
    try:
        async with connected(settings) as pool, open_storage(settings) as storage:
            comparison = Comparison(storage, Views(pool), datetime.now(UTC), progress)
            async with aclosing(comparison.differences()) as differences:
                async for difference in differences:
                    found[difference.kind] += 1
                    yield _different(difference)
    except (ConfigurationError, Unreachable) as error:
        yield Check(_COMPARED, "fault", f"Not compared: {error}")
        return
    except StorageError as error:
        yield Check(_COMPARED, "fault", f"Not compared to the end: {error}.")
        return
    except DatabaseError as error:
        yield _uncompared(error)
        return
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(found.items()))
    orphaned_alone = set(found) <= {"orphaned"}
    state: State = "ok" if not found else "warning" if orphaned_alone else "fault"
    yield Check(
        _COMPARED,
        state,
        f"{_count(comparison.objects, 'object')} in storage compared with {comparison.jobs:,} in"
        f" the database: {kinds or 'no difference'}.",
    )


def _different(difference: Difference) -> Check:
    path, job_id, detail = difference.path, difference.job_id, difference.detail
    match difference.kind:
        case "orphaned":
            return Check(
                "orphaned",
                "warning",
                f"{path} ({detail}) is of no job that the database knows: delete it, if no other"
                " database has it.",
            )
        case "missing":
            advice = "restore it from a backup, or have the document parsed again"
            return Check("missing", "fault", f"{path} of job {job_id} is not there: {advice}.")
        case "different":
            return Check(
                "different",
                "fault",
                f"{path} of job {job_id} is not what was stored ({detail}): restore it from a"
                " backup, or have the document parsed again.",
            )


def _uncompared(error: DatabaseError) -> Check:
    if error.sqlstate == _NOT_ALLOWED:
        return Check(
            _COMPARED,
            "fault",
            "Not compared, since this role may not look: run `hookline doctor --storage` as a"
            " login role in hookline_reader.",
        )
    if error.sqlstate == _NO_VIEW:
        return Check(
            _COMPARED, "fault", "Not compared, the database is older: run `hookline migrate`."
        )
    return Check(_COMPARED, "fault", f"Not compared to the end, Postgres failed: {error}.")


def _receives(settings: Settings) -> bool:
    return bool(settings.llamaparse_secrets or settings.llamacloud_secrets or settings.push_secrets)


def _process_of(login: _Login) -> str | None:
    """The role of a process of ours that need not look at anything; None for people's."""
    if login.roles == ["hookline_ingest"]:
        return "hookline_ingest"
    if set(login.roles) == {"hookline_ingest", "hookline_worker"}:
        return "hookline_worker"
    return None


def _unseen(login: _Login, name: str, role: str) -> Check:
    if process := _process_of(login):
        return Check(
            name,
            "ok",
            f"Not looked at, as is normal for {process}. To look, run `hookline doctor` as a"
            f" login role in {role}.",
        )
    return Check(
        name,
        "warning",
        f"Not looked at, which this role may not: run `hookline doctor` as a login role in {role}.",
    )


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
