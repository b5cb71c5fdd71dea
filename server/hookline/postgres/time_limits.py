"""Limits for a silent network, as libpq's settings, where the user has set none.

Without them a connection whose packets vanish is found broken after 15 minutes while it sends
(tcp_retries2 of Linux), and after two hours while it waits (tcp_keepalive_time).
"""

from __future__ import annotations

from typing import Any, Final

from psycopg import pq
from psycopg.conninfo import make_conninfo

__all__ = ["time_limits"]

# https://www.postgresql.org/docs/current/libpq-connect.html, section Parameter Key Words.
_DEFAULTS: Final = {
    "connect_timeout": 5,  # seconds, for each address of the server
    "tcp_user_timeout": 8_000,  # milliseconds that sent bytes may stay unacknowledged
    # The first question after 5 s of silence, then one every 2 s. The third without an answer ends
    # the connection.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}


def time_limits(conninfo: str) -> dict[str, Any]:
    """The parameters to add to a connection string. Values that the user has set are kept.

    A user may set them in the string itself, in its service (pg_service.conf), or in PG...
    variables. Only libpq can read all three. So we begin a connection to a socket that does not
    exist, and ask libpq for its parameters.
    """
    begun = pq.PGconn.connect_start(
        make_conninfo(conninfo, host="/nonexistent", hostaddr="", port="").encode()
    )
    try:
        users = {option.keyword.decode() for option in begun.info if option.val is not None}
    finally:
        begun.finish()
    return {name: value for name, value in _DEFAULTS.items() if name not in users}
