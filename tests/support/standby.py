"""A Postgres 15 and its standby, and a failover from the first to the second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg

from hookline.standalone.embedded import ThrowawayPostgres
from support.servers import DEBIAN_15

_APPLICATION_NAME = "standby"


class Standby(ThrowawayPostgres):
    """A streaming standby, copied from a server that runs."""

    def __init__(self, primary: ThrowawayPostgres) -> None:
        super().__init__(bin_dir=DEBIAN_15)
        self._source = f"{primary.url}&application_name={_APPLICATION_NAME}"
        # Also the copy's, since passwords are copied.
        self._password = urlsplit(primary.url).password or ""

    def _create(self) -> None:
        self._programs.account.make_directory(self.data_dir)
        self._programs.run(
            "pg_basebackup",
            *("--dbname", self._source, "--pgdata", self.data_dir),
            *("--checkpoint=fast", "--no-sync", "--write-recovery-conf"),
        )


def follow(server: ThrowawayPostgres, primary: ThrowawayPostgres) -> None:
    """Make a server that was shut down a standby of `primary`, from its next start on."""
    conninfo = f"{primary.url}&application_name={_APPLICATION_NAME}"
    with (server.data_dir / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"primary_conninfo = '{conninfo}'\n")
    server._programs.account.write_file(server.data_dir / "standby.signal", "")


class Pair:
    """A primary and its standby. After a failover the two have changed places."""

    def __init__(self, primary: ThrowawayPostgres, standby: ThrowawayPostgres) -> None:
        self.primary = primary
        self.standby = standby
        ports = [urlsplit(server.url).port for server in (primary, standby)]
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.at = f"{hosts}/postgres?target_session_attrs=read-write&sslmode=disable"
        """The rest of a URL after the login: libpq looks for the server that takes writes."""

    def wait_until_streaming(self) -> None:
        """Wait until the standby has all of the primary's WAL."""
        with psycopg.connect(self.primary.url, autocommit=True) as connection:
            connection.execute("set statement_timeout = '30s'")
            connection.execute(
                """
                do $$ begin
                  while not exists (
                    select from pg_stat_replication
                     where state = 'streaming' and flush_lsn = pg_current_wal_flush_lsn()
                  ) loop
                    perform pg_sleep(0.02);
                    perform pg_stat_clear_snapshot();
                  end loop;
                end $$
                """
            )

    def be_synchronous(self) -> None:
        """From now on a commit returns only once the standby has it, on whichever is primary."""
        for server in (self.primary, self.standby):
            _wait_for(server, _APPLICATION_NAME)

    def switch_over(self) -> None:
        """As an operator plans it: shut the primary down, promote the other, and change places."""
        self.primary.stop()
        self._promote()
        follow(self.standby, self.primary)
        self.standby.start()

    def fail_over(self) -> None:
        """Kill the primary and promote the standby, which then waits for no other server."""
        self.primary.kill()
        self._promote()
        _wait_for(self.primary, "")

    def _promote(self) -> None:
        self.primary, self.standby = self.standby, self.primary
        self.primary.start()
        # Without waiting: the waiting statement itself may conflict with what is still replayed.
        _ask(self.primary, "select pg_promote(wait => false)")
        while _ask(self.primary, "select pg_is_in_recovery()"):
            time.sleep(0.02)


def _ask(server: ThrowawayPostgres, question: str) -> object:
    with psycopg.connect(server.url, autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row and row[0]


def _wait_for(server: ThrowawayPostgres, standby: str) -> None:
    """Let commits wait for a standby of this name; '' is none."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"alter system set synchronous_standby_names = '{standby}'".encode())
        connection.execute("select pg_reload_conf()")


@contextmanager
def running_pair() -> Iterator[Pair]:
    """A primary and its standby, asynchronous until `be_synchronous`."""
    with (
        ThrowawayPostgres(bin_dir=DEBIAN_15) as primary,
        Standby(primary) as standby,
    ):
        yield Pair(primary, standby)
