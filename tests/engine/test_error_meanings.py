"""Whose fault an error of Postgres is: the sender's, or ours. The sender's is answered with 400."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.errors import (
    DatabaseError,
    InvalidArgument,
    IsolationUnsupported,
    Unavailable,
)
from hookline.postgres.pool import open_pool, transaction
from support.servers import Server


@pytest.fixture
async def pool(postgres: Server) -> AsyncIterator[AsyncConnectionPool]:
    async with open_pool(postgres.url(), size=1, prepare_threshold=5, name="test") as pool:
        yield pool


@pytest.mark.parametrize(
    ("parameter", "type_name"),
    [
        ("a\0b", "text"),
        ("\ud800", "text"),
        (Jsonb({"a": float("nan")}), "jsonb"),
        (Jsonb({"a": "\0"}), "jsonb"),
        ("{", "jsonb"),
        ("1", "uuid"),
    ],
)
async def test_a_value_that_cannot_be_read_is_an_invalid_argument(
    pool: AsyncConnectionPool, parameter: Any, type_name: str
) -> None:
    with pytest.raises(InvalidArgument):
        async with transaction(pool) as connection:
            await connection.execute(f"select %s::{type_name}".encode(), [parameter])


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("UP006", InvalidArgument),
        ("UP012", IsolationUnsupported),
        ("22000", DatabaseError),
        ("22003", DatabaseError),
        ("22008", DatabaseError),
        ("22012", DatabaseError),
        ("22023", DatabaseError),
        ("23514", DatabaseError),
        ("40001", Unavailable),
    ],
)
async def test_an_error_raised_within_a_function_is_ours_unless_it_says_otherwise(
    pool: AsyncConnectionPool, sqlstate: str, kind: type[DatabaseError]
) -> None:
    raised = f"do $$ begin raise exception 'here' using errcode = '{sqlstate}', hint = 'x'; end $$"
    with pytest.raises(DatabaseError, match="here") as error:
        async with transaction(pool) as connection:
            await connection.execute(raised.encode())
    assert type(error.value) is kind
    assert (error.value.sqlstate, error.value.hint) == (sqlstate, "x")
