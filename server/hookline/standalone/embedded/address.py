"""Where a private server listens, how to log in, and whose server answers there."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

__all__ = ["data_directory_at", "free_port", "new_password", "superuser_url"]


def free_port() -> int:
    """A port that is free now. Another program may take it before we listen on it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def new_password() -> str:
    """A new password, of characters that a URL need not quote."""
    return secrets.token_urlsafe(24)


def superuser_url(port: int, password: str) -> str:
    """The libpq URL of the superuser.

    These servers have no TLS, so `sslmode` is in the URL: PGSSLMODE may ask for TLS.
    """
    return f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres?sslmode=disable"


def data_directory_at(url: str) -> Path:
    """The data directory of the server that answers at `url`.

    Raises psycopg.OperationalError when no server answers, or one that does not know the password.
    """
    # Another user's program may listen on our old port: it must not get the password in clear.
    strict = {"require_auth": "scram-sha-256"} if psycopg.pq.version() >= 160000 else {}
    conninfo = make_conninfo(url, connect_timeout=3, options="", **strict)
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("show data_directory").fetchone()
    return Path(row[0] if row else "").resolve()
