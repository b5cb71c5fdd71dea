"""The stack: Postgres, file storage, receiver and worker in one process, for one directory.

Its files are in `.hookline/` of that directory. When root runs it, the database is in
/var/lib/hookline instead (see ProjectPostgres), and still belongs to the objects in `.hookline/`.

A kill -9 at any moment leaves files that the next start can use. Postgres survives it, and the next
start joins that server. The kernel releases the lock. Files are written under another name first.
Only what must last is kept: the data, the objects, and the secrets in `.hookline/env`. The
passwords of the database are new at each start.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from hookline.dashboard.run import beside_receiver
from hookline.postgres.connecting import Unreachable
from hookline.process.http_listener import address, reached_at
from hookline.providers.configured_parser import choose_parser
from hookline.receiver.run import receiving
from hookline.settings import ENV_FILE, ConfigurationError, Settings
from hookline.stages import Stage
from hookline.standalone import env_file
from hookline.standalone.database_setup import prepare_database
from hookline.standalone.directory_lock import (
    DirectoryLocked,
    join_stack,
    lock_directory,
    wait_for_joiners,
)
from hookline.standalone.embedded import ProjectPostgres
from hookline.standalone.file_errors import file_errors_as
from hookline.standalone.libpq_variables import remove_libpq_variables
from hookline.worker.parsing.configured_stages import parser_stages
from hookline.worker.run import Worker, working

__all__ = ["AlreadyRunning", "Stack", "running_stack"]

# How long to wait for another process that starts or stops the stack, in seconds.
_OTHER_PROCESS_TIMEOUT = 30.0
_POLL_INTERVAL = 0.05
# Seconds. Shorter than a worker's default: after a kill, the jobs under lease have only this stack
# to work on them.
_LEASE = 15.0


class AlreadyRunning(ConfigurationError):
    """Another process runs the stack of this directory."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that runs. `settings` are those of the other commands, which connect as operator.

    `worker` is None where no status has a stage, and where another process runs the worker.
    """

    settings: Settings
    url: str
    admin_url: str
    home: Path
    objects: Path
    database_home: Path
    parser: str
    worker: Worker | None


@asynccontextmanager
async def running_stack(
    directory: Path,
    *,
    join: bool = False,
    stages: Sequence[Stage] = (),
    parser: str | None = None,
) -> AsyncIterator[Stack]:
    """Run the stack of `directory` inside the block, and stop it at the end of the block.

    The worker has the stages of the parser (`parser`, else HOOKLINE_PARSER) and `stages`. The first
    start takes a second, later starts half a second. If another process runs the stack, `join`
    waits until that one is ready and uses it; without `join` AlreadyRunning is raised. A process
    that started the stack with `join` stops it only after all joiners have left. The variables of
    libpq are removed from this process.
    Raises ConfigurationError, EmbeddedPostgresError, MigrationError, and Unreachable if the other
    process is not ready in time.
    """
    remove_libpq_variables()
    home = _home(directory)
    deadline = asyncio.get_running_loop().time() + _OTHER_PROCESS_TIMEOUT
    while True:
        try:
            with lock_directory(home) as open_to_joiners:
                async with _started(home, stages, parser) as stack:
                    with open_to_joiners(stack.parser):
                        yield stack
                    if join:
                        await wait_for_joiners(home, _OTHER_PROCESS_TIMEOUT)
                return
        except DirectoryLocked as locked:
            if not join:
                raise AlreadyRunning(
                    f"`hookline up` already runs in {home.parent} (process {locked.process}): "
                    "use it from there, or stop it first."
                ) from None
            process = locked.process
        with join_stack(home) as their_parser:
            if their_parser is not None:
                settings = env_file.read_written(home / ENV_FILE.name)
                yield _describe(home, settings, their_parser, None)
                return
        if asyncio.get_running_loop().time() > deadline:
            raise Unreachable(
                f"Process {process} is starting or stopping Hookline in {home.parent}, and was not"
                f" done within {_OTHER_PROCESS_TIMEOUT:g} s: wait for it, or stop it."
            )
        await asyncio.sleep(_POLL_INTERVAL)


def _home(directory: Path) -> Path:
    return (directory.absolute() / ENV_FILE).parent


@asynccontextmanager
async def _started(home: Path, stages: Sequence[Stage], parser: str | None) -> AsyncIterator[Stack]:
    """Start Postgres, the receiver and the worker, in this order, and write the settings file."""
    chosen = env_file.load_for_start(home / ENV_FILE.name)
    if parser is not None:
        chosen = chosen.model_copy(update={"parser": parser})
    objects = home / "objects"
    postgres = ProjectPostgres(home)
    with file_errors_as(ConfigurationError, home):
        # Before the database starts: its jobs would name objects that do not exist.
        if postgres.data_dir.exists() and not objects.exists():
            raise ConfigurationError(
                f"{postgres.home} holds the database of this project, but the folder {objects} with"
                f" its objects is gone: put that folder back, or remove {postgres.home} as well to"
                " start from nothing."
            )
        objects.mkdir(exist_ok=True)
        (home / ".gitignore").write_text("*\n")
    try:
        superuser = await asyncio.to_thread(postgres.start)
        logins = await asyncio.to_thread(prepare_database, superuser)
        shared = chosen.model_copy(
            update={
                "storage_url": objects.as_uri(),
                "llamaparse_secrets": chosen.llamaparse_secrets or _new_secret(),
                "llamacloud_secrets": chosen.llamacloud_secrets or _new_secret(),
                "push_secrets": chosen.push_secrets or _new_secret(),
                "port": _port("HOOKLINE_PORT", chosen.host, chosen.port),
                "admin_port": _port("HOOKLINE_ADMIN_PORT", chosen.admin_host, chosen.admin_port),
            }
        )
        of_receiver = shared.model_copy(
            update={
                "database_url": SecretStr(logins["receiver"]),
                "dashboard_database_url": SecretStr(logins["operator"]),
            }
        )
        async with (
            beside_receiver(of_receiver) as dashboard,
            receiving(of_receiver, dashboard) as receiver,
        ):
            of_operator = shared.model_copy(
                update={
                    "database_url": SecretStr(logins["operator"]),
                    "host": reached_at(shared.host),
                    "port": urlsplit(receiver.url).port,
                    "admin_host": reached_at(shared.admin_host),
                    "admin_port": urlsplit(receiver.admin_url).port,
                }
            )
            env_file.write(home / ENV_FILE.name, of_operator)
            of_worker = of_operator.model_copy(
                update={
                    "database_url": SecretStr(logins["worker"]),
                    "admin_host": shared.admin_host,
                    "admin_port": 0,
                    "lease": shared.lease if "lease" in chosen.model_fields_set else _LEASE,
                }
            )
            async with _worker(of_worker, stages) as worker:
                yield _describe(home, of_operator, choose_parser(of_operator).parsers[0], worker)
    finally:
        await asyncio.to_thread(postgres.stop)


@asynccontextmanager
async def _worker(settings: Settings, own: Sequence[Stage]) -> AsyncIterator[Worker | None]:
    """A worker for the parser's stages and the user's own; None if there are none."""
    async with parser_stages(settings) as parsing:
        stages = (*parsing.stages, *own)
        if not stages:
            yield None
            return
        async with working(settings, stages, parsing.periodic) as worker:
            yield worker


def _describe(home: Path, settings: Settings, parser: str, worker: Worker | None) -> Stack:
    return Stack(
        settings=settings,
        url=address(settings.host, settings.port),
        admin_url=address(settings.admin_host, settings.admin_port),
        home=home,
        objects=home / "objects",
        database_home=ProjectPostgres(home).home,
        parser=parser,
        worker=worker,
    )


def _new_secret() -> tuple[SecretStr, ...]:
    # Valid in both schemes: Standard Webhooks decodes the base64, `hex` uses the text as it is.
    key = base64.b64encode(secrets.token_bytes(32)).decode("ascii")
    return (SecretStr(f"whsec_{key}"),)


def _port(variable: str, host: str, port: int) -> int:
    """The port to listen on. One from the environment is final; else any free port (0) may do.

    `port` is then the one of the last start, which is used again if it is free.
    """
    if variable in os.environ:
        return port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family):
            return port
    except OSError:
        return 0
