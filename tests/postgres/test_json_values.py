"""A JSON value that Python cannot hold spoils neither the rows beside it nor the reading."""

from __future__ import annotations

import json

import pytest
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.json_values import UNREADABLE
from hookline.postgres.pool import open_pool, transaction

NESTED = '{"a": ' + "[" * 3000 + "]" * 3000 + "}"
UNREADABLE_VALUES = {
    "an integer of 5,001 digits": '{"n": 1e5000}',
    "a fraction beyond a double": '{"n": 1' + "0" * 400 + ".5}",
    "a nesting of 3,000 levels": NESTED,
}


async def read(pool: AsyncConnectionPool, *values: str, binary: bool) -> list[object]:
    async with transaction(pool) as connection:
        cursor = await connection.execute(
            "select v::jsonb from unnest(%s::text[]) with ordinality as u (v, n) order by n",
            [list(values)],
            binary=binary,
        )
        return [row[0] for row in await cursor.fetchall()]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("value", UNREADABLE_VALUES.values(), ids=UNREADABLE_VALUES)
async def test_a_value_that_python_cannot_hold_is_said_to_be_unreadable(
    database: str, value: str, binary: bool
) -> None:
    good = {"a": [1, 2.5, None, {"b": "é"}], "n": 10**300}
    async with open_pool(database, size=1, prepare_threshold=5, name="hookline-test") as pool:
        first, bad, last = await read(pool, json.dumps(good), value, "[]", binary=binary)
    assert (first, last) == (good, [])
    assert isinstance(bad, dict)
    assert list(bad) == [UNREADABLE]
    assert json.dumps(bad, allow_nan=False)
