"""Where a private server listens, and what to log in with."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

__all__ = ["data_directory_at", "free_port", "new_password", "superuser_url"]


def free_port() -> int:
    """Return a port that is free now; whoever binds it next may still find it taken."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def new_password() -> str:
    """Return a password that needs no quoting in a URL."""
    return secrets.token_urlsafe(24)


def superuser_url(port: int, password: str) -> str:
    """Return the libpq URL of the superuser.

    These servers have no TLS: `sslmode` is spelled out against a PGSSLMODE in the environment.
    """
    return f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres?sslmode=disable"


def data_directory_at(url: str) -> Path:
    """Return the data directory of the server that answers at `url`.

    Raises psycopg.OperationalError when nobody does, or somebody who does not know the password.
    """
    # Another user's program on a stale port must not be able to ask for the password in clear.
    strict = {"require_auth": "scram-sha-256"} if psycopg.pq.version() >= 160000 else {}
    conninfo = make_conninfo(url, connect_timeout=3, options="", **strict)
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("show data_directory").fetchone()
    return Path(row[0] if row else "").resolve()
