"""The proxy of the tests fails in the ways that it says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import generators, waiting

from support.proxy import Proxy

Login = Callable[[str], str]


@pytest.fixture
def proxy(login: Login) -> Iterator[Proxy]:
    with Proxy.before(login("ingest")) as made:
        yield made


def connect(proxy: Proxy, login: Login) -> psycopg.Connection:
    return psycopg.connect(proxy.url(login("ingest")), autocommit=True, connect_timeout=2)


def test_the_proxy_forwards(proxy: Proxy, login: Login) -> None:
    with connect(proxy, login) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        assert (proxy.accepted, proxy.open) == (1, 1)


@pytest.mark.parametrize("fail", [Proxy.cut, Proxy.refuse, Proxy.end])
def test_open_connections_end(proxy: Proxy, login: Login, fail: Callable[[Proxy], None]) -> None:
    with connect(proxy, login) as connection:
        fail(proxy)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")


def test_new_connections_are_refused_until_it_forwards_again(proxy: Proxy, login: Login) -> None:
    proxy.refuse()
    with pytest.raises(psycopg.OperationalError):
        connect(proxy, login)
    assert proxy.refused > 0
    proxy.forward()
    connect(proxy, login).close()


def test_a_stalled_connection_is_silent_and_keeps_its_bytes(proxy: Proxy, login: Login) -> None:
    with connect(proxy, login) as connection:
        proxy.stall()
        connection.pgconn.send_query(b"select 7")
        connection.pgconn.flush()
        time.sleep(0.1)
        connection.pgconn.consume_input()
        assert connection.pgconn.is_busy()
        connect(proxy, login).close()
        proxy.forward()
        [result] = waiting.wait_selector(
            generators.fetch_many(connection.pgconn), connection.fileno()
        )
        assert result.get_value(0, 0) == b"7"


def test_without_answers_the_server_still_gets_the_requests(
    proxy: Proxy, login: Login, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as superuser:
        superuser.execute("create table seen (); grant insert on seen to public")
        with connect(proxy, login) as connection:
            proxy.stall(requests=False)
            connection.pgconn.send_query(b"insert into seen default values")
            connection.pgconn.flush()
            deadline = time.monotonic() + 10
            while not superuser.execute("select from seen").fetchall():
                assert time.monotonic() < deadline
            assert connection.pgconn.is_busy()
            connection.pgconn.finish()
