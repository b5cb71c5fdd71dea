"""Client: the same for programs without an event loop, from any thread and after a fork."""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import hookline
from hookline import AsyncClient, Client, UnknownJob, WaitTimeout
from hookline.client.background_loop import BackgroundLoop
from support.pdfs import sample
from support.projects import SERVER
from support.workplace import DOCUMENT, Workplace

SESSIONS = (
    "select pid from pg_stat_activity where usename = 'test_operator'"
    " and datname = current_database()"
)


@pytest.fixture
def client(workplace: Workplace, operator: str) -> Iterator[Client]:
    client = Client(operator, storage_url=workplace.objects.as_uri())
    yield client
    client.close()


def test_it_has_the_methods_of_the_asynchronous_one() -> None:
    def face(kind: type) -> dict[str, inspect.Signature]:
        return {
            name: inspect.signature(method)
            for name, method in vars(kind).items()
            if callable(method) and not name.startswith("_")
        }

    own = {"submit_raw", "unopened"}
    expected = {name: one for name, one in face(AsyncClient).items() if name not in own}
    assert len(expected) == 12
    assert face(Client) == {**expected, "close": inspect.signature(Client.close)}


def test_it_connects_at_the_first_call_and_again_after_close(
    workplace: Workplace, client: Client
) -> None:
    assert workplace.query(SESSIONS) == []
    made = client.submit(b"text", uuid4(), filename="a.txt")
    assert client.status(made.job_id).filename == "a.txt"
    client.close()
    client.close()
    assert [one.name for one in threading.enumerate()].count("hookline-client") == 0
    with client:
        assert client.cancel(made.job_id).status == "cancelled"
        assert workplace.query(SESSIONS) != []
    while workplace.query(SESSIONS):
        pass


def test_threads_share_it(workplace: Workplace, client: Client) -> None:
    jobs = [workplace.uploaded_job() for _ in range(8)]
    with ThreadPoolExecutor(len(jobs) + 1) as threads:
        waits = [threads.submit(client.wait, job_id) for job_id in jobs]
        late = threads.submit(client.wait, workplace.uploaded_job(), timeout=0.1)
        for job_id in jobs:
            workplace.parse(job_id)
        assert [wait.result().job_id for wait in waits] == jobs
        with pytest.raises(WaitTimeout):
            late.result()
        assert set(threads.map(client.result, jobs)) == {DOCUMENT}


def test_a_call_during_close_is_refused_and_not_left_waiting() -> None:
    loop = BackgroundLoop()
    began, closing, go_on = threading.Event(), threading.Event(), threading.Event()

    async def work() -> None:
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            closing.set()
            await asyncio.to_thread(go_on.wait)

    async def late() -> None:
        pass

    with ThreadPoolExecutor() as threads:
        working = threads.submit(loop.run, work())
        began.wait()
        stopping = threads.submit(loop.stop)
        closing.wait()
        try:
            with pytest.raises(RuntimeError, match="closed meanwhile"):
                loop.run(late())
        finally:
            go_on.set()
        stopping.result()
        with pytest.raises(CancelledError):
            working.result()
    with pytest.raises(RuntimeError, match="closed meanwhile"):
        loop.run(late())


async def test_it_works_where_an_event_loop_runs(workplace: Workplace, client: Client) -> None:
    """As in a notebook."""
    assert asyncio.get_running_loop().is_running()
    assert client.result(workplace.parsed_job()) == DOCUMENT


def test_a_forked_process_connects_anew(workplace: Workplace, client: Client) -> None:
    job_id = workplace.parsed_job()
    assert client.result(job_id) == DOCUMENT
    program = f"""
import os, sys
from hookline import Client
client = Client()
client.status({str(job_id)!r})
if (child := os.fork()) == 0:
    sys.stdout.write(client.result({str(job_id)!r}))
    sys.stdout.flush()
    sys.exit()
_, status = os.waitpid(child, 0)
client.status({str(job_id)!r})
sys.exit(os.waitstatus_to_exitcode(status))
"""
    done = run(program, workplace, client)
    assert (done.returncode, done.stdout, done.stderr) == (0, DOCUMENT, "")


def test_an_interrupted_wait_ends_with_the_program(workplace: Workplace, client: Client) -> None:
    program = f"""
import signal
from hookline import Client
client = Client()
client.status({str(job_id := workplace.uploaded_job())!r})
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    client.wait({str(job_id)!r})
except KeyboardInterrupt:
    print("interrupted")
"""
    done = run(program, workplace, client)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")


def test_an_interrupted_connect_leaves_nothing_behind(workplace: Workplace, client: Client) -> None:
    program = """
import os, signal, socket, threading
from hookline import Client
server = socket.create_server(("127.0.0.1", 0))
def accept():
    global accepted
    accepted = server.accept()
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=accept).start()
client = Client(f"postgresql://a:b@127.0.0.1:{server.getsockname()[1]}/c")
try:
    client.status("01a215ef-54eb-7dff-87e6-acacaa8d27ea")
except KeyboardInterrupt:
    print("interrupted", sum(one.name == "hookline-client" for one in threading.enumerate()))
accepted[0].close(), server.close()
"""
    done = run(program, workplace, client)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted 0\n", "")


def run(program: str, workplace: Workplace, client: Client) -> subprocess.CompletedProcess[str]:
    url = client._client._settings.require_database()
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SERVER),
            "DATABASE_URL": url,
            "HOOKLINE_STORAGE_URL": workplace.objects.as_uri(),
        },
        cwd=workplace.directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_document_is_submitted_parsed_and_read(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a real receiver, worker and parser; the configuration is that of `hookline up`."""
    from hookline.standalone.stack import running_stack

    monkeypatch.chdir(project)

    async def application() -> str:
        async with running_stack(project):
            return await asyncio.to_thread(use)

    def use() -> str:
        with Client() as client:
            made = client.submit(sample(), uuid4(), filename="sample.pdf")
            assert client.wait(made.job_id, timeout=60).status == "parsed"
            return client.result(made.job_id)

    assert asyncio.run(application()).startswith("# What a webhook has to survive")


def test_the_package_is_imported_lazily() -> None:
    """The local parser's child imports it, and a stage needs no client."""
    code = (
        "import sys, hookline; heavy = {'psycopg', 'aiohttp', 'pydantic', 'asyncio'};"
        " assert not heavy & set(sys.modules), heavy & set(sys.modules); hookline.Client"
    )
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(SERVER)}, check=True)
    names: dict[str, Any] = {name: getattr(hookline, name) for name in hookline.__all__}
    assert issubclass(names["UnknownJob"], names["HooklineError"])
    assert names["UnknownJob"] is UnknownJob
    with pytest.raises(AttributeError):
        hookline.__getattr__("nothing")
