"""`hookline up`: Postgres, file storage, receiver and worker in one process, for one directory.

What it keeps is in `.hookline/` there; root's Postgres, which may not run as root, has its data in
/var/lib/hookline (see EmbeddedPostgres), and belongs to the objects in `.hookline/` all the same.

Nothing in there depends on how the process ended. Postgres outlives a kill -9 and is joined by the
next start; the lock is the kernel's; files are written under another name first. Only what must
last is kept: the data, the objects, and `.hookline/env` with the secrets. Database passwords are
minted at each start.
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import os
import re
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from dotenv import dotenv_values
from dotenv.parser import parse_stream
from psycopg import sql
from pydantic import SecretStr, ValidationError
from rich.console import Console

from hookline.postgres.connecting import Unreachable
from hookline.postgres.migrations import migrate
from hookline.process import logs
from hookline.process.http_listener import address, reached_at
from hookline.process.signals import stop_on_signals
from hookline.providers.configured_parser import Parser, choose_parser, parser_stages
from hookline.receiver.run import receiving
from hookline.settings import ENV_FILE, ConfigurationError, Settings, load
from hookline.sources import routes
from hookline.stages import Stage
from hookline.standalone.embedded import EmbeddedPostgres, EmbeddedPostgresError
from hookline.worker.run import Worker, working

__all__ = ["AlreadyRunning", "Standing", "run", "standing"]

_DATABASE = "hookline"
# Login role -> the role that it is in.
_LOGINS = {
    "receiver": "hookline_ingest",
    "worker": "hookline_worker",
    "operator": "hookline_operator",
}
_DIRECTORY_IS_OURS = 0o700
# What the lock's file says when the settings' file is of the lock's holder.
_READY = "ready"
# How long another process may take to start, or to end, in seconds.
_OTHERS_SECONDS = 30.0
_RETRY_SECONDS = 0.05
# What a worker that was killed leaves under lease is only ours to do: it need not wait for long.
_LEASE = 15.0
# How often `up` looks whether its Postgres still listens, and how long that may take.
_LOOKS_EVERY = 1.0
_ANSWERS_WITHIN = 5.0
_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9_@%+=:,./?-]+")

_HEADER = """\
# Written by `hookline up` at each start. The other commands read it in this directory; what stands
# in the environment wins. Lines of your own are kept.
"""


class AlreadyRunning(ConfigurationError):
    """Another process is `hookline up` in this directory."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A Hookline that runs. `settings` are those of the commands, as an operator.

    `worker` is None where nothing is to be done, and where another process has it.
    """

    settings: Settings
    url: str
    admin_url: str
    home: Path
    objects: Path
    database_home: Path
    parser: Parser
    worker: Worker | None


@asynccontextmanager
async def standing(
    directory: Path,
    *,
    join: bool = False,
    stages: Sequence[Stage] = (),
    parser: Parser | None = None,
) -> AsyncIterator[Standing]:
    """Everything, running, in `directory`/.hookline; stopped again at the end of the block.

    Its worker has the built-in stages, by `parser` or else HOOKLINE_PARSER, and `stages`. The first
    start takes a second, later ones half of it. If it runs in another process already,
    `join` uses that one, once it is ready; else AlreadyRunning. With `join`, whoever has started it
    waits at the end of the block for those who joined. Raises ConfigurationError,
    EmbeddedPostgresError, MigrationError, and Unreachable if the other process is never ready.
    """
    home = _home(directory)
    env_file = home / ENV_FILE.name
    deadline = asyncio.get_running_loop().time() + _OTHERS_SECONDS
    while True:
        try:
            with _alone(home) as ready:
                async with _started(home, env_file, stages, parser) as up:
                    with ready(up.parser):
                        yield up
                    if join:
                        await _left_by_all(home)
                return
        except _Held as held:
            if not join:
                raise AlreadyRunning(
                    f"`hookline up` already runs in {home.parent} (process {held.process}): "
                    "use it from there, or stop it first."
                ) from None
            process = held.process
        with _joining(home) as theirs:
            if theirs is not None:
                yield _joined(home, env_file, theirs)
                return
        if asyncio.get_running_loop().time() > deadline:
            raise Unreachable(
                f"Process {process} starts or stops Hookline in {home.parent}, and was not done "
                f"within {_OTHERS_SECONDS:g} s: wait for it, or stop it."
            )
        await asyncio.sleep(_RETRY_SECONDS)


async def run(directory: Path, stages: Sequence[Stage] = ()) -> None:
    """`hookline up`: until SIGINT or SIGTERM.

    Raises what `standing` raises, and EmbeddedPostgresError when its Postgres has ended.
    """
    logs.configure()
    stopped = stop_on_signals()
    console = Console(highlight=False, markup=False, soft_wrap=True)
    async with standing(directory, stages=stages) as up:
        console.print(_summary(up))
        ends = asyncio.create_task(
            up.worker.until(stopped) if up.worker is not None else _set(stopped), name="up"
        )
        while not ends.done():
            await asyncio.wait({ends}, timeout=_LOOKS_EVERY)
            if not ends.done():
                await _require_postgres(up)
        ends.result()
        console.print("Stopping.")


async def _set(event: asyncio.Event) -> None:
    await event.wait()


async def _require_postgres(up: Standing) -> None:
    # Its process may be a zombie, or its pid another's; its port is closed as soon as it is dead.
    where = urlsplit(up.settings.require_database())
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN):
            _, writer = await asyncio.open_connection(where.hostname, where.port)
    except TimeoutError:
        return  # Busy is not dead.
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The PostgreSQL in {up.database_home} has ended, and so does `hookline up`: "
            f"see {up.database_home / 'server.log'}, and start it again."
        ) from error
    writer.close()


def _summary(up: Standing) -> str:
    lines = [
        "Hookline is up. Ctrl-C stops it; its data stays.",
        "",
        f"  webhooks  {up.url}{routes.LLAMAPARSE}",
        f"  parser    {choose_parser(up.settings).sentence}",
        f"  worker    {_work_of(up.worker)}",
        f"  admin     {up.admin_url}/metrics, {up.admin_url}/readyz",
        f"  objects   {up.objects}",
        f"  database  {up.database_home}",
        f"  settings  {up.home / ENV_FILE.name}",
        "",
        "Try in another terminal, in this directory:",
        "",
        "  hookline submit FILE.pdf",
        "  hookline jobs",
        "  hookline doctor",
    ]
    for name in ("DATABASE_URL", "HOOKLINE_STORAGE_URL"):
        if name in os.environ:
            lines += ["", f"{name} is set: where it is, the other commands use that, not this."]
    return "\n".join(lines)


def _work_of(worker: Worker | None) -> str:
    if worker is None:
        return "none, since there is nothing to do for it"
    return f"{', '.join(worker.stages)}; {worker.admin_url}/metrics"


@asynccontextmanager
async def _started(
    home: Path, env_file: Path, stages: Sequence[Stage], parser: Parser | None
) -> AsyncIterator[Standing]:
    chosen = _chosen(env_file)
    if parser is not None:
        chosen = chosen.model_copy(update={"parser": parser})
    objects = home / "objects"
    postgres = EmbeddedPostgres(home)
    with _named(home):
        # They come before the database: it has jobs whose objects are nowhere.
        if postgres.data_dir.exists() and not objects.exists():
            raise ConfigurationError(
                f"{postgres.home} has this project's database, but {objects} with its objects is "
                f"gone: put that back, or remove {postgres.home}, too, to begin anew."
            )
        objects.mkdir(exist_ok=True)
        (home / ".gitignore").write_text("*\n")
    try:
        superuser = await asyncio.to_thread(postgres.start)
        logins = await asyncio.to_thread(_prepare, superuser)
        ours = chosen.model_copy(
            update={
                "storage_url": objects.as_uri(),
                "llamaparse_secrets": chosen.llamaparse_secrets or _minted(),
                "llamacloud_secrets": chosen.llamacloud_secrets or _minted(),
                "push_secrets": chosen.push_secrets or _minted(),
                "port": _port("HOOKLINE_PORT", chosen.host, chosen.port),
                "admin_port": _port("HOOKLINE_ADMIN_PORT", chosen.admin_host, chosen.admin_port),
            }
        )
        as_receiver = ours.model_copy(update={"database_url": SecretStr(logins["receiver"])})
        async with receiving(as_receiver) as receiver:
            settings = ours.model_copy(
                update={
                    "database_url": SecretStr(logins["operator"]),
                    "host": reached_at(ours.host),
                    "port": urlsplit(receiver.url).port,
                    "admin_host": reached_at(ours.admin_host),
                    "admin_port": urlsplit(receiver.admin_url).port,
                }
            )
            with _named(env_file):
                _write(env_file, _environment(settings))
            as_worker = settings.model_copy(
                update={
                    "database_url": SecretStr(logins["worker"]),
                    "admin_host": ours.admin_host,
                    "admin_port": 0,
                    "lease": ours.lease if "lease" in chosen.model_fields_set else _LEASE,
                }
            )
            async with _worked(as_worker, stages) as worker:
                yield _standing(home, settings, choose_parser(settings).parser, worker)
    finally:
        await asyncio.to_thread(postgres.stop)


@asynccontextmanager
async def _worked(settings: Settings, own: Sequence[Stage]) -> AsyncIterator[Worker | None]:
    async with parser_stages(settings) as builtin:
        stages = (*builtin.stages, *own)
        if not stages:
            yield None
            return
        async with working(settings, stages, builtin.periodic) as worker:
            yield worker


def _home(directory: Path) -> Path:
    return (directory.absolute() / ENV_FILE).parent


def _chosen(env_file: Path) -> Settings:
    """The settings to start with."""
    chosen = load(env_file)
    # The file says where it listened last, for the commands: no wish to be exposed once more.
    forgotten = {
        name: field.default
        for name, field in Settings.model_fields.items()
        if name in ("host", "admin_host") and field.alias not in os.environ
    }
    return chosen.model_copy(update=forgotten)


def _joined(home: Path, env_file: Path, parser: Parser) -> Standing:
    # Not of the environment, which may name another database than the one that runs here.
    try:
        recorded = {name: value for name, value in dotenv_values(env_file).items() if value}
        settings = Settings(**recorded)  # type: ignore[arg-type]
    except (ValidationError, OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{env_file} is not as `hookline up` wrote it: start that again."
        ) from error
    settings.require_database()
    return _standing(home, settings, parser, None)


def _standing(home: Path, settings: Settings, parser: Parser, worker: Worker | None) -> Standing:
    return Standing(
        settings=settings,
        url=address(settings.host, settings.port),
        admin_url=address(settings.admin_host, settings.admin_port),
        home=home,
        objects=home / "objects",
        database_home=EmbeddedPostgres(home).home,
        parser=parser,
        worker=worker,
    )


class _Held(Exception):
    """Another process holds the directory."""

    def __init__(self, process: str) -> None:
        self.process = process


@contextmanager
def _alone(home: Path) -> Iterator[Callable[[Parser], AbstractContextManager[None]]]:
    """Hold the directory. The kernel takes the lock back from whoever is killed.

    What is given tells others that they may join, and which parser they find, for as long as it is
    entered. Raises _Held.
    """
    with _named(home):
        home.mkdir(mode=_DIRECTORY_IS_OURS, parents=True, exist_ok=True)
        descriptor = os.open(home / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    with open(descriptor, "r+") as lock:
        if not _locked(descriptor):
            raise _Held(lock.readline().strip() or "unknown")

        def say(*words: str) -> None:
            lock.seek(0)
            lock.truncate()
            lock.write("".join(f"{word}\n" for word in (str(os.getpid()), *words)))
            lock.flush()

        @contextmanager
        def ready(parser: Parser) -> Iterator[None]:
            say(_READY, parser)
            try:
                yield
            finally:
                say()

        say()
        yield ready


@contextmanager
def _joining(home: Path) -> Iterator[Parser | None]:
    """Use what another process runs, if it is ready; its parser, or else None.

    The lock comes before the look, and the other way round in the process that ends: either it
    waits for us, or we see that it ends.
    """
    with _named(home):
        descriptor = os.open(home / "joined.lock", os.O_RDWR | os.O_CREAT, 0o600)
    with open(descriptor, "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        match (home / "up.lock").read_text().split():
            case [_, word, ("local" | "llamacloud" | "none") as parser] if word == _READY:
                yield parser
            case _:
                yield None


async def _left_by_all(home: Path) -> None:
    """Wait for those who have joined, but not for longer than is decent."""
    for _ in range(round(_OTHERS_SECONDS / _RETRY_SECONDS)):
        with open(home / "joined.lock", "a") as lock:  # noqa: ASYNC230 - never read
            if _locked(lock.fileno()):
                return
        await asyncio.sleep(_RETRY_SECONDS)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _prepare(superuser: str) -> dict[str, str]:
    """Database, migrations and login roles, whatever of them is there; the logins' URLs.

    The superuser stays in here.
    """
    database = urlsplit(superuser)._replace(path=f"/{_DATABASE}")
    with psycopg.connect(superuser, autocommit=True, options="") as connection:
        found = connection.execute(
            "select from pg_catalog.pg_database where datname = %s", [_DATABASE]
        )
        if found.fetchone() is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(_DATABASE)))
    migrate(database.geturl())
    passwords = {login: secrets.token_urlsafe(24) for login in _LOGINS}
    with psycopg.connect(database.geturl(), options="") as connection:
        for login, role in _LOGINS.items():
            _make_login(connection, login, role, passwords[login])
        # So that `doctor`, too, can say which migrations there are.
        connection.execute("grant usage on schema supabase_migrations to operator")
        connection.execute("grant select on supabase_migrations.schema_migrations to operator")
    where = f"{database.hostname}:{database.port}"
    return {
        login: database._replace(netloc=f"{login}:{password}@{where}").geturl()
        for login, password in passwords.items()
    }


def _make_login(
    connection: psycopg.Connection[tuple[object, ...]], login: str, role: str, password: str
) -> None:
    found = connection.execute("select from pg_catalog.pg_roles where rolname = %s", [login])
    if found.fetchone() is None:
        connection.execute(sql.SQL("create role {} login").format(sql.Identifier(login)))
    # A statement may end in the server's log: it gets the verifier, not the password.
    verifier = connection.pgconn.encrypt_password(
        password.encode(), login.encode(), b"scram-sha-256"
    ).decode()
    connection.execute(
        sql.SQL("alter role {} password {}").format(sql.Identifier(login), sql.Literal(verifier))
    )
    connection.execute(
        sql.SQL("grant {} to {}").format(sql.Identifier(role), sql.Identifier(login))
    )


def _minted() -> tuple[SecretStr, ...]:
    # Right for both schemes: Standard Webhooks decodes it, hex takes it as it is.
    key = base64.b64encode(secrets.token_bytes(32)).decode("ascii")
    return (SecretStr(f"whsec_{key}"),)


def _port(variable: str, host: str, port: int) -> int:
    """The port to listen on: the chosen one, else the one of last time, else any (0)."""
    if variable in os.environ:
        return port
    try:
        with socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        ):
            return port
    except OSError:
        return 0


def _environment(settings: Settings) -> dict[str, str]:
    """What another process needs to be an operator of this one, by variable."""

    def listed(values: tuple[SecretStr, ...]) -> str:
        return ",".join(value.get_secret_value() for value in values)

    return {
        "DATABASE_URL": settings.require_database(),
        "HOOKLINE_STORAGE_URL": settings.require_storage(),
        "HOOKLINE_HOST": settings.host,
        "HOOKLINE_PORT": str(settings.port),
        "HOOKLINE_ADMIN_HOST": settings.admin_host,
        "HOOKLINE_ADMIN_PORT": str(settings.admin_port),
        "HOOKLINE_LLAMAPARSE_SCHEME": settings.llamaparse_scheme,
        "HOOKLINE_LLAMAPARSE_SECRETS": listed(settings.llamaparse_secrets),
        "HOOKLINE_LLAMACLOUD_SECRETS": listed(settings.llamacloud_secrets),
        "HOOKLINE_PUSH_SECRETS": listed(settings.push_secrets),
    }


def _write(env_file: Path, variables: Mapping[str, str]) -> None:
    """Replace the file as a whole, readable by us alone; lines of others stay as they are."""
    kept = ""
    with suppress(FileNotFoundError):
        bindings = parse_stream(StringIO(env_file.read_text().removeprefix(_HEADER)))
        kept = "".join(one.original.string for one in bindings if one.key not in variables)
    lines = "".join(f"{name}={_quoted(value)}\n" for name, value in variables.items())
    for name, read in dotenv_values(stream=StringIO(lines)).items():
        # Only a secret of the user's own can be so: `${` has no escape in this format.
        if read != variables[name]:
            raise ConfigurationError(f"{name} holds `${{`, which {env_file} cannot hold.")
    unfinished = env_file.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        file.write(f"{_HEADER}{lines}{kept}")
        file.flush()
        os.fsync(descriptor)
    unfinished.rename(env_file)


def _quoted(value: str) -> str:
    if _NEEDS_NO_QUOTES.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@contextmanager
def _named(what: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename or what} cannot be used: {error.strerror or error}."
        ) from error
