"""An expected error is one sentence and an exit code, never a traceback or a secret."""

from __future__ import annotations

import itertools
import re
import signal
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from hookline import __version__
from support.commands import Cli, Database, objects, sentence_of
from support.servers import Server

READS = (
    *(["jobs"], ["jobs", "--follow"], ["job", "0123abcd"], ["job", "0123abcd", "--follow"]),
    *(["retry", "--failed"], ["diagram"]),
)
NEEDS_A_DATABASE = (*READS, ["migrate"])
COMMANDS = (
    *("up", "demo", "serve", "work", "migrate", "doctor", "submit", "jobs", "job", "retry", "url"),
    "diagram",
)
PASSWORD = "correct-horse-battery"


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port that is bound and at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        yield port


@pytest.mark.parametrize("arguments", NEEDS_A_DATABASE, ids=" ".join)
def test_without_a_database_url_it_is_asked_for(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert sentence_of(done).startswith("DATABASE_URL is not set: set it, for example to ")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://app:{}@localhost/app",
        "app:{}",
        "postgresql://app:{}%zz@localhost/app",
        "postgresql://app:{}/1@localhost/app",
        "postgresql://app:{}@1@localhost/app",
        "postgresql://app:{}@localhost:port/app",
        "postgresql://app:1/{}@localhost/app",
        "postgresql://app:{}@[::1/app",
        "postgresql://app:{}@localhost/app?nonsense=1",
        "postgresql://app:{}\N{DOUBLE QUESTION MARK}@localhost:x/app",
    ],
)
def test_a_wrong_url_is_named_and_not_shown(cli: Cli, url: str) -> None:
    done = cli("jobs", DATABASE_URL=url.format(PASSWORD))
    assert done.returncode == 2
    assert sentence_of(done).startswith("DATABASE_URL is wrong: ")
    assert PASSWORD not in done.stderr


@pytest.mark.parametrize("arguments", NEEDS_A_DATABASE, ids=" ".join)
def test_an_unreachable_postgres_is_named_by_its_address(
    cli: Cli, arguments: list[str], nobody: int
) -> None:
    url = f"postgresql://app:{PASSWORD}@127.0.0.1:{nobody}/app"
    done = cli(*arguments, DATABASE_URL=url)
    assert done.returncode == 3
    assert sentence_of(done) == (
        f"There is no connection to Postgres at 127.0.0.1:{nobody}: Connection refused."
        " Check DATABASE_URL, and that the server runs."
    )


def test_a_host_that_does_not_exist_is_named(cli: Cli) -> None:
    done = cli("jobs", DATABASE_URL=f"postgresql://app:{PASSWORD}@nowhere.invalid/app")
    assert done.returncode == 3
    assert "no connection to Postgres at nowhere.invalid:5432: " in sentence_of(done)
    assert PASSWORD not in done.stderr


def test_a_wrong_password_is_reported_and_not_shown(cli: Cli, database: str) -> None:
    parts = urlsplit(database)
    url = f"postgresql://nobody:{PASSWORD}@127.0.0.1:{parts.port}{parts.path}"
    for command in ("jobs", "migrate"):
        done = cli(command, DATABASE_URL=url)
        assert done.returncode == 2
        assert 'password authentication failed for user "nobody"' in sentence_of(done)
        assert PASSWORD not in done.stderr


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_without_hookline_in_the_database_the_error_says_what_to_run(
    cli: Cli, arguments: list[str], postgres18: Server
) -> None:
    with postgres18.create() as url:
        done = cli(*arguments, DATABASE_URL=url)
    assert done.returncode == 2
    assert sentence_of(done).startswith("This database does not have Hookline")
    assert "run `hookline migrate`" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], "No such command 'nonsense': see `hookline --help`."),
        (["jobs", "--nonsense"], "No such option: --nonsense: see `hookline jobs --help`."),
        (["submit", "x.pdf", "--owner", "me"], "Input should be a valid UUID"),
        (["jobs", "--limit", "0"], "greater than or equal to 1: see `hookline jobs --help`."),
        (["job"], "Missing argument 'ID': see `hookline job --help`."),
        (["submit"], "Missing argument 'PATH...': see `hookline submit --help`."),
        (["jobs", "--since", "yesterday"], "90s, 30m, 12h or 7d for a time ago, or a time like"),
    ],
)
def test_wrong_usage_is_one_sentence(cli: Cli, arguments: list[str], told: str) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert told in sentence_of(done)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_with_an_example(cli: Cli, command: str) -> None:
    done = cli(command, "--help", COLUMNS="200")
    assert done.returncode == 0
    example = re.search(r"Example: (.*)", done.stdout, re.DOTALL)
    assert example is not None
    assert f"hookline {command}" in example[1]


def test_the_help_lists_every_command_and_the_exit_codes(cli: Cli) -> None:
    done = cli(COLUMNS="200")
    assert done.returncode == 0
    assert set(COMMANDS) <= set(re.findall(r"^│ (\w+) ", done.stdout, re.MULTILINE))
    assert "3 the database, the storage or the receiver is away, try again later" in done.stdout


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_help_is_wrapped_to_the_terminal(cli: Cli, columns: int) -> None:
    lines = cli("work", "--help", COLUMNS=str(columns)).stdout.splitlines()
    assert max(map(len, lines)) <= columns
    # A paragraph is filled: no line of it but the last has room for the word after it.
    start = next(n for n, line in enumerate(lines) if "After the first signal" in line)
    paragraph = lines[start : next(n for n in range(start, len(lines)) if not lines[n].strip())]
    for line, after in itertools.pairwise(paragraph):
        assert len(line.rstrip()) + len(after.split()[0]) + 1 > columns - 2


def test_shell_completion_can_be_installed(cli: Cli) -> None:
    assert "--install-completion" in cli("--help", COLUMNS="100").stdout


def test_the_version_is_shown(cli: Cli) -> None:
    done = cli("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"hookline {__version__}\n", "")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["doctor", "--json"]])
@pytest.mark.parametrize(
    ("redirection", "reason"),
    [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")],
)
def test_output_that_cannot_be_written_is_one_sentence(
    cli: Cli, arguments: list[str], redirection: str, reason: str
) -> None:
    done = cli.redirected(redirection, *arguments)
    assert done.returncode == 1
    assert done.stderr == f"hookline: The output could not be written: {reason}.\n"


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "<&-"])
def test_a_closed_or_full_stream_beside_the_output_does_no_harm(cli: Cli, redirection: str) -> None:
    done = cli.redirected(redirection, "doctor", "--json")
    assert done.returncode == 1  # There is no DATABASE_URL.
    assert {row["name"] for row in objects(done)} >= {"configuration", "database"}
    assert cli.redirected(redirection, "jobs").returncode == 2


def test_characters_that_the_output_lacks_are_replaced(cli: Cli, db: Database, reader: str) -> None:
    db.make_job("報告…✓.pdf")
    done = cli("jobs", DATABASE_URL=reader, PYTHONIOENCODING="latin-1")
    assert done.returncode == 0
    assert r"\u5831\u544a...ok.pdf" in done.stdout


def test_ctrl_c_prints_nothing(cli: Cli) -> None:
    # A server that takes connections and says nothing.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        process = cli.start("jobs", DATABASE_URL=f"postgresql://a:b@127.0.0.1:{port}/app")
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            out, told = process.communicate(timeout=30)
    assert (process.returncode, out, told) == (130, "", "")


def test_a_server_that_never_answers_is_given_up(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://a:b@127.0.0.1:{silent.getsockname()[1]}/app"
        started = time.monotonic()
        for command in ("jobs", "migrate"):
            done = cli(command, DATABASE_URL=url)
            assert done.returncode == 3
            assert "There is no connection to Postgres" in sentence_of(done)
        assert time.monotonic() - started < 30
