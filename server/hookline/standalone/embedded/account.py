"""The operating-system user that owns the data and runs the server."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from hookline.standalone.embedded.errors import EmbeddedPostgresError

__all__ = ["Account"]


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
