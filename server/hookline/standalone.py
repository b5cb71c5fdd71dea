"""`hookline up`: Postgres, file storage and the receiver in one process, all in `.hookline/`.

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
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
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

from hookline import logs
from hookline.embedded import EmbeddedPostgres
from hookline.migrations import migrate
from hookline.receiver.serve import receiving
from hookline.settings import ENV_FILE, ConfigurationError, Settings, load
from hookline.submit import receiver_url

__all__ = ["AlreadyRunning", "Standing", "run", "standing"]

_DATABASE = "hookline"
# Login role -> the role that it is in.
_LOGINS = {"receiver": "hookline_ingest", "operator": "hookline_operator"}
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_DIRECTORY_IS_OURS = 0o700
_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9_@%+=:,./?-]+")

_HEADER = """\
# Written by `hookline up` at each start. The other commands read it in this directory; what stands
# in the environment wins. Lines of your own are kept.
"""


class AlreadyRunning(ConfigurationError):
    """Another process is `hookline up` in this directory."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A Hookline that runs. `settings` are those of the commands, as an operator."""

    settings: Settings
    url: str
    admin_url: str
    home: Path
    objects: Path
    database_home: Path


@asynccontextmanager
async def standing(directory: Path, *, join: bool = False) -> AsyncIterator[Standing]:
    """Everything, running, in `directory`/.hookline; stopped again at the end of the block.

    The first start takes a second, later ones half of it. If it runs in another process already,
    `join` uses that one; else AlreadyRunning. Raises ConfigurationError, EmbeddedPostgresError,
    MigrationError.
    """
    home = _home(directory)
    env_file = home / ENV_FILE.name
    async with AsyncExitStack() as stack:
        try:
            stack.enter_context(_alone(home))
        except AlreadyRunning:
            if not join:
                raise
            up = _joined(home, env_file)
        else:
            up = await stack.enter_async_context(_started(home, env_file))
        yield up


async def run(directory: Path) -> None:
    """`hookline up`: until SIGINT or SIGTERM. Raises what `standing` raises."""
    logs.configure()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def begin_to_stop() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            # The next one kills, which costs nothing that was acknowledged.
            signal.signal(number, signal.SIG_DFL)
        stopped.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, begin_to_stop)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    async with standing(directory) as up:
        console.print(_summary(up))
        await stopped.wait()
        console.print("Stopping.")


def _summary(up: Standing) -> str:
    lines = [
        "Hookline is up. Ctrl-C stops it; its data stays.",
        "",
        f"  webhooks  {up.url}/webhooks/llamaparse",
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


@asynccontextmanager
async def _started(home: Path, env_file: Path) -> AsyncIterator[Standing]:
    chosen = load(env_file)
    objects = home / "objects"
    with _named(home):
        objects.mkdir(exist_ok=True)
        (home / ".gitignore").write_text("*\n")
    postgres = EmbeddedPostgres(home)
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
                    "port": urlsplit(receiver.url).port,
                    "admin_port": urlsplit(receiver.admin_url).port,
                }
            )
            with _named(env_file):
                _write(env_file, _environment(settings))
            yield _standing(home, settings)
    finally:
        await asyncio.to_thread(postgres.stop)


def _home(directory: Path) -> Path:
    return (directory.absolute() / ENV_FILE).parent


def _joined(home: Path, env_file: Path) -> Standing:
    # Not of the environment, which may name another database than the one that runs here.
    recorded = {name: value for name, value in dotenv_values(env_file).items() if value}
    try:
        settings = Settings(**recorded)  # type: ignore[arg-type]
    except ValidationError as error:
        raise ConfigurationError(
            f"{env_file} is not as `hookline up` wrote it: start that again."
        ) from error
    settings.require_database()
    return _standing(home, settings)


def _standing(home: Path, settings: Settings) -> Standing:
    return Standing(
        settings=settings,
        url=receiver_url(settings),
        admin_url=f"http://{settings.admin_host}:{settings.admin_port}",
        home=home,
        objects=home / "objects",
        database_home=EmbeddedPostgres(home).home,
    )


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold the directory. The kernel takes the lock back from whoever is killed."""
    with _named(home):
        home.mkdir(mode=_DIRECTORY_IS_OURS, parents=True, exist_ok=True)
        descriptor = os.open(home / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    with open(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            process = lock.read().strip() or "unknown"
            raise AlreadyRunning(
                f"`hookline up` already runs in {home.parent} (process {process}): "
                "use it from there, or stop it first."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


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
        "HOOKLINE_PORT": str(settings.port),
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
