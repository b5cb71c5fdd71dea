"""After an error of the server itself, nothing was acknowledged, and a retry may succeed."""

from __future__ import annotations

import psycopg
import pytest

from hookline.postgres.errors import Unavailable, meaning_of

TROUBLES = {
    "disk_full": "53100",
    "out_of_memory": "53200",
    "too_many_connections": "53300",
    "cannot_connect_now": "57P03",
    "admin_shutdown": "57P01",
    "query_canceled": "57014",
    "idle_session_timeout": "57P05",
    "idle_in_transaction_session_timeout": "25P03",
    "io_error": "58030",
    "statement_completion_unknown": "40003",
}


@pytest.mark.parametrize("sqlstate", TROUBLES.values(), ids=TROUBLES)
def test_an_error_of_the_server_itself_is_unavailable(sqlstate: str) -> None:
    assert isinstance(meaning_of(psycopg.errors.lookup(sqlstate)()), Unavailable)
