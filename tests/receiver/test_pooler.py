"""Behind PgBouncer in transaction mode, where no session state survives."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from hookline.embedded.programs import Account, free_port
from sender import Start, envelope_of, event_of, until

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


@pytest.fixture
def pooled(login: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the ingest login, by way of a pooler with one server connection for all."""
    if PGBOUNCER is None and "CI" not in os.environ:
        pytest.skip("needs the Debian package pgbouncer")
    assert PGBOUNCER is not None
    server = urlsplit(login("ingest"))
    port = free_port()
    account = Account.for_this_process()
    directory = Path(f"/tmp/hookline-pooler-{port}")  # noqa: S108 - where its user can go
    account.make_directory(directory)
    account.write_file(directory / "users", f'"{server.username}" "{server.password}"\n')
    account.write_file(
        directory / "ini",
        f"""[databases]
* = host=127.0.0.1 port={server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {directory}/users
pool_mode = transaction
default_pool_size = 1
""",
    )
    as_whom = () if account.is_ours else ("--user", pwd.getpwuid(account.uid).pw_name)
    process = subprocess.Popen([PGBOUNCER, "--quiet", *as_whom, directory / "ini"], cwd="/")
    try:
        netloc = f"{server.username}:{server.password}@127.0.0.1:{port}"
        yield server._replace(netloc=netloc).geturl()
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=1, prepare_threshold=None).close()
    except psycopg.OperationalError:
        return False
    return True


async def test_a_receiver_without_prepared_statements_works_through_a_pooler(
    start: Start, pooled: str
) -> None:
    await until(lambda: _answers(pooled))
    async with start(database_url=pooled, prepare_threshold=None) as sender:
        for number in range(8):
            job = sender.submitted(f"p-{number}")
            assert (await sender.send_event(event_of(f"p-{number}")))[0] == 200
            status, answer = await sender.send_envelope(
                envelope_of(job, parse_job_id=f"p-{number}")
            )
            assert (status, answer["outcome"]) == (200, "applied")
        async with sender.http.get(sender.url + "/readyz") as response:
            assert response.status == 200
