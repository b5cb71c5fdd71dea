"""New connections use a renewed certificate and a changed address: no restart is needed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from hookline.postgres.pool import open_pool, transaction
from hookline.standalone.embedded import ThrowawayPostgres
from support.servers import DEBIAN_15, Server
from support.waiting import until

NAME = "database.example.com"


async def uses_tls(pool: AsyncConnectionPool) -> bool:
    async with transaction(pool) as connection:
        return bool(connection.pgconn.ssl_in_use)


def renew_certificate(postgres: ThrowawayPostgres, root: Path) -> None:
    """Give the server a new certificate, which is its own authority, and its clients `root`."""
    key, certificate = postgres.data_dir / "server.key", postgres.data_dir / "server.crt"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=server"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    owner = postgres.data_dir.stat()
    for file in (key, certificate):
        os.chown(file, owner.st_uid, owner.st_gid)
        file.chmod(0o600)
    shutil.copy(certificate, root)
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("alter system set ssl = on")
        connection.execute("select pg_reload_conf()")


def connects(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.skipif(not DEBIAN_15.exists(), reason="a PostgreSQL with TLS is Debian's")
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
async def test_a_renewed_certificate_is_used(tmp_path: Path) -> None:
    root, old = tmp_path / "root.crt", tmp_path / "old.crt"
    with ThrowawayPostgres(bin_dir=DEBIAN_15, options={"fsync": "off"}) as postgres:
        url = postgres.url.replace("disable", f"verify-full&sslrootcert={root}")
        renew_certificate(postgres, root)
        await until(lambda: connects(url))
        async with open_pool(url, size=1, prepare_threshold=None, name="test") as pool:
            assert await uses_tls(pool)
            root.rename(old)
            renew_certificate(postgres, root)
            await until(lambda: not connects(url.replace(str(root), str(old))))
            await pool.drain()
            assert await uses_tls(pool)


async def test_a_changed_address_is_used(
    postgres18: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo
    addresses = ["127.0.0.2"]  # Nobody listens there.

    def answer(host: Any, *arguments: Any, **named: Any) -> Any:
        return resolve(addresses[0] if host == NAME else host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    url = database.replace(urlsplit(database).hostname or "", NAME)
    async with open_pool(url, size=1, prepare_threshold=None, name="test") as pool:
        with pytest.raises(PoolTimeout):
            async with pool.connection(timeout=0.2):
                pass
        addresses[0] = "127.0.0.1"
        async with transaction(pool) as connection:
            assert connection.info.hostaddr == "127.0.0.1"
