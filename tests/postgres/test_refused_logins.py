"""A login that can never work ends the start with a sentence. An outage does not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import psycopg
import pytest

from hookline.postgres.connecting import Unreachable, first_connection
from hookline.postgres.refusal import sqlstate_of_refusal
from hookline.receiver.run import receiving
from hookline.settings import ConfigurationError, Settings
from support.servers import Server

PASSWORD = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _url_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without it the database would be that of `hookline up`.
    monkeypatch.setenv("DATABASE_URL", "postgresql://app@127.0.0.1/app")


@contextmanager
def role(server: Server, name: str, options: str = "login") -> Iterator[str]:
    server.execute(f"create role {name} {options} password '{PASSWORD}'")
    try:
        yield server.url(user=name, password=PASSWORD)
    finally:
        server.execute(f"drop role {name}")


async def refusal(url: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        await first_connection(url, "test")
    assert PASSWORD not in str(refused.value)
    return str(refused.value)


async def test_a_wrong_login_is_refused_with_its_reason_and_a_remedy(postgres: Server) -> None:
    with role(postgres, "known") as right:
        await (await first_connection(right, "test")).close()
        assert sqlstate_of_refusal(right) is None
        for url, reason, remedy in (
            (postgres.url(user="known", password="wrong"), "password auth", "correct user and"),
            (postgres.url(user="nobody", password=PASSWORD), "password auth", "correct user and"),
            (
                postgres.url("nothing", user="known", password=PASSWORD),
                'database "nothing" does not exist',
                "create the database",
            ),
            (right.replace(f":{PASSWORD}@", "@"), "no password", "user:password@"),
        ):
            sentence = await refusal(url)
            assert "refuses the login of DATABASE_URL" in sentence
            assert "FATAL" not in sentence
            assert reason in sentence
            assert remedy in sentence


async def test_a_role_that_may_not_connect_is_refused(postgres: Server) -> None:
    with role(postgres, "no_login", "nologin") as url:
        assert "not permitted to log in" in await refusal(url)
    with role(postgres, "stranger") as url, postgres.create() as database:
        name = urlsplit(database).path[1:]
        postgres.execute(f"revoke connect on database {name} from public")
        parts = urlsplit(url)._replace(path=f"/{name}")
        assert "grant CONNECT on the database" in await refusal(parts.geturl())


async def test_a_server_without_a_free_connection_is_away(postgres: Server) -> None:
    with (
        role(postgres, "crowded", "login connection limit 0") as url,
        pytest.raises(Unreachable, match="too many connections"),
    ):
        await first_connection(url, "test")


@contextmanager
def server_that_says(sqlstate: str, message: str) -> Iterator[str]:
    """A server that answers each login with this error, in words of its own language."""
    fields = f"SFATALE\0VFATAL\0C{sqlstate}\0M{message}\0\0".encode()
    answer = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            port = listener.getsockname()[1]
            yield f"postgresql://app:{PASSWORD}@127.0.0.1:{port}/app?sslmode=disable"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


async def test_the_servers_language_does_not_matter() -> None:
    with server_that_says("28P01", "autenticazione con password fallita") as url:
        sentence = await refusal(url)
    assert "DATABASE_URL: autenticazione con password fallita. To use it, correct" in sentence
    # Also a text that quotes an SQLSTATE.
    for sqlstate, message in (("57P03", 'C "28P01"'), ("08P01", "password"), ("53300", "troppi")):
        with server_that_says(sqlstate, message) as url, pytest.raises(Unreachable):
            await first_connection(url, "test")


@pytest.fixture
def settings(login: Callable[[str], str], tmp_path: Path) -> Callable[[str], Settings]:
    def make(url: str) -> Settings:
        return Settings(
            database_url=url,
            storage_url=tmp_path.as_uri(),
            llamaparse_secrets=("a-secret-that-is-long",),
            port=0,
            admin_port=0,
        )  # type: ignore[call-arg]

    return make


async def test_a_receiver_does_not_start_where_it_can_never_work(
    postgres18: Server,
    database: str,
    login: Callable[[str], str],
    settings: Callable[..., Settings],
) -> None:
    async def sentence(url: str) -> str:
        with pytest.raises(ConfigurationError) as refused:
            async with receiving(settings(url)):
                pass
        return str(refused.value)

    assert "password authentication failed" in await sentence(
        postgres18.url(user="nobody", password=PASSWORD)
    )
    assert await sentence(login("reader")) == (
        "The login role test_reader of DATABASE_URL may not call finish_content, which"
        " `hookline serve` needs: as an administrator, run `grant hookline_ingest to test_reader`."
    )
    with postgres18.create() as empty:
        name = urlsplit(empty).path[1:]
        assert await sentence(empty) == (
            f"Database {name} does not have Hookline: run `hookline migrate`."
        )
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop function upload_pipeline.finish_content cascade")
    assert "without the function finish_content: run `hookline migrate`" in await sentence(
        login("ingest")
    )


async def test_a_receiver_starts_while_postgres_is_away(
    settings: Callable[..., Settings],
) -> None:
    with server_that_says("57P03", "the database system is starting up") as url:
        async with (
            receiving(settings(url)) as receiver,
            aiohttp.ClientSession() as http,
            http.get(f"{receiver.url}/healthz") as answer,
        ):
            assert answer.status == 200
