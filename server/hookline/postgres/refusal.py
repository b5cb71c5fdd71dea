"""Find out whether a server refuses a login for good, by the SQLSTATE of its answer.

libpq gives programs only the text of that answer, which the server may have translated. So we
connect once more with libpq's trace, which records each message that it receives, and read the
SQLSTATE there. This works on Linux only. The trace has the answer to a password from libpq 17 on,
which psycopg[binary] contains.
Sources: https://www.postgresql.org/docs/current/libpq-control.html#LIBPQ-PQTRACE and
https://www.postgresql.org/docs/current/protocol-error-fields.html
"""

from __future__ import annotations

import os
import re
import select
import sys
import time

from psycopg import pq
from psycopg.pq.abc import PGconn

__all__ = ["REMEDIES", "sqlstate_of_refusal"]

# What a person has to do, by SQLSTATE. Any other refusal may end by itself: the server starts, has
# too many connections, or is away behind a pooler.
REMEDIES = {
    "28P01": "correct user and password, both percent-encoded",
    "28000": "correct the user, or let the server's pg_hba.conf accept it",
    "3D000": "correct the database's name, or create the database",
    "42501": "grant CONNECT on the database to the role",
}


# Seconds.
_TIMEOUT = 5.0


def sqlstate_of_refusal(conninfo: str) -> str | None:
    """Connect once: the SQLSTATE of REMEDIES with which the server refuses, or None.

    It blocks for up to 5 seconds: run it in a thread.
    """
    if sys.platform != "linux":
        return None
    # In memory: the trace holds what proves the password.
    with open(os.memfd_create("trace"), "w+b") as trace:
        attempt = pq.PGconn.connect_start(conninfo.encode())
        try:
            attempt.trace(os.dup(trace.fileno()))
            _wait_for_end(attempt)
            attempt.untrace()
        finally:
            attempt.finish()
        trace.seek(0)
        answers = re.findall(rb'\tErrorResponse\t.*? C "([0-9A-Z]{5})"', trace.read())
    last = answers[-1].decode() if answers else None
    return last if last in REMEDIES else None


def _wait_for_end(attempt: PGconn) -> None:
    end = time.monotonic() + _TIMEOUT
    while attempt.status != pq.ConnStatus.BAD and time.monotonic() < end:
        match attempt.connect_poll():
            case pq.PollingStatus.READING:
                select.select([attempt.socket], [], [], max(0, end - time.monotonic()))
            case pq.PollingStatus.WRITING:
                select.select([], [attempt.socket], [], max(0, end - time.monotonic()))
            case _:
                return
