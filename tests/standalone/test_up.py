"""`hookline up` keeps its data however it ends, and shows its secrets to nobody."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import aiohttp
import psycopg
import pytest
from dotenv import dotenv_values

from hookline.postgres.views import JobOverview
from hookline.settings import ConfigurationError, Settings, load
from hookline.standalone.embedded import ProjectPostgres
from hookline.standalone.stack import AlreadyRunning, running_stack
from hookline.storage.files import FileStorage
from support.pdfs import pdf, sample, text
from support.projects import SERVER
from support.submissions import jobs_of, submitted, written

Hookline = Callable[..., subprocess.Popen[str]]

# New projects would all try the same default port at the same time.
ANY_PORT = {"HOOKLINE_PORT": "0", "HOOKLINE_ADMIN_PORT": "0"}


def settings_in(directory: Path) -> Settings:
    return load(directory / ".hookline" / "env")


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


async def submit(settings: Settings, owner_id: UUID, *paths: Path) -> list[str | None]:
    return [one.status for one in await submitted(settings, *paths, owner_id=owner_id)]


def has_its_object(job: JobOverview, objects: Path) -> bool:
    assert job.parsed_path is not None
    content = FileStorage(objects).file_of(job.parsed_path).read_bytes()
    return hashlib.sha256(content).hexdigest() == job.parsed_sha256


async def test_data_survives_kill_9(project: Path, tmp_path: Path, hookline: Hookline) -> None:
    (tmp_path / "good.pdf").write_bytes(sample())
    owner_id, objects = uuid4(), project / ".hookline" / "objects"
    up = hookline(project, "up")
    assert "Hookline is up" in first_line(up)
    before = settings_in(project)
    assert await submit(before, owner_id, tmp_path / "good.pdf") == ["parsed"]

    up.kill()
    up.wait()
    up = hookline(project, "up")
    assert "Hookline is up" in first_line(up)
    after = settings_in(project)
    [(job, _)] = await jobs_of(after, owner_id)
    assert has_its_object(job, objects)
    assert (after.llamaparse_secrets, after.push_secrets, after.port) == (
        before.llamaparse_secrets,
        before.push_secrets,
        before.port,
    )
    up.send_signal(signal.SIGTERM)
    output, _ = up.communicate(timeout=20)
    assert up.returncode == 0
    assert "Stopping" in output
    for secret in (*after.llamaparse_secrets, *after.push_secrets, *after.llamacloud_secrets):
        assert secret.get_secret_value() not in output
    home = ProjectPostgres(project / ".hookline").home
    assert not (home / "data" / "postmaster.pid").exists()


async def test_after_kill_9_at_any_moment_the_next_start_works(
    project: Path, tmp_path: Path, hookline: Hookline
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)
    files = []
    for number in range(6):
        files.append(tmp_path / f"{number}.pdf")
        files[-1].write_bytes(pdf([text(f"File {number}", y=700)]))
    owner_id = uuid4()

    for _ in range(2):  # During a start.
        up = hookline(project, "up")
        await asyncio.sleep(chance.uniform(0.2, 1.2))
        up.kill()
        up.wait()
    up = hookline(project, "up")  # During the work.
    assert "Hookline is up" in first_line(up)
    submitting = hookline(project, "submit", "--owner", str(owner_id), *map(str, files))
    await asyncio.sleep(chance.uniform(0.8, 2.0))
    up.kill()
    up.wait()
    submitting.kill()

    async with running_stack(project) as again:
        assert await submit(again.settings, owner_id, *files) == ["parsed"] * len(files)
        jobs = await jobs_of(again.settings, owner_id)
        assert len(jobs) == len(files)
        for job, events in jobs:
            assert has_its_object(job, again.objects)
            assert [event.code for event in events].count("parse_completed") == 1


# A parser that waits for a file `go` beside itself, and then becomes the real one.
SLOW_PARSER = """
import sys, time, pathlib
here = pathlib.Path(__file__).parent
(here / "begun").touch()
while not (here / "go").exists():
    time.sleep(0.01)
sys.path.remove(str(here))
del sys.modules["liteparse"]
from liteparse import *
sys.modules["liteparse"].__dict__.update(globals())
"""


async def test_a_document_is_parsed_once_if_up_is_killed_during_its_parsing(
    project: Path, tmp_path: Path, hookline: Hookline
) -> None:
    good, owner_id = written(tmp_path, "good.pdf", pdf([text("Killed", y=700)])), uuid4()
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "liteparse.py").write_text(SLOW_PARSER)
    path = f"{slow}{os.pathsep}{SERVER}"
    up = hookline(project, "up", PYTHONPATH=path, HOOKLINE_LEASE="2")
    assert "Hookline is up" in first_line(up)
    await submitted(settings_in(project), good, owner_id=owner_id, follow=False)
    async with asyncio.timeout(20):
        while not (slow / "begun").exists():
            await asyncio.sleep(0.02)
    up.kill()
    up.wait()
    (slow / "go").touch()

    again = hookline(project, "up", PYTHONPATH=path, HOOKLINE_LEASE="2")
    assert "Hookline is up" in first_line(again)
    settings = settings_in(project)
    async with asyncio.timeout(30):
        # The submission finds the job of the killed `up`.
        assert await submit(settings, owner_id, good) == ["parsed"]
    [(job, events)] = await jobs_of(settings, owner_id)
    assert [event.code for event in events] == [
        *("job_created", "upload_confirmed", "lease_expired", "parse_completed"),
    ]
    assert has_its_object(job, project / ".hookline" / "objects")
    async with asyncio.timeout(20):
        again.send_signal(signal.SIGTERM)
        await asyncio.to_thread(again.wait)
    assert again.returncode == 0


async def test_stages_of_the_user_are_run(
    project: Path, tmp_path: Path, hookline: Hookline
) -> None:
    stages = tmp_path / "my_stages.py"
    stages.write_text(
        "from hookline import Job, Tools, stage\n\n"
        '@stage("parsed")\n'
        "async def finish(job: Job, tools: Tools) -> str:\n"
        '    assert "Own stage" in await tools.markdown(job)\n'
        '    return "job_completed"\n'
    )
    good, owner_id = written(tmp_path, "own.pdf", pdf([text("Own stage", y=700)])), uuid4()
    up = hookline(project, "up", "--stages", str(stages))
    assert "Hookline is up" in first_line(up)
    settings = settings_in(project)
    [done] = await submitted(settings, good, owner_id=owner_id)
    assert done.status in ("parsed", "complete")
    assert done.job_id is not None
    following = hookline(project, "job", str(done.job_id), "--follow")
    output, _ = await asyncio.to_thread(following.communicate, timeout=20)
    assert following.returncode == 0
    assert "parsed -> complete" in output.splitlines()[-1]
    up.send_signal(signal.SIGTERM)
    assert up.stdout is not None
    # Not by communicate: readline has read ahead, and communicate would miss that.
    summary = await asyncio.to_thread(up.stdout.read)
    assert "worker    uploaded, parsed; http://127.0.0.1:" in summary
    assert "parses on this machine: LLAMA_CLOUD_API_KEY is not set." in summary


async def test_a_stage_for_an_unknown_status_ends_up_with_one_sentence(
    project: Path, tmp_path: Path, hookline: Hookline
) -> None:
    stages = tmp_path / "none.py"
    stages.write_text(
        "from hookline import stage\n\n"
        '@stage("chunking")\n'
        "async def work(job, tools):\n"
        '    return "job_completed"\n'
    )
    up = hookline(project, "up", "--stages", str(stages))
    _, errors = await asyncio.to_thread(up.communicate, timeout=30)
    assert up.returncode == 2
    assert "hookline: There is no stage for the status chunking" in errors.splitlines()[-1]


async def test_work_in_a_directory_of_up_says_that_up_runs_the_worker(
    project: Path, hookline: Hookline
) -> None:
    async with running_stack(project):
        pass
    work = hookline(project, "work", "--stages", "my_stages")
    _, errors = work.communicate(timeout=20)
    assert work.returncode == 2
    assert errors.count("\n") == 1
    assert "`hookline up` also runs the worker: give it your stages with --stages" in errors


async def test_the_settings_file_is_private_and_has_no_superuser(project: Path) -> None:
    async with running_stack(project) as up:
        file = project / ".hookline" / "env"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        password = (ProjectPostgres(project / ".hookline").home / "password").read_text()
        assert password not in file.read_text()
        url = dotenv_values(file)["DATABASE_URL"]
        assert url is not None
        assert urlsplit(url).username == "operator"
        with psycopg.connect(url) as connection:
            roles = connection.execute(
                "select rolname, rolsuper or rolcreaterole or rolcreatedb or rolbypassrls"
                " from pg_roles where pg_has_role('operator', oid, 'member') order by 1"
            ).fetchall()
            processes = connection.execute(
                "select l.login, array_agg(r.rolname::text order by 1) from pg_roles as r"
                " cross join (values ('receiver'), ('worker')) as l (login)"
                " where pg_has_role(l.login, r.oid, 'member') group by l.login order by 1"
            ).fetchall()
        assert roles == [
            ("hookline_operator", False),
            ("hookline_reader", False),
            ("operator", False),
        ]
        assert processes == [
            ("receiver", ["hookline_ingest", "receiver"]),
            ("worker", ["hookline_ingest", "hookline_worker", "worker"]),
        ]
        assert up.settings == settings_in(project)
        assert {one.name for one in file.parent.glob("env*")} == {"env"}


async def test_lines_of_the_user_are_kept_and_the_environment_wins(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project / ".hookline" / "env"
    async with running_stack(project):
        pass
    before = file.read_text()
    file.write_text(
        f"{before}# mine\nexport HOOKLINE_POOL_SIZE='5'\nHOOKLINE_PARSE_TIER=\"agentic\"\n"
    )
    for _ in range(2):
        async with running_stack(project) as up:
            assert up.settings.pool_size == 5
    after = file.read_text()
    assert after.endswith(
        "# mine\nexport HOOKLINE_POOL_SIZE='5'\nHOOKLINE_PARSE_TIER=\"agentic\"\n"
    )
    assert after.count("# mine") == after.count("DATABASE_URL=") == 1
    assert after.count("Written by") == 1

    secret = 'it\'s # a `long` \\ "random" secret'
    with monkeypatch.context() as environment:
        environment.setenv("HOOKLINE_LLAMAPARSE_SECRETS", secret)
        async with running_stack(project) as up:
            assert [one.get_secret_value() for one in up.settings.llamaparse_secrets] == [secret]
    # The file has it, too: the other commands sign with it.
    assert [one.get_secret_value() for one in settings_in(project).llamaparse_secrets] == [secret]
    with monkeypatch.context() as environment:
        environment.setenv("HOOKLINE_PUSH_SECRETS", "a-secret-with-${HOME}-in-it")
        with pytest.raises(ConfigurationError, match="HOOKLINE_PUSH_SECRETS holds"):
            async with running_stack(project):
                pass
    file.write_text(before)


# Each alone would make a connection fail, or change what is printed.
FOR_ANOTHER_SERVER = {
    "PGSERVICE": "elsewhere",
    "PGCHANNELBINDING": "require",
    "PGCONNECT_TIMEOUT": "never",
    "PGSSLMODE": "verify-full",
    "PGREQUIREAUTH": "none",
    "PGTARGETSESSIONATTRS": "standby",
    "PGOPTIONS": "-c default_transaction_read_only=on",
    "PGDATESTYLE": "German",
    "PGCLIENTENCODING": "LATIN1",
}


def test_variables_of_libpq_for_another_server_do_not_reach_the_private_one(
    project: Path, tmp_path: Path, hookline: Hookline
) -> None:
    file = written(tmp_path, "libpq.pdf", pdf([text("Variables", y=700)]))
    up = hookline(project, "up", **FOR_ANOTHER_SERVER)
    assert "Hookline is up" in first_line(up)
    for command in (["submit", str(file), "--owner", str(uuid4())], ["jobs"], ["doctor"]):
        run = hookline(project, *command, **FOR_ANOTHER_SERVER)
        output, errors = run.communicate(timeout=60)
        assert run.returncode == 0, (command, output, errors)


def test_commands_find_the_project_of_a_parent_and_say_if_it_is_not_up(
    project: Path, hookline: Hookline
) -> None:
    below = project / "some" / "folder"
    below.mkdir(parents=True)
    up = hookline(project, "up")
    assert "Hookline is up" in first_line(up)
    assert hookline(below, "jobs").wait(60) == 0
    up.send_signal(signal.SIGTERM)
    up.wait(30)
    for directory in (project, below):
        run = hookline(directory, "jobs")
        output, errors = run.communicate(timeout=60)
        assert (run.returncode, output) == (3, "")
        assert errors.startswith(f"hookline: `hookline up` is not running in {project}: start it")
        assert errors.count("\n") == 1
    run = hookline(project, "doctor", "--json")
    output, _ = run.communicate(timeout=60)
    assert "`hookline up` is not running in" in output


async def test_two_directories_are_up_at_once(project: Path, other_project: Path) -> None:
    async with running_stack(project) as one, running_stack(other_project) as other:
        assert one.url != other.url
        assert one.settings.llamaparse_secrets != other.settings.llamaparse_secrets
        assert one.settings.database_url != other.settings.database_url
        async with aiohttp.ClientSession() as session:
            for up in (one, other):
                for url in (f"{up.url}/readyz", f"{up.admin_url}/readyz", f"{up.admin_url}/"):
                    async with session.get(url) as response:
                        assert response.status == 200, await response.text()


async def test_only_one_up_runs_in_a_directory(
    project: Path, hookline: Hookline, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_stack(project) as first:
        with pytest.raises(AlreadyRunning, match=f"already runs in .*process {os.getpid()}"):
            async with running_stack(project):
                pass
        second = hookline(project, "up")
        _, errors = second.communicate(timeout=20)
        assert second.returncode == 2
        assert errors.count("\n") == 1
        assert f"`hookline up` already runs in {project}" in errors
        monkeypatch.setenv("DATABASE_URL", "postgresql://production.example.com/app")
        monkeypatch.setenv("HOOKLINE_LLAMAPARSE_SECRETS", "a-long-random-secret")
        async with running_stack(project, join=True) as joined:
            assert joined.url == first.url
            assert joined.settings == first.settings
        async with aiohttp.ClientSession() as session, session.get(first.url + "/readyz") as ready:
            assert ready.status == 200


async def test_a_port_is_used_again_if_free_and_a_configured_port_is_never_changed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_stack(project) as up:
        port = up.settings.port
    with socket.create_server(("127.0.0.1", port)):
        async with running_stack(project) as up:
            moved = up.settings.port
        assert moved != port
        monkeypatch.setenv("HOOKLINE_PORT", str(port))
        with pytest.raises(ConfigurationError, match="HOOKLINE_PORT: cannot listen"):
            async with running_stack(project):
                pass
    monkeypatch.delenv("HOOKLINE_PORT")
    async with running_stack(project) as up:
        assert up.settings.port == moved


async def test_commands_use_the_address_of_up_and_the_next_start_does_not(
    project: Path, tmp_path: Path, hookline: Hookline, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(pdf([text("Where it listens", y=700)]))
    monkeypatch.setenv("HOOKLINE_HOST", "127.0.0.2")
    monkeypatch.setenv("HOOKLINE_ADMIN_HOST", "127.0.0.3")
    async with running_stack(project) as up:
        monkeypatch.delenv("HOOKLINE_HOST")
        monkeypatch.delenv("HOOKLINE_ADMIN_HOST")
        assert up.url.startswith("http://127.0.0.2:")
        assert up.admin_url.startswith("http://127.0.0.3:")
        with socket.create_server(
            ("127.0.0.1", up.settings.port)
        ):  # Another program at the default address.
            assert await submit(settings_in(project), uuid4(), file) == ["parsed"]
            async with running_stack(project, join=True) as joined:
                assert (joined.url, joined.admin_url) == (up.url, up.admin_url)

    monkeypatch.setenv("HOOKLINE_HOST", "0.0.0.0")  # noqa: S104 - the next start must not use it
    async with running_stack(project) as up:
        assert up.url == f"http://127.0.0.1:{up.settings.port}"
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.4", up.settings.port))
    monkeypatch.delenv("HOOKLINE_HOST")
    async with running_stack(project) as up:
        assert up.url == f"http://127.0.0.1:{up.settings.port}"
        socket.create_server(("127.0.0.4", up.settings.port)).close()


def test_up_ends_when_its_postgres_ends(other_project: Path, hookline: Hookline) -> None:
    up = hookline(other_project, "up", **ANY_PORT)
    assert "Hookline is up" in first_line(up)
    home = ProjectPostgres(other_project / ".hookline").home
    postmaster = (home / "data" / "postmaster.pid").read_text().splitlines()[0]
    os.kill(int(postmaster), signal.SIGKILL)
    _, errors = up.communicate(timeout=20)
    assert up.returncode == 3
    last = errors.splitlines()[-1]
    assert last.startswith(f"hookline: The PostgreSQL in {home} has ended, so `hookline up`")
    assert "Traceback" not in errors
    run = hookline(other_project, "demo", **ANY_PORT)
    output, errors = run.communicate(timeout=60)
    assert (run.returncode, errors) == (0, ""), output


def test_a_database_whose_objects_are_gone_is_refused(
    other_project: Path, hookline: Hookline
) -> None:
    run = hookline(other_project, "demo", **ANY_PORT)
    run.communicate(timeout=60)
    home = ProjectPostgres(other_project / ".hookline").home
    objects = other_project / ".hookline" / "objects"
    shutil.rmtree(objects)
    for _ in range(2):
        run = hookline(other_project, "demo", **ANY_PORT)
        output, errors = run.communicate(timeout=60)
        assert (run.returncode, output) == (2, "")
        assert errors == (
            f"hookline: {home} holds the database of this project, but the folder {objects} with"
            f" its objects is gone: put that folder back, or remove {home} as well to start from"
            " nothing.\n"
        )
    shutil.rmtree(home)
    run = hookline(other_project, "demo", **ANY_PORT)
    output, errors = run.communicate(timeout=60)
    assert (run.returncode, errors) == (0, ""), output
