"""Postgres, file storage, receiver and worker in one process, for one directory.

What it keeps is in `.hookline/` there; root's Postgres, which may not run as root, has its data in
/var/lib/hookline (see ProjectPostgres), and belongs to the objects in `.hookline/` all the same.

Nothing in there depends on how the process ended. Postgres outlives a kill -9 and is joined by the
next start; the lock is the kernel's; files are written under another name first. Only what must
last is kept: the data, the objects, and `.hookline/env` with the secrets. Database passwords are
minted at each start.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import (
    asynccontextmanager,
)
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError

from hookline.postgres.connecting import Unreachable
from hookline.process.http_listener import address, reached_at
from hookline.providers.configured_parser import Parser, choose_parser, parser_stages
from hookline.receiver.run import receiving
from hookline.settings import ENV_FILE, ConfigurationError, Settings
from hookline.stages import Stage
from hookline.standalone.database_setup import prepare_database
from hookline.standalone.directory_lock import (
    OTHERS_SECONDS,
    RETRY_SECONDS,
    DirectoryHeld,
    hold_directory,
    join_directory,
    wait_for_joiners,
)
from hookline.standalone.embedded import ProjectPostgres
from hookline.standalone.env_file import settings_to_start_with, variables_of, write_env_file
from hookline.standalone.file_errors import file_errors_named
from hookline.worker.run import Worker, working

__all__ = ["AlreadyRunning", "Stack", "running_stack"]

# What a worker that was killed leaves under lease is only ours to do: it need not wait for long.
_LEASE = 15.0


class AlreadyRunning(ConfigurationError):
    """Another process is `hookline up` in this directory."""


@dataclass(frozen=True, slots=True)
class Stack:
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
async def running_stack(
    directory: Path,
    *,
    join: bool = False,
    stages: Sequence[Stage] = (),
    parser: Parser | None = None,
) -> AsyncIterator[Stack]:
    """Everything, running, in `directory`/.hookline; stopped again at the end of the block.

    Its worker has the built-in stages, by `parser` or else HOOKLINE_PARSER, and `stages`. The first
    start takes a second, later ones half of it. If it runs in another process already,
    `join` uses that one, once it is ready; else AlreadyRunning. With `join`, whoever has started it
    waits at the end of the block for those who joined. Raises ConfigurationError,
    EmbeddedPostgresError, MigrationError, and Unreachable if the other process is never ready.
    """
    home = _home(directory)
    env_file = home / ENV_FILE.name
    deadline = asyncio.get_running_loop().time() + OTHERS_SECONDS
    while True:
        try:
            with hold_directory(home) as ready:
                async with _started(home, env_file, stages, parser) as up:
                    with ready(up.parser):
                        yield up
                    if join:
                        await wait_for_joiners(home)
                return
        except DirectoryHeld as held:
            if not join:
                raise AlreadyRunning(
                    f"`hookline up` already runs in {home.parent} (process {held.process}): "
                    "use it from there, or stop it first."
                ) from None
            process = held.process
        with join_directory(home) as theirs:
            if theirs is not None:
                yield _joined(home, env_file, theirs)
                return
        if asyncio.get_running_loop().time() > deadline:
            raise Unreachable(
                f"Process {process} starts or stops Hookline in {home.parent}, and was not done "
                f"within {OTHERS_SECONDS:g} s: wait for it, or stop it."
            )
        await asyncio.sleep(RETRY_SECONDS)


@asynccontextmanager
async def _started(
    home: Path, env_file: Path, stages: Sequence[Stage], parser: Parser | None
) -> AsyncIterator[Stack]:
    chosen = settings_to_start_with(env_file)
    if parser is not None:
        chosen = chosen.model_copy(update={"parser": parser})
    objects = home / "objects"
    postgres = ProjectPostgres(home)
    with file_errors_named(home):
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
        logins = await asyncio.to_thread(prepare_database, superuser)
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
            with file_errors_named(env_file):
                write_env_file(env_file, variables_of(settings))
            as_worker = settings.model_copy(
                update={
                    "database_url": SecretStr(logins["worker"]),
                    "admin_host": ours.admin_host,
                    "admin_port": 0,
                    "lease": ours.lease if "lease" in chosen.model_fields_set else _LEASE,
                }
            )
            async with _worked(as_worker, stages) as worker:
                yield _stack(home, settings, choose_parser(settings).parser, worker)
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


def _joined(home: Path, env_file: Path, parser: Parser) -> Stack:
    # Not of the environment, which may name another database than the one that runs here.
    try:
        recorded = {name: value for name, value in dotenv_values(env_file).items() if value}
        settings = Settings(**recorded)  # type: ignore[arg-type]
    except (ValidationError, OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{env_file} is not as `hookline up` wrote it: start that again."
        ) from error
    settings.require_database()
    return _stack(home, settings, parser, None)


def _stack(home: Path, settings: Settings, parser: Parser, worker: Worker | None) -> Stack:
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
