"""`hookline serve` takes deliveries until a signal, and finishes those that have arrived."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import http.client
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from support.commands import Cli, Database, sentence_of

SECRET = "the-secret-of-the-sender"


@dataclass
class Serving:
    """A receiver's process. `lines` are what it has logged so far."""

    process: subprocess.Popen[str]
    lines: list[dict[str, Any]] = field(default_factory=list)
    _arriving: queue.Queue[str | None] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._arriving.put(line)
        self._arriving.put(None)

    def wait_for(self, event: str) -> dict[str, Any]:
        while True:
            line = self._arriving.get(timeout=30)
            assert line is not None, f"it ended before {event}: {self.lines}"
            self.lines.append(json.loads(line))
            if self.lines[-1]["event"] == event:
                return self.lines[-1]

    def end(self) -> int:
        code = self.process.wait(30)
        while (line := self._arriving.get(timeout=30)) is not None:
            self.lines.append(json.loads(line))
        return code


@pytest.fixture
def variables(login: Callable[[str], str], tmp_path: Path) -> dict[str, str]:
    objects = tmp_path / "objects"
    objects.mkdir()
    return {
        "DATABASE_URL": login("ingest"),
        "HOOKLINE_STORAGE_URL": objects.as_uri(),
        "HOOKLINE_LLAMAPARSE_SECRETS": SECRET,
        "HOOKLINE_PORT": "0",
        "HOOKLINE_ADMIN_PORT": "0",
    }


@contextmanager
def serving(cli: Cli, variables: dict[str, str]) -> Iterator[tuple[Serving, str, str]]:
    """A receiver that listens, with its two addresses as host:port."""
    with cli.start("serve", **variables) as process:
        try:
            served = Serving(process)
            ready = served.wait_for("receiving")
            yield served, urlsplit(ready["url"]).netloc, urlsplit(ready["admin_url"]).netloc
        finally:
            process.kill()


def get(address: str, path: str) -> tuple[int, Any]:
    status, body = text(address, path)
    return status, json.loads(body)


def text(address: str, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


class Slow:
    """A delivery whose body is sent in two halves."""

    def __init__(self, address: str, body: bytes) -> None:
        self._rest = body[len(body) // 2 :]
        self._connection = http.client.HTTPConnection(address, timeout=30)
        self._connection.putrequest("POST", "/webhooks/llamaparse")
        self._connection.putheader("Content-Type", "application/json")
        self._connection.putheader("Content-Length", str(len(body)))
        signature = hmac.digest(SECRET.encode(), body, "sha256").hex()
        self._connection.putheader("X-Webhook-Signature", signature)
        self._connection.endheaders(body[: len(body) // 2])

    def finish(self) -> tuple[int, Any]:
        self._connection.send(self._rest)
        response = self._connection.getresponse()
        answer = response.status, json.loads(response.read())
        self.close()
        return answer

    def close(self) -> None:
        self._connection.close()


def envelope(db: Database, job_id: UUID) -> bytes:
    [(document_id,)] = db.run(
        "select document_id from upload_pipeline.upload_jobs where job_id = %(id)s", id=job_id
    )
    content = "# Title\n"
    artifact = {
        "type": "markdown",
        "content": content,
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
        "bytes": len(content),
    }
    return json.dumps(
        {
            "job_id": str(job_id),
            "document_id": str(document_id),
            "parse_job_id": "one",
            "status": "parsed",
            "artifacts": [artifact],
            "meta": {"parser_name": "test", "parser_version": "1"},
        }
    ).encode()


def test_a_receiver_answers_healthz_and_readyz(cli: Cli, variables: dict[str, str]) -> None:
    with serving(cli, variables) as (served, address, admin):
        assert get(address, "/healthz") == (200, {"alive": True})
        assert get(address, "/readyz") == (200, {"ready": True, "fault": None})
        assert get(admin, "/readyz")[0] == 200
        served.process.send_signal(signal.SIGTERM)
        assert served.end() == 0
        assert SECRET not in json.dumps(served.lines)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_after_a_signal_the_current_delivery_is_finished_and_no_other_is_taken(
    cli: Cli, db: Database, variables: dict[str, str], number: signal.Signals
) -> None:
    job_id = db.make_job()
    with serving(cli, variables) as (served, address, _):
        slow = Slow(address, envelope(db, job_id))
        # The half is with the handler once a request behind it was answered.
        assert get(address, "/healthz")[0] == 200
        served.process.send_signal(number)
        served.wait_for("stopping")
        wait_until_refused(address)
        status, answer = slow.finish()
        assert (status, answer.get("outcome")) == (200, "applied"), answer
        assert served.end() == 0
    assert db.run("select status from upload_pipeline.upload_jobs") == [("parsed",)]


def wait_until_refused(address: str) -> None:
    """The listener closes in the moment after `stopping` is logged."""
    host, _, port = address.rpartition(":")
    for _ in range(1000):
        try:
            socket.create_connection((host, int(port)), timeout=30).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            continue  # half-way through the handshake
    raise AssertionError(f"{address} still takes connections")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops_the_receiver_at_once(
    cli: Cli, db: Database, variables: dict[str, str], number: signal.Signals
) -> None:
    job_id = db.make_job()
    with serving(cli, variables) as (served, address, _):
        slow = Slow(address, envelope(db, job_id))
        assert get(address, "/healthz")[0] == 200
        served.process.send_signal(number)
        served.wait_for("stopping")
        served.process.send_signal(number)
        assert served.end() == -number
        slow.close()
    assert db.run("select status from upload_pipeline.upload_jobs") == [("uploaded",)]


def test_a_receiver_starts_without_postgres_and_is_not_ready(
    cli: Cli, variables: dict[str, str]
) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        variables["DATABASE_URL"] = f"postgresql://a:b@127.0.0.1:{port}/app"
        with serving(cli, variables) as (served, address, admin):
            assert get(address, "/healthz") == (200, {"alive": True})
            assert get(address, "/readyz") == (503, {"ready": False, "fault": "database"})
            assert "Postgres does not answer" in get(admin, "/readyz")[1]["fault"]
            served.process.send_signal(signal.SIGTERM)
            assert served.end() == 0


@pytest.mark.parametrize("variable", ["HOOKLINE_PORT", "HOOKLINE_ADMIN_PORT"])
def test_a_taken_port_is_named(cli: Cli, variables: dict[str, str], variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        variables[variable] = str(taken.getsockname()[1])
        told = without_logs(cli, variables)
    assert told == [
        f"hookline: {variable}: cannot listen on 127.0.0.1:{variables[variable]}, Address already"
        " in use."
    ]


@pytest.mark.parametrize("variable", ["HOOKLINE_HOST", "HOOKLINE_ADMIN_HOST"])
def test_an_address_of_another_machine_is_named(
    cli: Cli, variables: dict[str, str], variable: str
) -> None:
    for host in ("192.0.2.1", "nowhere.invalid"):
        [told] = without_logs(cli, variables | {variable: host})
        assert told.startswith(f"hookline: {variable}: cannot listen on {host}:0, ")


@pytest.mark.parametrize(
    "variable", ["DATABASE_URL", "HOOKLINE_STORAGE_URL", "HOOKLINE_LLAMAPARSE_SECRETS"]
)
def test_a_missing_setting_is_named(cli: Cli, variables: dict[str, str], variable: str) -> None:
    del variables[variable]
    done = cli("serve", **variables)
    assert done.returncode == 2
    assert sentence_of(done).startswith(f"{variable} is not set: ")


@pytest.mark.parametrize(
    ("last_words", "code", "sentences"),
    [
        (
            "os.write(2, b'hookline: It said why.\\n'); os._exit(3)",
            3,
            ["hookline: It said why."],
        ),
        (
            "os.kill(os.getpid(), 9)",
            1,
            ["hookline: A process of the receiver was ended by signal SIGKILL at its start."],
        ),
    ],
)
def test_one_of_several_processes_that_cannot_start_ends_the_start(
    cli: Cli, variables: dict[str, str], last_words: str, code: int, sentences: list[str]
) -> None:
    (cli.directory / "sitecustomize.py").write_text(
        f"import os, sys\nif sys.orig_argv[-2:] == ['--process', '2']:\n    {last_words}\n"
    )
    path = os.pathsep.join([str(cli.directory), *sys.path])
    done = cli("serve", **variables, HOOKLINE_PROCESSES="2", PYTHONPATH=path)
    assert done.returncode == code
    assert [line for line in done.stderr.splitlines() if not line.startswith("{")] == sentences


def test_what_keeps_all_processes_from_starting_is_said_once(
    cli: Cli, variables: dict[str, str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = cli("serve", **{**variables, "HOOKLINE_PORT": port, "HOOKLINE_PROCESSES": "2"})
    assert done.returncode == 2
    assert sentence_of(done) == (
        f"HOOKLINE_PORT: cannot listen on 127.0.0.1:{port}, Address already in use."
    )


def test_nobody_but_hookline_starts_one_of_several_processes(
    cli: Cli, variables: dict[str, str]
) -> None:
    done = cli("serve", "--process", "1", **variables)
    assert done.returncode == 2
    assert "set HOOKLINE_PROCESSES" in sentence_of(done)


def without_logs(cli: Cli, variables: dict[str, str]) -> Sequence[str]:
    """What a `serve` that does not start prints on standard error."""
    done = cli("serve", **variables)
    assert (done.returncode, done.stdout) == (2, "")
    return [line for line in done.stderr.splitlines() if not line.startswith("{")]


def test_a_log_that_nobody_reads_stops_neither_answers_nor_the_end(
    cli: Cli, variables: dict[str, str], db: Database
) -> None:
    with cli.start("serve", **variables) as process:
        assert process.stderr is not None
        # A pipe of one page, which a few lines fill. Nobody reads after the line `receiving`.
        fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, 4096)
        while (line := json.loads(process.stderr.readline()))["event"] != "receiving":
            pass
        address, admin = urlsplit(line["url"]).netloc, urlsplit(line["admin_url"]).netloc
        assert [post(address, b"{}", "wrong") for _ in range(40)] == [401] * 40
        assert get(address, "/readyz") == (200, {"ready": True, "fault": None})

        process.stderr.close()  # Now every write fails.
        body = envelope(db, db.make_job())
        assert post(address, body, hmac.digest(SECRET.encode(), body, "sha256").hex()) == 200
        ready = {"ready": True, "fault": None, "warning": "log"}
        while get(address, "/readyz") != (200, ready):
            pass  # The line of that delivery is being written.
        assert "Broken pipe" in get(admin, "/readyz")[1]["warning"]
        assert re.search(r"^hookline_log_lines_lost_total [1-9]", text(admin, "/metrics")[1], re.M)

        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert db.run("select status from upload_pipeline.upload_jobs") == [("parsed",)]


def post(address: str, body: bytes, signature: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=30)
    headers = {"Content-Type": "application/json", "X-Webhook-Signature": signature}
    connection.request("POST", "/webhooks/llamaparse", body, headers)
    status = connection.getresponse().status
    connection.close()
    return status
