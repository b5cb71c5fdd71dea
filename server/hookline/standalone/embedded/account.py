"""The operating-system user that owns the data and runs the server."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from hookline.standalone.embedded.errors import EmbeddedPostgresError

__all__ = ["Account", "Switch"]


class Switch(TypedDict, total=False):
    """The arguments of subprocess.Popen that start a program as another user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """A user and a group, by number."""

    uid: int
    gid: int

    @classmethod
    def for_this_process(cls) -> Account:
        """Our own user. PostgreSQL refuses to run as root: for root it is `postgres` or `nobody`.

        Raises EmbeddedPostgresError when root has neither.
        """
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        for name in ("postgres", "nobody"):
            # A uid alone does not do: initdb and postgres look for its name in passwd.
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(entry.pw_uid, entry.pw_gid)
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, and this machine has neither a user postgres "
            "nor a user nobody to run it as."
        )

    @property
    def is_ours(self) -> bool:
        """Whether it is the user of this process."""
        return self.uid == os.geteuid()

    @property
    def switch(self) -> Switch:
        """What to give to subprocess.Popen so that the program runs as this user."""
        if self.is_ours:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def make_directory(self, path: Path) -> None:
        """Make an empty 0700 directory of this account. What was there is removed."""
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700)
        if not self.is_ours:
            os.chown(path, self.uid, self.gid)

    def write_file(self, path: Path, content: str) -> None:
        """Write a 0600 file of this account, and return when it is on disk."""
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as file:
            if not self.is_ours:
                os.fchown(descriptor, self.uid, self.gid)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
